"""After a run in which everything is used and much goes wrong, no secret is found anywhere it could leak to."""

import asyncio
import base64
import os
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from psycopg.sql import SQL, Identifier, Literal

from ml_connector.connectors.base import Token
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKeys, parse_keys
from ml_connector.engine.registry import Registry
from ml_connector.engine.services import Shared
from ml_connector.engine.vault import Vault
from tests.crash.processes import Process
from tests.e2e.scene import WORKER, Scene

SECRETS = ("BC_ACCESS_TOKEN", "BC_CLIENT_SECRET", "BC_WEBHOOK_SECRET", "S4_CLIENT_SECRET", "ML_CONNECTOR_KEY")
WRONG = "Wr0ng/secret of+somebody"
DATABASE_PASSWORD = "Db-pa55word/of+ours"


def test_no_secret_is_in_the_database_the_logs_the_outputs_or_the_process_list(scene: Scene, tmp_path: Path) -> None:
    scene.forked = False  # its processes' own command lines are looked at
    said: list[str] = []
    values = {name: scene.environment()[name] for name in SECRETS}
    values |= {"a wrong secret": WRONG, "the database's password": DATABASE_PASSWORD}
    # the URL of the database carries a password, as it does everywhere but here
    role = f"tester_{secrets.token_hex(4)}"
    with scene.stage.connect(scene.database) as connection:
        statement = SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(
            Identifier(role), Literal(DATABASE_PASSWORD)
        )
        connection.execute(statement)
    url = scene.environment()["DATABASE_URL"]
    scheme, _, rest = url.partition("://")
    scene.given["DATABASE_URL"] = f"{scheme}://{role}:{quote(DATABASE_PASSWORD, safe='')}@{rest.rpartition('@')[2]}"
    try:
        tokens: list[str] = []
        processes = _live(scene, said, tokens)
        listed = b"\n".join(_arguments(process.pid) for process in processes if process.running)
        assert tokens, "no token was ever kept: there is nothing to look for"
        values |= {f"issued token {number}": value for number, value in enumerate(tokens)}
        logs = "\n".join(file.read_text(errors="replace") for file in tmp_path.rglob("*.log"))
        places = {
            "a dump of the database": _dump(scene),
            "the logs": logs,
            "what commands said": "\n".join(said),
            "the process list": listed.decode(errors="replace"),
        }
        assert "us-store" in places["a dump of the database"]
        assert "worker.started" in logs
        found = [
            f"{name} as {form} in {place}: ...{text[max(0, text.index(spelled) - 80) : text.index(spelled)]!r}"
            for place, text in places.items()
            for name, value in values.items()
            for form, spelled in _forms(value)
            if spelled in text
        ]
        assert found == [], "\n".join(found)
    finally:
        scene.given.pop("DATABASE_URL")
        with scene.stage.connect(scene.database) as connection:
            connection.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))


