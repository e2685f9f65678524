"""One bad order in a crowd, and a database that goes away in the middle of a claim."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from ml_connector.engine.embedded import EmbeddedPostgres
from ml_connector.engine.migrations import migrate
from tests.conftest import TEMPLATE
from tests.crash import books
from tests.scenarios.playing import PATIENCE_S, Play, Town, alone

CROWD = int(os.environ.get("ML_CONNECTOR_POISON_CROWD", "60"))
"""Orders around the poisoned one; 10,000 in the long version (`docs/scenarios.md`)."""


@alone("one poison order among 10,000")
def one_poison_order_among_many(play: Play) -> None:
    """It is held, by name and with its field; not one of the others is, and none waits for it."""
    piece = min(CROWD, 500)
    first = play.place("paid", orders=piece)
    for _ in range(piece, CROWD, piece):
        play.place("paid", orders=piece)
    poison = play.copy(first, number=first + CROWD + 5, total_inc_tax="a lot")
    began = time.monotonic()
    worker = play.worker()
    synced = f"SELECT count(*)::int AS n FROM records WHERE flow = 'orders' AND status = 'synced' AND key <> '{poison}'"
    patience_s = PATIENCE_S + CROWD
    play.until(lambda: play.query(synced)[0]["n"] == CROWD, lambda: f"{play.query(synced)} {worker.said()}", patience_s)
    hold = play.held(poison)
    assert "total_inc_tax" in hold.message
    assert play.documents(poison) == []
    if CROWD > 1000:
        print(f"{CROWD} orders around a poisoned one: {time.monotonic() - began:.0f} s")
    documents = books.documents_in(play.erp)
    names = [document.reference for document in documents]
    assert len(set(names)) == len(names) == 2 * CROWD  # each with its payment
    play.accounted()
    play.copy(first, number=poison)  # the merchant repairs it
    play.posted(poison)
    play.ties()


@alone("DB failover during claim")
def database_restarts_during_a_claim(play: Play) -> None:
    """The worker stands between the claim and its commit while the server is restarted, and goes on."""
    home = Path(tempfile.mkdtemp(prefix="mlc-failover-"))
    home.chmod(0o711)
    server = EmbeddedPostgres(home / "postgres", database=TEMPLATE)
    try:
        server.start()
        url = server.url(tcp=True)
        migrate(url)
        world = Town(url, TEMPLATE, home)
        other = Play(world, home)
        try:
            orders = [other.place("paid") for _ in range(3)]
            worker = other.worker("claim.commit.b@:orders$:stop")
            worker.stopped_at("claim.commit.b")
            server.stop()
            server.start()
            assert server.url(tcp=True).port == url.port
            worker.go_on()
            other.reconnect()
            other.posted(*orders)
            assert worker.running, worker.said()
            other.ties()
        finally:
            other.close()
            world.close()
    finally:
        server.stop()
        server.release()
        shutil.rmtree(home, ignore_errors=True)
