"""A stage whose database and systems are reached over the lines of a network."""

from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from ml_connector.engine.embedded import EmbeddedPostgres
from ml_connector.engine.migrations import migrate
from tests.crash.machines.network import LINES, Network
from tests.crash.processes import Process, until
from tests.crash.stage import Case, Stage

TEMPLATE = "ml_connector_template"
WORKER = ("worker", "--lease", "3", "--sweep", "0.3", "--poll", "0.3", "--count", "0.5")
"""A lease that a busy machine keeps: periodic records run alone, and are parked when that lapses three times (R7)."""


class LinkedServer:
    """A PostgreSQL that answers on the database line as well, to passwords alone."""

    def __init__(self, directory: Path, network: Network) -> None:
        embedded = EmbeddedPostgres(directory / "postgres", database=TEMPLATE)
        embedded.start()
        migrate(embedded.url(tcp=True))
        self._embedded = embedded
        port = embedded.url(tcp=True).port
        embedded.stop()
        address = network.address("database")
        with (embedded.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1,{address}'\nport = {port}\nunix_socket_directories = ''\n"
                "max_connections = 200\ntimezone = 'UTC'\n"
            )
        with (embedded.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network.subnet('database')}.0/24 scram-sha-256\n")
        embedded._program("pg_ctl", "start", "-w", "-D", str(embedded.data), "-l", str(embedded.data / "server.log"))
        self.url: URL = embedded.url(tcp=True).set(host=address)

    def close(self) -> None:
        self._embedded.stop()


class LinkedStage(Stage):
    """Both systems listen everywhere; the configuration names them by the lines that lead to them."""

    def __init__(self, server: LinkedServer, home: Path, network: Network) -> None:
        self._network = network
        super().__init__(server.url, TEMPLATE, home, options=("--host", "0.0.0.0"))

    def _configuration(self, webhook_url: str) -> Any:
        content = super()._configuration(webhook_url)
        for name, line in (("web-store", "store"), ("ledger", "erp")):
            connection = content["connections"][name]
            connection["base_url"] = self._over(line, connection["base_url"])
        settings = content["connections"]["ledger"]["settings"]
        settings["token_url"] = self._over("erp", settings["token_url"])
        return content

    def _over(self, line: str, url: str) -> str:
        assert "//0.0.0.0:" in url, f"{url} would be reached by another way"
        return url.replace("0.0.0.0", self._network.address(line))


class LinkedCase(Case):
    """A story with a worker on each machine."""

    def __init__(self, stage: LinkedStage, home: Path, network: Network) -> None:
        super().__init__(stage, home)
        self.network, self._place = network, home

    def close(self) -> None:
        for machine in range(1, 4):
            self.network.heal(machine)
        super().close()

    def worker_on(self, machine: int, crash_at: str = "", *, watchdog: bool = True) -> Process:
        arguments = (*WORKER, *(() if watchdog else ("--no-watchdog",)))
        process = Process(
            f"{len(self._processes)}-machine-{machine}", arguments, self.stage.environment(self.database), self._place,
            crash_at, through=self.network.through(machine),
        )  # fmt: skip
        self._processes.append(process)
        return process

    def until_posted(self, before: int) -> None:
        """Waits until something more was sent than `before`: somebody goes on."""
        until(lambda: self.posts() > before, lambda: "nobody posts any more")

    def cut(self, machine: int, *lines: str) -> None:
        self.network.cut(machine, lines)
        assert [line for line in LINES if not self.network.reaches(machine, line)] == sorted(lines, key=LINES.index)
