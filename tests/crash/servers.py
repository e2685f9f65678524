"""Stories of the database itself: its server is killed, or put back to an earlier state, while the ERP goes on."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy.engine import URL

from ml_connector.connectors.base import Timing
from ml_connector.engine.embedded import EmbeddedPostgres, _Owner, _programs
from tests.crash import books
from tests.crash.crossings import Shop, at_post
from tests.crash.processes import Process, until
from tests.crash.stage import TIMING, Case
from tests.crash.stories import Story, point_of
from tests.crash.ways import Way

LATE = Timing(p_s=TIMING.p_s, t_s=TIMING.t_s, l_s=8.0, v_s=TIMING.v_s, s_s=TIMING.s_s)
LATE_COMMIT_S = 5.0
"""A request of which the restored rows know nothing is committed that late: within T + L by far."""


class Server:
    """A PostgreSQL of its own for one story; `case` plays on it."""

    def __init__(self, directory: Path) -> None:
        self._embedded = EmbeddedPostgres(directory / "postgres", database="configured")
        self.url = self.start()

    def start(self) -> URL:
        self._embedded.start()
        return self._embedded.url(tcp=True)

    def stop(self) -> None:
        if self._embedded.pid() is not None:
            self._embedded.stop()

    def close(self) -> None:
        """It is not needed any more."""
        self._embedded.release()

    def killed(self) -> None:
        """`kill -9` of the postmaster, as the out-of-memory killer does it."""
        pid = self._embedded.pid()
        assert pid is not None
        postmaster = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not postmaster.is_running() or postmaster.status() == psutil.STATUS_ZOMBIE, lambda: "it lives")
        assert self._embedded.pid() is None

    def back_up(self) -> Path:
        """A copy of its files; it must not run."""
        copy = self._embedded.directory / "backup"
        subprocess.run(["cp", "-a", str(self._embedded.data), str(copy)], check=True)
        return copy

    def put_back(self, backup: Path) -> None:
        """As an administrator restores one: the files, and recovery to the end of the log that is there."""
        data = self._embedded.data
        shutil.rmtree(data)
        subprocess.run(["cp", "-a", str(backup), str(data)], check=True)
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write("restore_command = 'false'\n")
        signal_file = data / "recovery.signal"
        signal_file.touch()
        owner = data.stat()
        os.chown(signal_file, owner.st_uid, owner.st_gid)


@contextmanager
def _server() -> Iterator[Server]:
    directory = Path(tempfile.mkdtemp(prefix="mlc-server-"))
    directory.chmod(0o711)
    server = Server(directory)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def own_server(case: Case) -> Iterator[tuple[Server, Case]]:
    """A server for one story, and a case on it that uses the stage's store and ERP."""
    with _server() as server:
        home = case.home / "own"
        home.mkdir()
        inner = Case(case.stage.elsewhere(server.url), home)
        try:
            yield server, inner
        finally:
            server.start()
            inner.close()


def server_killed(way: Way | str, *, away_s: float = 0.0, workers: int = 1) -> Story:
    """The postmaster is killed while a worker stands at this point; it survives and finishes when the server is back.

    `away_s`: how long the server stays away.
    """
    way = way if isinstance(way, Way) else Way(point_of(way), way.removeprefix(point_of(way)), leads=())

    def play(case: Case) -> None:
        with own_server(case) as (server, inner):
            shop = Shop.open(inner)
            inner.fault(*way.leads)
            inner.fault(*way.store, system="store")
            worker = inner.worker(f"{way.rule}:stop", watchdog=False)
            worker.stopped_at(way.point)
            others = [inner.worker() for _ in range(workers - 1)]
            server.killed()
            worker.go_on()
            inner.passes(away_s)
            server.start()
            inner.settled()
            shop.edit()
            inner.check()
            for process in (worker, *others):
                assert process.running, f"an outage of the database ended it: {process.said()}"
                process.stop()

    away = f"-for-{away_s:g}s" if away_s else ""
    return Story(f"postgres-killed-{way.rule}{away}{'-crowd' if workers > 1 else ''}", play, (way.point,))