def _live(scene: Scene, said: list[str], tokens: list[str]) -> list[Process]:
    """Uses everything, wrongly too. Appends what commands said and what tokens were issued; returns the processes,
    which still run."""

    def listening(content: Any) -> None:
        content["integrations"]["us-store"]["webhook_url"] = f"http://127.0.0.1:{scene.port}/hooks/web-store"

    def run(*arguments: str) -> None:
        ended = scene.command(*arguments, status=None)
        said.extend((ended.out, ended.problems))

    serving = scene.serve()
    said.append(str(scene.configure(listening)))
    run("ping")
    worker = scene.run("--debug", *WORKER)
    scene.until(lambda: scene.hooks() > 0, worker.said)
    orders = [scene.place("paid", guest=False), scene.place("refund_quantity", guest=False, several=True)]
    scene.until(lambda: all(scene.record(order).get("status") == "synced" for order in orders), worker.said)
    tokens.extend(asyncio.run(_tokens(scene)))
    # deliveries that are forged, one of them with a secret as its body, one with it in its address
    body = scene.event("store/order/updated", {"type": "order", "id": orders[0]})
    leak = scene.environment()["BC_WEBHOOK_SECRET"].encode()
    for headers, content in ((scene.signed(body, key=WRONG), body), ({}, leak), (scene.signed(leak), leak)):
        assert scene.deliver(content, headers)[0] == 401
    scene.request("POST", f"/hooks/{quote(WRONG, safe='')}", body)
    # systems that answer with what they were told: their words are shown, our secrets are not
    environment = scene.environment()
    for control, path, secret in (
        ("store", "/orders", environment["BC_ACCESS_TOKEN"]),
        ("erp", "A_OperationalAcctgDocItemCube", environment["S4_CLIENT_SECRET"]),
    ):
        text = f'{{"error": "not with the secret {secret}", "title": "you sent {secret}"}}'
        rule = {"fault": "status", "match": {"path": path, "times": 4}, "args": {"status": 400, "body": text}}
        scene.fault(rule, system=control)
        order = scene.place("paid")
        scene.command("sync", "us-store", str(order))
        scene.until(lambda number=order: scene.record(number).get("last_error"), worker.said)
        run("status")
        scene.clear_faults(control)
    # wrong credentials, everywhere
    names = ("BC_ACCESS_TOKEN", "S4_CLIENT_SECRET", "BC_CLIENT_SECRET", "BC_WEBHOOK_SECRET")
    said.append(str(scene.configure(listening, **dict.fromkeys(names, WRONG))))
    run("--debug", "ping")
    run("--debug", "plan", "us-store", str(orders[0]))
    for name in names:
        del scene.given[name]
    said.append(str(scene.configure(listening)))
    for arguments in (("config", "export"), ("audit", "--export"), ("audit",)):
        run(*arguments)
    run("config", "diff", str(scene.stage.write(scene.stage.content)))
    said.append(scene.request("GET", "/metrics")[1].decode())
    # a database that cannot be reached, an address that is none
    kept = scene.given["DATABASE_URL"]
    place = kept.rpartition("@")[2].partition("/")[2]
    for broken in (kept.replace(kept.rpartition("@")[2], f"127.0.0.1:9/{place}"), kept.replace("://", ":/")):
        scene.given["DATABASE_URL"] = broken
        run("--debug", "status")
    scene.given["DATABASE_URL"] = kept
    return [serving, worker]


async def _tokens(scene: Scene) -> list[str]:
    """The tokens that the ERP issued, as the vault keeps them."""
    environment = scene.environment()
    database = Database(environment["DATABASE_URL"], application="test")
    shared = Shared(database, Vault(database, MasterKeys(parse_keys(environment["ML_CONNECTOR_KEY"]))))
    connections = {each.id: each for each in await Registry(database).connections()}

    async def none() -> Token:
        return Token("none was kept", datetime.now(UTC))

    try:
        rows = scene.query("SELECT connection, name FROM tokens WHERE sealed IS NOT NULL")
        kept = [await shared.services_for(connections[r["connection"]]).tokens.get(r["name"], none) for r in rows]
        return [token.value for token in kept if token.value != "none was kept"]
    finally:
        await shared.close()
        await database.close()


def _dump(scene: Scene) -> str:
    """Every table as text, as COPY gives it."""
    parts: list[str] = []
    with scene.stage.connect(scene.database) as connection:
        tables = connection.execute(
            "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace ="
            " 'public'::regnamespace"
        ).fetchall()
        assert len(tables) > 10
        for table in tables:
            with connection.cursor().copy(f"COPY (SELECT * FROM {table['name']}) TO STDOUT") as copy:
                parts += [bytes(block).decode("utf-8", "replace") for block in copy]
    return "\n".join(parts)


def _arguments(pid: int) -> bytes:
    """What every user of the machine sees of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return b" ".join(
        Path(f"/proc/{each}/cmdline").read_bytes() for each in (pid, *children) if int(each) != os.getpid()
    )


def _forms(value: str) -> Iterator[tuple[str, str]]:
    """The ways in which a value may be spelled where it leaks: as it is, escaped, hexadecimal, inside of base64."""
    yield "itself", value
    forms: Iterable[tuple[str, str]] = (
        ("a part of an address", quote(value, safe="")),
        ("a part of a form", quote_plus(value)),
        ("hexadecimal", value.encode().hex()),
    )
    yield from forms
    for offset in range(3):  # of "user:password" in base64 the password starts at any of three places
        encoded = base64.b64encode(b"\0" * offset + value.encode()).decode().rstrip("=")
        inner = encoded[4 if offset else 0 : -1] if len(encoded) > 12 else encoded
        yield f"base64 at {offset}", inner
        yield f"base64 for addresses at {offset}", inner.translate(str.maketrans("+/", "-_"))
