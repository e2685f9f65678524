"""The stage of a crash test: a sandbox store and ERP, a database, and the program's processes between them.

One `Stage` (sandbox processes, configured template database) serves a whole session; a `Case` is one story on it: an
empty store and ERP, a database of its own. Times are shortened as only a sandbox
connection may (`docs/exactly-once.md`).
"""

import base64
import copy
import os
import secrets
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from ruamel.yaml import YAML
from sqlalchemy.engine import URL

import ml_connector.config
from ml_connector.config.mapping import mapping_from
from ml_connector.config.policy import policy_from
from ml_connector.connectors.base import Settings, Timing
from ml_connector.domain.mapping import Mapping as MappingTables
from ml_connector.sandbox.process import SandboxProcess
from tests.crash import books
from tests.crash.nursery import Nursery
from tests.crash.processes import Process, until

EXAMPLE = Path(ml_connector.config.__file__).with_name("store-to-s4hana.yaml")
TIMING = Timing(p_s=2.0, t_s=0.5, l_s=1.5, v_s=0.3, s_s=0.0)
LOOKUP_LAG_S = 0.2  # below V
LEASE_S = 2.0
"""Shorter ones lapse on a busy machine although the worker lives; three such deaths alone park a record (R7)."""
WORKER = ("worker", "--lease", str(LEASE_S), "--sweep", "0.2", "--poll", "0.2", "--count", "0.5")
PLACES = 16
"""Calls at once on a connection: a dead process keeps its places for 6 s, which is longer than our lease."""
POST = {"method": "POST", "path": "journalentrycreate"}
LATE_COMMIT = {"fault": "late_commit", "args": {"commit_after_s": 0.8, "answer_after_s": 0.05}}
"""The ERP answers with a reset at once and commits later, within T + L by far: a busy machine may add to it."""
OTHER_REVENUE = "41000020"
EXTRA_TAX_CODES = ("H1", "I1", "J1", "J2", "K1")
FLOWS = ("orders", "customers")


