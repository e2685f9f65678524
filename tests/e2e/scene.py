"""The whole product between a sandbox store and a sandbox ERP, as a person runs it: commands, worker, intake.

Built on the stage of the crash tests; here nobody is killed, but everything else goes wrong.
"""

import base64
import copy
import hashlib
import hmac
import http.client
import json
import secrets
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from ml_connector.connectors.base import StoredDocument
from ml_connector.connectors.bigcommerce.webhooks import SECRET_HEADER
from tests.crash import books
from tests.crash.nursery import nursery
from tests.crash.processes import PROGRAM, Process, until
from tests.crash.stage import Case, Stage

WORKER = ("worker", "--lease", "5", "--sweep", "0.5", "--poll", "0.2", "--count", "1")
TIMEOUT_S = 3.0
COMMAND_S = 60.0


class World(Stage):
    """The stage with an ERP that may take its time."""

    def __init__(self, url: URL, template: str, home: Path, *, options: Sequence[str] = ()) -> None:
        super().__init__(url, template, home, options=options, nursery=nursery())

    def _configuration(self, webhook_url: str) -> Any:
        content = super()._configuration(webhook_url)
        content["connections"]["ledger"]["timing"]["t_s"] = TIMEOUT_S
        return content


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it said."""

    status: int
    out: str
    problems: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Hold:
    kind: str
    key: str
    message: str


class Scene(Case):
    """One test: an empty store and ERP, a configured database. `given` overrides environment variables. `forked`: its
    processes are forked from one that has loaded the program, which is quicker than a new Python."""

    def __init__(self, world: World, home: Path) -> None:
        super().__init__(world, home)
        self.home = home
        self.given: dict[str, str] = {}
        self.forked = True
        self.port = 0

    # -------------------------------------------------------------- processes

    def environment(self) -> dict[str, str]:
        return {**self.stage.environment(self.database), **self.given}

    def run(self, *arguments: str, crash_at: str = "") -> Process:
        name = f"{len(self._processes)}-{arguments[0]}"
        forked = self.stage.nursery if self.forked else None
        process = Process(name, arguments, self.environment(), self.home, crash_at, nursery=forked)
        self._processes.append(process)
        return process

    def worker(self, crash_at: str = "", *, watchdog: bool = True) -> Process:
        return self.run(*WORKER, crash_at=crash_at)

    def serve(self) -> Process:
        """The webhook intake, listening at `port`."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        process = self.run("serve", "--port", str(self.port))
        self.until(self._listens, process.said)
        return process

    def _listens(self) -> bool:
        try:
            return self.request("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def command(self, *arguments: str, status: int | None = 0) -> Said:
        """Runs a command to its end; `status` None: any will do."""
        said = self._forked_command(*arguments) if self.forked and self.stage.nursery else self._command(*arguments)
        assert status is None or said.status == status, f"{arguments} ended with {said}"
        return said

    def _command(self, *arguments: str) -> Said:
        done = subprocess.run(
            [*PROGRAM, *arguments], env=self.environment(), capture_output=True, timeout=COMMAND_S, check=False
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _forked_command(self, *arguments: str) -> Said:
        assert self.stage.nursery is not None
        name = uuid.uuid4().hex[:6]
        out, problems = (self.home / f"{arguments[0]}-{name}.{kind}" for kind in ("out", "err"))
        child = self.stage.nursery.start(arguments, self.environment(), out, problems)
        try:
            status = child.wait(COMMAND_S)
        finally:
            child.kill()
        return Said(status, *(file.read_text() if file.exists() else "" for file in (out, problems)))

    def configure(self, change: Callable[[Any], None] | None = None, **given: str) -> Any:
        """Applies the configuration, changed by `change`, with other variables `given`. What `config apply` said."""
        self.given |= given
        content = copy.deepcopy(self.stage.content)
        if change is not None:
            change(content)
        return self.command("config", "apply", str(self.stage.write(content)), "--json").json

    # -------------------------------------------------------------- orders by hand

    def snapshot(self, order: int) -> dict[str, Any]:
        """An order of the store with all that belongs to it; amounts as texts."""
        items = books.call(f"{self.store}/state/orders")["items"]
        return json.loads(json.dumps(next(each for each in items if each["order"]["id"] == order), default=str))

    def copy(self, order: int, *, number: int = 0, staged: bool = False, **changes: object) -> int:
        """Puts the order into the store once more, as `number`, with `changes` of its head and payments of its own."""
        made = self.snapshot(order)
        number = number or order + 1000
        made["order"] |= {"id": number, **changes}
        for place, row in enumerate(made["transactions"]):
            row["id"] = 100_000 + 10 * number + place
        books.call(f"{self.store}/orders", {"orders": [made], "modified": "now", "staged": staged})
        return number

    # -------------------------------------------------------------- what the product says

    def status(self) -> Any:
        said = self.command("status", "--json", status=None)
        assert said.status in (0, 1), said
        return said.json

    def holds(self) -> dict[str, Hold]:
        """Held orders by number, as `status` tells a person."""
        groups = [group for group in self.status()["held"] if group["flow"] == "orders"]
        return {
            key: Hold(group["kind"], group["key"], message)
            for group in groups
            for key, message in zip(group["keys"], group["messages"], strict=True)
        }

    def record(self, order: int) -> dict[str, Any]:
        found = self.query(f"SELECT * FROM records WHERE flow = 'orders' AND key = '{order}'")
        return found[0] if found else {}

    def held(self, order: int) -> Hold:
        """Waits until the order is held; what `status` says of it then."""
        return self.all_held(order)[order]

    def all_held(self, *orders: int) -> dict[int, Hold]:
        """Waits until each order is held; what `status` says of them then."""
        self.until(
            lambda: all(self.record(order).get("status") == "held" for order in orders),
            lambda: "\n".join(str(self.record(order)) for order in orders),
        )
        said = self.holds()
        return {order: said[str(order)] for order in orders}

    def until(self, condition: Callable[[], object], otherwise: Callable[[], str] = lambda: "", s: float = 45) -> None:
        until(lambda: bool(condition()), lambda: f"{otherwise()}\n{self._logs()}", s)

    def _logs(self) -> str:
        """What the processes said last, cut to what a person reads."""
        said = [line for process in self._processes if process.running for line in process.said().splitlines()[-5:]]
        return "\n".join(line[:400] for line in said)

    # -------------------------------------------------------------- what the ERP has

    def documents(self, order: int) -> list[StoredDocument]:
        """Live documents of the order itself, whatever their generation."""
        names = {f"S1-O{order}", *(f"S1-O{order}-{generation}" for generation in range(2, 10))}
        return [d for d in books.documents_in(self.erp) if d.reference in names and not d.reversed_by]

    def posted(self, *orders: int) -> None:
        """Waits until each order stands in the ERP, once."""
        self.until(
            lambda: all(self.record(order).get("status") == "synced" for order in orders),
            lambda: "\n".join(str(self.record(order)) for order in orders),
        )
        assert {order: len(self.documents(order)) for order in orders} == dict.fromkeys(orders, 1)

    def clear_faults(self, system: str = "erp") -> None:
        control = self.erp if system == "erp" else self.store
        request = urllib.request.Request(f"{control}/faults", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()

    # -------------------------------------------------------------- webhooks and HTTP

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body or None, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def event(self, scope: str, data: object, **more: object) -> bytes:
        """The body of an event of our store."""
        hash_ = self.stage.store.credentials["store_hash"]
        content = {
            "producer": f"stores/{hash_}", "scope": scope, "data": data, "hash": secrets.token_hex(20),
            "created_at": int(time.time()), "store_id": "11111", **more,
        }  # fmt: skip
        return json.dumps(content).encode()

    def signed(self, body: bytes, *, id: str = "", at: float | None = None, key: str = "") -> dict[str, str]:
        """Headers as the store sends them, with the default scheme."""
        environment = self.environment()
        stamp, name = str(int(time.time() if at is None else at)), id or f"msg_{secrets.token_hex(8)}"
        secret = (key or environment["BC_CLIENT_SECRET"]).encode()
        digest = hmac.digest(secret, b".".join((name.encode(), stamp.encode(), body)), hashlib.sha256)
        return {
            "Content-Type": "application/json",
            SECRET_HEADER: environment["BC_WEBHOOK_SECRET"],
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }

    def deliver(self, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        return self.request("POST", "/hooks/web-store", body, self.signed(body) if headers is None else headers)


def no_polls(content: Any) -> None:
    """Nothing but webhooks brings orders in."""
    for flow in content["integrations"]["us-store"]["flows"].values():
        flow["poll_s"] = 3600


def audit(scene: Scene, **wanted: str) -> list[dict[str, Any]]:
    """Rows of the exported audit with these values."""
    rows = [json.loads(line) for line in scene.command("audit", "--export").out.splitlines()]
    return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
