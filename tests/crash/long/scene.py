"""The stage of the long run: a PostgreSQL of its own that may be killed, and both systems with longer times."""

import os
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from ml_connector.engine.embedded import EmbeddedPostgres
from ml_connector.engine.migrations import migrate
from tests.crash import books
from tests.crash.long.plan import LEASE_S, LOOKUP_LAG_S, TIMING
from tests.crash.processes import Process
from tests.crash.stage import Case, Stage

TEMPLATE = "ml_connector_template"
WORKER = ("worker", "--runs", "3", "--lease", str(LEASE_S), "--sweep", "0.5", "--poll", "0.5", "--count", "2")
SERVER_PATIENCE_S = 60.0
WAITS_FOR_MONEY = " is held: awaiting_capture"


class Server:
    """The PostgreSQL of a run. `directory`: another user must be able to pass through it."""

    def __init__(self, directory: Path) -> None:
        self._postgres = EmbeddedPostgres(directory / "postgres", database=TEMPLATE)
        self._postgres.start()
        migrate(self.url)

    @property
    def url(self) -> URL:
        return self._postgres.url(tcp=True)

    def kill(self) -> None:
        """`kill -9` of the postmaster."""
        pid = self._postgres.pid()
        assert pid is not None, "the server is not running"
        os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Starts it again, at the same address."""
        before = self.url if self._postgres.pid() else None
        self._postgres.start()
        assert before is None or before == self.url

    def close(self) -> None:
        self._postgres.stop()


class LongStage(Stage):
    """Polls are a safety net here: webhooks tell what happened."""

    def _configuration(self, webhook_url: str) -> Any:
        content = super()._configuration(webhook_url)
        timing = {name: getattr(TIMING, name) for name in ("p_s", "t_s", "l_s", "v_s", "s_s")}
        content["connections"]["ledger"]["timing"] = timing
        flows = content["integrations"]["us-store"]["flows"]
        for flow in flows.values():
            flow |= {"poll_s": 8, "overlap_s": 60}
        return content


class LongCase(Case):
    """One run on it. The database may be away: `query` waits for it."""

    def __init__(self, stage: LongStage, home: Path, port: int) -> None:
        super().__init__(stage, home)
        self.port = port
        books.call(f"{self.erp}/seed", {"lookup_lag_s": LOOKUP_LAG_S})

    def end(self) -> None:
        """Ends what still runs. The database goes with its server."""
        for process in self._processes:
            process.kill()
        if self._connection is not None:
            self._connection.close()

    def start(self, *arguments: str, crash_at: str = "") -> Process:
        return self.run(*arguments, crash_at=crash_at)

    def serve(self) -> Process:
        return self.run("serve", "--port", str(self.port))

    def query(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        deadline = time.monotonic() + SERVER_PATIENCE_S
        while True:
            try:
                if self._connection is None:
                    self._connection = self.stage.connect(self.database)
                return self._connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]
            except psycopg.OperationalError:
                self._connection = None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def unsettled(self) -> list[str]:
        """Orders that wait for their money are settled: nothing of them is to be booked yet. A note in the store whose
        answer was lost waits for minutes before it is written again (P9); it is no document. A document that is still
        to be counted, be it once more at 2H, is not settled."""
        counts = self.query(
            "SELECT reference || ' ' || generation || ' is to be counted' AS what FROM postings"
            " WHERE state = 'checked' AND count_at > now()"
        )
        known = [
            words
            for words in super().unsettled()
            if WAITS_FOR_MONEY not in words and not words.startswith("write_back ")
        ]
        return [*known, *(row["what"] for row in counts)]

    def waiting_for_money(self) -> int:
        """Authorised and not captured: held under that name."""
        [row] = self.query("SELECT count(*)::int AS n FROM records WHERE hold_kind = 'awaiting_capture'")
        return int(row["n"])

    def dead(self) -> list[tuple[str, str]]:
        """Records that were parked: their worker died with them alone, again and again."""
        found = self.query("SELECT flow, key FROM records WHERE status = 'dead' ORDER BY flow, key")
        return [(row["flow"], row["key"]) for row in found]

    def backlog(self) -> int:
        """Orders that a worker has or could have now."""
        [row] = self.query(
            "SELECT count(*)::int AS n FROM records"
            " WHERE flow = 'orders' AND (token IS NOT NULL OR run_at <= now() + interval '20 s')"
        )
        return int(row["n"])

    def finished(self) -> int:
        [row] = self.query(
            "SELECT count(*)::int AS n FROM records WHERE flow = 'orders' AND (done_seq = seq OR status = 'held')"
        )
        return int(row["n"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