class Stage:
    """`url`: a server with the migrated database `template`. `webhook_url`: where the store is to deliver to.
    `options`: more options of the sandbox, e.g. `--tls`. `nursery`: where its processes are forked; None: each is
    started by itself."""

    system, example = "s4hana", EXAMPLE
    login: Mapping[str, str] = {"S4_CLIENT_ID": "client_id", "S4_CLIENT_SECRET": "client_secret"}
    """Variable of the example's credentials -> the stand-in's credential."""

    def __init__(
        self,
        url: URL,
        template: str,
        home: Path,
        *,
        webhook_url: str = "",
        options: Sequence[str] = (),
        nursery: Nursery | None = None,
    ) -> None:
        self._url, self.home, self.nursery = url, home, nursery
        self._sandbox = SandboxProcess(["bigcommerce", self.system], options=options, log=home / "sandbox.log")
        try:
            self.store, self.erp = self._sandbox.systems["bigcommerce"], self._sandbox.systems[self.system]
            self.content = self._configuration(webhook_url)
            integration = self.content["integrations"]["us-store"]
            self.mapping, self.policy = mapping_from(integration["mapping"]), policy_from(integration["policy"])
            self._environment = {
                **os.environ,
                "ML_CONNECTOR_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
                "BC_ACCESS_TOKEN": str(self.store.credentials["access_token"]),
                "BC_CLIENT_ID": str(self.store.credentials["client_id"]),
                "BC_CLIENT_SECRET": str(self.store.credentials["client_secret"]),
                "BC_WEBHOOK_SECRET": secrets.token_urlsafe(24),
                **{name: str(self.erp.credentials[credential]) for name, credential in self.login.items()},
            }
            self.template = self.new_database(template)
            configure = Process(
                "configure",
                ("config", "apply", str(self.write(self.content))),
                self.environment(self.template),
                home,
                nursery=nursery,
            )
            configure.finished()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._sandbox.stop()

    # -------------------------------------------------------------- databases

    def new_database(self, template: str) -> str:
        name = f"crash_{uuid.uuid4().hex[:12]}"
        self._execute("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        return name

    def drop(self, name: str) -> None:
        if not os.environ.get("ML_CONNECTOR_KEEP_TEST_DATABASES"):
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def moved(self, url: URL) -> "Stage":
        """The same sandbox, with databases on another server; `url` names one there."""
        assert url.database
        other = copy.copy(self)
        other._url, other.template = url, url.database
        return other

    def elsewhere(self, url: URL) -> "Stage":
        """As `moved`, where `url` names an empty database: it gets this configuration."""
        other = self.moved(url)
        for arguments in (("migrate",), ("config", "apply", str(self.write(self.content)))):
            environment = other.environment(other.template)
            Process(f"{arguments[0]}-elsewhere", arguments, environment, self.home, nursery=self.nursery).finished()
        return other

    def environment(self, database: str) -> dict[str, str]:
        url = self._url.set(database=database).render_as_string(hide_password=False)
        return {**self._environment, "DATABASE_URL": url}

    def dsn(self, database: str) -> str:
        """For libpq and its programs."""
        return self._url.set(drivername="postgresql", database=database).render_as_string(hide_password=False)

    def connect(self, database: str) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self.dsn(database), autocommit=True, row_factory=dict_row)

    def _execute(self, statement: str, *names: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(SQL(statement).format(*(Identifier(name) for name in names)))  # type: ignore[arg-type]

    # -------------------------------------------------------------- configuration

    def write(self, content: Any) -> Path:
        """The configuration as a file of its own."""
        file = self.home / f"configuration-{uuid.uuid4().hex[:6]}.yaml"
        with file.open("w") as stream:
            YAML().dump(content, stream)
        return file

    def _configuration(self, webhook_url: str) -> Any:
        """The example configuration, pointed at the sandbox, with short times."""
        content: Any = YAML().load(self.example.read_text())
        store, ledger = content["connections"]["web-store"], content["connections"]["ledger"]
        store |= {"base_url": self.store.base_url, "sandbox": True, "concurrency": PLACES}
        store["settings"]["store_hash"] = self.store.credentials["store_hash"]
        timing = {name: getattr(TIMING, name) for name in ("p_s", "t_s", "l_s", "v_s", "s_s")}
        ledger |= {"base_url": self.erp.base_url, "sandbox": True, "timing": timing, "concurrency": PLACES}
        ledger["settings"]["token_url"] = self.erp.token_url
        for name in ("open_from", "open_to"):
            ledger["settings"].pop(name)
        integration = content["integrations"]["us-store"]
        integration["webhook_url"] = webhook_url
        integration["flows"] = {name: {"enabled": True, "poll_s": 1, "overlap_s": 600} for name in FLOWS}
        integration["policy"]["posting.cut_over"] = "2020-01-01"
        return content

    def with_webhook(self, url: str) -> Path:
        """The configuration, with webhooks delivered to `url`; polls are rare then."""
        content = copy.deepcopy(self.content)
        content["integrations"]["us-store"]["webhook_url"] = url
        return self.write(content)

    def with_timing(self, **timing: float) -> Path:
        """The configuration with an ERP that may take longer."""
        content = copy.deepcopy(self.content)
        content["connections"]["ledger"]["timing"] |= timing
        return self.write(content)

    def with_other_accounts(self) -> tuple[Path, MappingTables]:
        """The configuration with other accounts for what is sold, and its mapping."""
        content = copy.deepcopy(self.content)
        mapping = content["integrations"]["us-store"]["mapping"]
        mapping["accounts"]["revenue"] = OTHER_REVENUE
        for rule in mapping["revenue_rules"]:
            rule["account"] = OTHER_REVENUE
        return self.write(content), mapping_from(mapping)

    def without(self, table: tuple[str, ...]) -> Path:
        """The configuration with an empty table, e.g. a mapping that misses everything."""
        content = copy.deepcopy(self.content)
        inner = content["integrations"]["us-store"]
        for name in table[:-1]:
            inner = inner[name]
        inner[table[-1]] = []
        return self.write(content)

    def erp_settings(self) -> Settings:
        """The ERP connection's settings as its connector reads them."""
        ledger = self.content["connections"]["ledger"]
        groups = [dict(group) for group in self.content["integrations"]["us-store"]["mapping"]["tax_groups"]]
        return Settings(
            name="ledger",
            base_url=self.erp.base_url,
            settings={**ledger["settings"], "timing": ledger["timing"], "tax_groups": groups},
            credentials={"client_id": "x", "client_secret": "x"},
            sandbox=True,
        )

    def master_data(self) -> dict[str, Any]:
        """What the ERP must know for this mapping."""
        mapping = self.content["integrations"]["us-store"]["mapping"]
        accounts = {OTHER_REVENUE}
        accounts |= {str(number) for role, number in mapping["accounts"].items() if role != "receivable"}
        accounts |= {
            str(row["account"]) for name in ("taxes", "payment_methods", "revenue_rules") for row in mapping[name]
        }
        centers = [row.get("dimension", {}) for row in mapping["revenue_rules"]] + [mapping["default_dimension"]]
        return {
            "lookup_lag_s": LOOKUP_LAG_S,
            "gl_accounts": sorted(accounts),
            "tax_codes": sorted({str(row["tax_code"]) for row in mapping["taxes"]} | {"O0", *EXTRA_TAX_CODES}),
            "profit_centers": sorted({str(each["profit_center"]) for each in centers if each}),
            "customers": [{"number": str(mapping["customers"]["one_time"]), "one_time": True}],
        }


class Case:
    """One story: place orders, run and kill processes, and count in the end."""

    def __init__(self, stage: Stage, home: Path) -> None:
        self.stage, self.home = stage, home
        self.database = stage.new_database(stage.template)
        self._processes: list[Process] = []
        self._placed = 0
        self.mappings = [stage.mapping]
        """Those that were ever in force, the present one last."""
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self.store, self.erp = stage.store.control_url, stage.erp.control_url
        for control in (self.store, self.erp):
            books.call(f"{control}/reset", {})
        books.call(f"{self.erp}/seed", stage.master_data())

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        self._hang_up()
        self.stage.drop(self.database)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -------------------------------------------------------------- processes

    def run(self, *arguments: str, crash_at: str = "") -> Process:
        name = f"{len(self._processes)}-{arguments[0]}"
        environment = self.stage.environment(self.database)
        process = Process(name, arguments, environment, self.home, crash_at, nursery=self.stage.nursery)
        self._processes.append(process)
        return process

    def worker(self, crash_at: str = "", *, watchdog: bool = True) -> Process:
        return self.run(*WORKER, *(() if watchdog else ("--no-watchdog",)), crash_at=crash_at)

    # -------------------------------------------------------------- both systems

    def fault(self, *rules: Mapping[str, Any], system: str = "erp") -> None:
        books.call(f"{self.erp if system == 'erp' else self.store}/faults", list(rules))

    def clear_faults(self) -> None:
        """No fault of the ERP any more; what it was to commit once they are cleared, it commits now."""
        request = urllib.request.Request(f"{self.erp}/faults", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()

    def idle_faults(self) -> list[str]:
        """Faults that were asked for and have not happened yet."""
        shown = [rule for control in (self.erp, self.store) for rule in books.call(f"{control}/faults")["faults"]]
        return [f"{rule['fault']} at {rule['match']}" for rule in shown if not rule["hits"]]

    def remap(self) -> None:
        """From now on what is sold goes to other accounts; what is posted stays where it is."""
        file, mapping = self.stage.with_other_accounts()
        self.run("config", "apply", str(file)).finished()
        self.mappings.append(mapping)

    def place(
        self, kind: str, *, guest: bool = True, several: bool = False, market: str = "us_tx", orders: int = 1
    ) -> int:
        """Orders of one kind; the ID of the first. All that are no guest's are of one customer."""
        features = dict.fromkeys(_FEATURES, 0) | {"guest": int(guest), "several": int(several)}
        profile = {"kinds": {kind: 1}, "markets": {market: 1}, "features": features}
        seed = {"orders": orders, "profile": profile, "customers": 0 if self._placed else 1, "seed": self._placed + 1}
        self._placed += orders
        return int(books.call(f"{self.store}/seed", seed)["first_id"])

    def act(self, order: int, action: str, **arguments: Any) -> None:
        books.call(f"{self.store}/orders/{order}/{action}", arguments)

    def take_one_away(self, order: int) -> None:
        """The merchant edits the order: one piece less of the line that has most."""
        lines = next(o for o in books.call(f"{self.store}/state/orders")["items"] if o["order"]["id"] == order)[
            "products"
        ]
        line = max(lines, key=lambda each: int(each["quantity"]))
        self.act(order, "edit", line_id=line["id"], quantity=int(line["quantity"]) - 1)

    # -------------------------------------------------------------- backups

    def back_up(self) -> str:
        """A copy of the database, taken while nobody works on it. Its name."""
        self._hang_up()
        return self.stage.new_database(self.database)

    def put_back(self, backup: str) -> None:
        """The database is again what it was at the backup; both systems know nothing of it."""
        self._hang_up()
        self.stage.drop(self.database)
        self.database = backup

    def move(self, stage: Stage, database: str) -> None:
        """From now on it is played on this database of that server."""
        self._hang_up()
        self.stage, self.database = stage, database

    def posts(self) -> int:
        """Requests so far that could have made a document."""
        return len(books.posts_in(self.erp))

    def hooks(self) -> int:
        return int(books.call(f"{self.store}/state/hooks")["count"])

    # -------------------------------------------------------------- time

    def passes(self, seconds: float) -> None:
        """Time is what is being tested: leases lapse, P and H run out."""
        time.sleep(seconds)

    def runs_on(self, process: Process) -> None:
        """The process lives and works: its next heartbeats find it alive."""
        assert process.lives_on(2 * LEASE_S), f"ended: {process.said()}"

    # -------------------------------------------------------------- what we know ourselves

    def query(self, statement: str) -> list[dict[str, Any]]:
        try:
            return self._ask(statement)
        except psycopg.OperationalError:  # a story may have taken the server away meanwhile
            self._hang_up()
            return self._ask(statement)

    def _ask(self, statement: str) -> list[dict[str, Any]]:
        if self._connection is None:
            self._connection = self.stage.connect(self.database)
        return self._connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def unsettled(self) -> list[str]:
        """What still moves, waits or is unknown, as our own tables say it.

        A posting that was never sent, or refused, may stay behind when its order was cancelled meanwhile.
        """
        postings = self.query(
            "SELECT reference || ' ' || generation || ' is ' || state AS what FROM postings"
            " WHERE state NOT IN ('checked', 'void', 'planned', 'rejected') OR count_at <= now()"
        )
        records = self.query(
            "SELECT flow || ' ' || key || ' is ' || status || coalesce(': ' || hold_kind, '')"
            " || coalesce(': ' || last_error, '') AS what"
            " FROM records WHERE flow IN ('orders', 'customers', 'write_back')"
            " AND (token IS NOT NULL OR run_at IS NOT NULL OR status NOT IN ('synced', 'excluded'))"
        )
        return [row["what"] for row in [*postings, *records]]

    def complaints(self) -> list[str]:
        stage = self.stage
        *older, mapping = self.mappings
        return books.complaints(
            self.store, self.erp, mapping=mapping, older=older, policy=stage.policy, settings=stage.erp_settings()
        )

    def doubled(self) -> list[str]:
        """References under which the ERP has more than one live document."""
        counts = Counter(d.reference for d in books.documents_in(self.erp) if not (d.reversed_by or d.reverses))
        partners = {name: len(numbers) for name, numbers in books.partners_in(self.erp).items()}
        return [f"{n} x {name}" for name, n in {**counts, **partners}.items() if n > 1]

    def settled(self) -> None:
        """Waits until both sides agree and nothing is open; somebody must be there to do it."""

        def done() -> bool:
            assert any(process.running for process in self._processes), self._processes[-1].said()
            return not self.unsettled() and not self.complaints()

        until(done, self._why_not)

    def attempts(self) -> int:
        """Attempts that our rows know of."""
        return int(self.query("SELECT coalesce(sum(attempt), 0)::int AS n FROM postings")[0]["n"])

    def check(self, *, forgotten: int = 0, at_most: int = 4) -> None:
        """The count at the end: settled, one document per reference, no request more than attempts were licensed.

        `forgotten`: attempts whose rows went with a restored backup. `at_most`: attempts at one document.
        """
        self.settled()
        assert self.complaints() == []
        assert self.query("SELECT 1 FROM postings WHERE state IN ('sending', 'uncertain', 'held')") == []
        posts = books.posts_in(self.erp)
        licensed = self.attempts() + forgotten
        [row] = self.query("SELECT max(attempt) AS most FROM postings")
        assert posts, "nothing was ever sent"
        assert len(posts) <= licensed, f"{len(posts)} requests left for {licensed} licensed attempts"
        assert len({entry["connection"] for entry in posts}) == len(posts), "two writes shared a connection"
        again = [entry["body_sha256"] for entry in posts]
        assert len(set(again)) == len(again), "one request was sent twice"
        assert row["most"] <= at_most, f"a document was attempted again and again: {row['most']} times"

    def _why_not(self) -> str:
        working = [process.said() for process in self._processes if process.running]
        return "\n".join([*self.complaints(), *self.unsettled(), *working])


_FEATURES: Sequence[str] = (
    "guest", "promotion", "manual_discount", "percent_coupon", "fixed_coupon", "item_coupon", "promotion_coupon",
    "third_off", "shipping_coupon", "free_shipping_coupon", "multi_address", "handling", "wrapping", "fee", "bundle",
    "gift_certificate", "digital", "display_currency", "long", "several", "free",
)  # fmt: skip
