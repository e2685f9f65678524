"""A dump of the whole database, as a backup or a thief would have it, holds no secret in clear."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import psycopg

from ml_connector.connectors.base import Call, Token
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey
from ml_connector.engine.registry import Connection
from ml_connector.engine.services import Shared
from ml_connector.engine.vault import Vault

PASSWORD = "S3cret/of the+ledger"
TOKEN = "eyJhbGciOi.session-token-value.x1"


def dump(url: str) -> str:
    """Every table as text, as COPY gives it."""
    parts: list[str] = []
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        tables = connection.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p')").fetchall()
        for (table,) in tables:
            if table.startswith(("pg_toast", "pg_largeobject")):
                continue
            with connection.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as copy:
                parts += [bytes(block).decode("utf-8", "replace") for block in copy]
    return "\n".join(parts)


async def test_a_full_dump_holds_no_secret(
    database: Database, database_url: str, vault: Vault, master: MasterKey
) -> None:
    shared = Shared(database, vault)
    services = shared.services_for(Connection(1, "ledger", "s4hana", True, 0))
    await vault.put(1, "password", PASSWORD)

    async def fetch() -> Token:
        return Token(TOKEN, datetime.now(UTC) + timedelta(hours=1))

    await services.tokens.get("session", fetch)
    await services.calls.call(
        Call(
            "POST", f"https://erp.example/token?p={quote(PASSWORD, safe='')}", 401, 0.1, error=f"bad login {PASSWORD}",
            request_body=f'{{"password": "{PASSWORD}"}}', response_body=f"<token>{TOKEN}</token>",
        )
    )  # fmt: skip
    shared.audit.record("config", integration=1, data={"credentials": {"password": PASSWORD}, "note": PASSWORD})
    await vault.rotate(MasterKey.new())
    await shared.close()
    everything = dump(database_url)
    assert "erp.example" in everything  # the audit is in it
    forms = (PASSWORD, TOKEN, base64.b64encode(master.material).decode(), master.material.hex())
    hexed = [form.encode().hex() for form in forms[:2]]
    encoded = [base64.b64encode(form.encode()).decode().rstrip("=") for form in forms[:2]]
    for form in (*forms, *hexed, *encoded, quote(PASSWORD, safe="")):
        assert form not in everything