def restored() -> Story:
    """A dump from before is put back and declared: nothing is sent for H, then everything is adopted.

    Lost with it: changes that were posted, an order that was posted, and a request that the ERP commits only after the
    restored program has looked for it.
    """

    def play(case: Case) -> None:
        case.run("config", "apply", str(case.stage.with_timing(l_s=LATE.l_s))).finished()
        shop = Shop.open(case)
        _works_and_stops(case)
        backup = case.back_up()
        shop.edit()
        case.place("paid")
        _works_and_stops(case)
        case.place("paid", several=True)
        case.fault(at_post("late_commit", 1, commit_after_s=LATE_COMMIT_S, answer_after_s=60))
        case.worker("send.body_out:kill").died_at("send.body_out")
        sent, attempts = case.posts(), case.attempts()
        case.put_back(backup)
        forgotten = attempts - case.attempts()
        assert forgotten > 0, "the backup knows everything"
        since = time.monotonic()
        case.run("restored", "the dump of this morning").finished()
        case.worker()
        _nothing_before(case, since + LATE.h_s, sent, forgotten)

    return Story("restored-declared", play, ("send.body_out",))


def recovered() -> Story:
    """The server's files are put back and recovered; nobody says so: the new timeline closes the gate."""

    def play(case: Case) -> None:
        with own_server(case) as (server, inner):
            shop = Shop.open(inner)
            _works_and_stops(inner)
            server.stop()
            backup = server.back_up()
            server.start()
            shop.edit()
            inner.place("paid")
            _works_and_stops(inner)
            sent, attempts = inner.posts(), inner.attempts()
            server.stop()
            server.put_back(backup)
            server.start()
            inner.place("paid")
            forgotten = attempts - inner.attempts()
            assert forgotten > 0, "the backup knows everything"
            since = time.monotonic()
            inner.worker()
            _nothing_before(inner, since + TIMING.h_s, sent, forgotten)
            [row] = inner.query("SELECT why FROM cluster")
            assert row["why"].startswith("failover: timeline"), row

    return Story("restored-noticed", play)


def moved() -> Story:
    """A dump is loaded into another server, and nobody says so: its identifier closes the gate."""

    def play(case: Case) -> None:
        with _server() as server:
            here, there = case.stage, case.stage.moved(server.url)
            shop = Shop.open(case)
            _works_and_stops(case)
            dump = case.home / "dump.sql"
            _program("pg_dump", "--file", str(dump), here.dsn(case.database))
            shop.edit()
            case.place("paid")
            _works_and_stops(case)
            sent, attempts = case.posts(), case.attempts()
            _program("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(dump), there.dsn(there.template))
            left = case.database
            case.move(there, there.template)
            try:
                forgotten = attempts - case.attempts()
                assert forgotten > 0, "the dump knows everything"
                since = time.monotonic()
                case.worker()
                _nothing_before(case, since + TIMING.h_s, sent, forgotten)
                [row] = case.query("SELECT why FROM cluster")
                assert row["why"].startswith("another server"), row
            finally:
                case.move(here, left)

    return Story("restored-on-another-server", play)


def _program(name: str, *arguments: str) -> None:
    subprocess.run([_programs(_Owner()) / name, *arguments], check=True, capture_output=True)


def _works_and_stops(case: Case) -> None:
    worker: Process = case.worker()
    case.settled()
    worker.stop()


def _nothing_before(case: Case, opens: float, sent: int, forgotten: int) -> None:
    """The gate is shut until `opens` (monotonic s), and open afterwards: a new order is posted."""
    case.place("paid", guest=False)
    case.settled()
    early = [entry for entry in books.posts_in(case.erp)[sent:] if entry["started"] < opens]
    assert not early, f"sent {opens - early[0]['started']:.1f} s too early: {early}"
    assert case.posts() > sent, "nothing was ever sent again"
    case.check(forgotten=forgotten)
