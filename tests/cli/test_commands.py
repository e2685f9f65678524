"""Exit statuses, `--json`, and one plain sentence instead of a traceback, for every command."""

import json
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from ml_connector.cli.main import COMMANDS
from ml_connector.engine.embedded import EmbeddedPostgres
from tests.cli.program import Program, program
from tests.config.examples import EXAMPLE, SECRETS


@pytest.fixture
def cli(database_url: str) -> Program:
    return program(database_url)


def sql(cli: Program, statement: str) -> None:
    url = make_url(cli.environment["DATABASE_URL"]).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]


async def test_help_lists_every_command_quickly(cli: Program) -> None:
    await cli.run_anew("--help")
    started = time.monotonic()
    ran = await cli.run_anew("--help")
    assert time.monotonic() - started < 2  # half a second on an idle machine
    assert ran.status == 0
    assert all(name in ran.out for name in COMMANDS)


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.group])
async def test_every_command_has_help(cli: Program, name: str) -> None:
    ran = await cli.run(name, "--help")
    assert ran.status == 0
    assert "usage" in ran.out.lower()


async def test_every_command_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"## `{name}" not in text] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stat",), "Did you mean 'status'?"),
        (("status", "--jsn"), "No such option"),
        (("replay", "us-store"), "Name the records to replay"),
        (("sync", "us-store"), "Name the orders, or give --since"),
        (("sync", "us-store", "1x"), "an order or customer number has digits only"),
        (("plan",), "Name an integration and order numbers"),
        (("plan", "--from-files", "/nowhere"), "/nowhere does not exist"),
        (("replay", "nix", "1"), "No integration is called 'nix'"),
        (("ping", "nix"), "No connection is called 'nix'"),
        (("config", "apply", "/nowhere.yaml"), "/nowhere.yaml:1:1: the file cannot be read"),
        (("sandbox", "nix"), "invalid choice"),
    ],
)
async def test_a_wrong_call_is_told_in_a_sentence(cli: Program, arguments: tuple[str, ...], words: str) -> None:
    ran = await cli.run(*arguments)
    assert ran.status == 2
    assert words in ran.said


async def test_an_error_is_json_where_json_was_asked_for(cli: Program) -> None:
    ran = await cli.run("replay", "nix", "1", "--json")
    assert ran.status == 2
    assert ran.json == {
        "error": "No integration is called 'nix'; there is: none yet; see `ml-connector config apply`",
        "status": 2,
    }


# ---------------------------------------------------------------------- configuration


async def test_a_configuration_goes_in_and_comes_out(cli: Program, tmp_path: Path) -> None:
    assert (await cli.run("config", "check", str(EXAMPLE))).status == 0
    assert (await cli.run("config", "diff", str(EXAMPLE))).status == 1
    applied = await cli.run("config", "apply", str(EXAMPLE), "--json", "--author", "ines")
    assert applied.status == 0
    assert applied.json["mapping_versions"] == {"us-store": 1}
    exported = tmp_path / "out.yaml"
    assert (await cli.run("config", "export", str(exported))).status == 0
    nothing = await cli.run("config", "diff", str(exported), "--json")
    assert (nothing.status, nothing.json) == (0, {"changes": [], "problems": []})
    as_json = (await cli.run("config", "export", "--json")).json
    assert list(as_json["integrations"]) == ["us-store"]
    said = applied.said + exported.read_text()
    assert not [secret for secret in SECRETS if secret in said]


async def test_mistakes_in_a_file_are_listed_with_their_places(cli: Program, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(EXAMPLE.read_text().replace("b2b: false", "b2b: maybe").replace("erp: ledger", "erp: legder"))
    ran = await cli.run("config", "apply", str(bad))
    assert ran.status == 2
    assert f"{bad}:" in ran.err
    assert len(ran.err.strip().splitlines()) == 2
    told = (await cli.run("config", "apply", str(bad), "--json")).json
    assert [(each["line"] > 1, each["path"]) for each in told["problems"]] == [
        (True, "connections.web-store.settings.b2b"),
        (True, "integrations.us-store.erp"),
    ]


async def test_the_schema_is_json(cli: Program) -> None:
    assert (await cli.run("config", "schema")).json["title"] == "ml-connector configuration"


async def test_the_master_key_is_rotated(cli: Program) -> None:
    await cli.run("config", "apply", str(EXAMPLE))
    refused = await cli.run("config", "rotate-key")
    assert refused.status == 2
    assert "put the new key first and keep the old one behind it" in refused.said
    new = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
    both = f"{new},{cli.environment['ML_CONNECTOR_KEY']}"
    ran = await cli.run("config", "rotate-key", "--json", ML_CONNECTOR_KEY=both)
    assert (ran.status, ran.json) == (0, {"wrapped": 6})
    lost = await cli.run("config", "apply", str(EXAMPLE))
    assert lost.status == 2
    assert "encrypted with master key" in lost.said
    assert (await cli.run("config", "diff", str(EXAMPLE), ML_CONNECTOR_KEY=new)).status == 0


async def test_without_a_master_key_the_next_step_is_told(cli: Program) -> None:
    ran = await cli.run("status", ML_CONNECTOR_KEY="")
    assert ran.status == 2
    assert "openssl rand -base64 32" in ran.said


# ---------------------------------------------------------------------- the database


async def test_a_database_that_does_not_answer(cli: Program) -> None:
    ran = await cli.run("status", DATABASE_URL="postgresql://me:hunter2secret@127.0.0.1:1/books")
    assert ran.status == 3
    assert "The database at 127.0.0.1:1/books cannot be used" in ran.said
    assert "hunter2secret" not in ran.said


@pytest.mark.parametrize("url", ["mysql://x:secret99@h/d", "not an address", "postgresql://u:secret99@h:port/d"])
async def test_a_database_address_that_is_none(cli: Program, url: str) -> None:
    ran = await cli.run("status", DATABASE_URL=url)
    assert ran.status == 2
    assert "DATABASE_URL" in ran.said
    assert "secret99" not in ran.said


async def test_a_wrong_database_password(cli: Program) -> None:
    url = make_url(cli.environment["DATABASE_URL"]).set(password="wrong-pw-123")
    ran = await cli.run("status", DATABASE_URL=url.render_as_string(hide_password=False))
    assert ran.status == 3
    assert "password authentication failed" in ran.said
    assert "wrong-pw-123" not in ran.said


async def test_an_older_database_must_be_migrated_by_its_operator(cli: Program) -> None:
    sql(cli, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    ran = await cli.run("status")
    assert ran.status == 2
    assert "was never set up" in ran.said
    assert "ml-connector migrate" in ran.said
    assert (await cli.run("migrate")).status == 0
    assert (await cli.run("status")).status == 0


async def test_without_a_database_an_embedded_one_is_used(cli: Program, open_directory: Path) -> None:
    given = {"DATABASE_URL": "", "ML_CONNECTOR_KEY": "", "ML_CONNECTOR_DATA": str(open_directory)}
    try:
        assert (await cli.run("config", "apply", str(EXAMPLE), **given)).status == 0
        assert (open_directory / "master.key").stat().st_mode & 0o077 == 0
        assert (await cli.run("config", "diff", str(EXAMPLE), **given)).status == 0
    finally:
        EmbeddedPostgres(open_directory / "postgres").stop()


# ---------------------------------------------------------------------- what an operator does


async def test_held_and_dead_records_are_shown_released_and_replayed(cli: Program) -> None:
    await cli.run("config", "apply", str(EXAMPLE))
    assert (await cli.run("status", "--json")).status == 0
    sql(
        cli,
        "INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, last_error, wakes) VALUES "
        "(1, 'orders', '11', 'held', 'closed_period', '2026-01', 'January is closed', false), "
        "(1, 'orders', '12', 'dead', NULL, NULL, 'it broke', false)",
    )
    shown = await cli.run("status", "--json")
    assert shown.status == 1
    assert shown.json["held"][0]["kind"] == "closed_period"
    assert shown.json["failing"][0]["key"] == "12"
    assert "January is closed" in (await cli.run("status")).said

    mistyped = await cli.run("release", "us-store", "close_period")
    assert mistyped.status == 1
    assert "Records are held for: closed_period." in mistyped.said
    assert (await cli.run("release", "us-store", "closed_period", "--json")).json["count"] == 1
    replayed = await cli.run("replay", "us-store", "--all", "dead", "--json")
    assert (replayed.status, replayed.json["replayed"]) == (0, ["12"])
    unknown = await cli.run("replay", "us-store", "99")
    assert unknown.status == 1
    assert "Not heard of: 99" in unknown.said
    assert (await cli.run("status", "--json")).json["flows"][0]["by_status"] == {"waiting": 2}
    told = (await cli.run("audit", "--kind", "released", "--kind", "replayed", "--json")).json["rows"]
    assert [(row["kind"], row["key"]) for row in told] == [("replayed", "12"), ("released", "11")]


async def test_orders_are_marked_by_number(cli: Program) -> None:
    await cli.run("config", "apply", str(EXAMPLE))
    assert (await cli.run("sync", "us-store", "10", "9", "10", "--json")).json["marked"] == ["10", "9"]
    assert (await cli.run("status", "--json")).json["flows"][0]["due"] == 2


async def test_a_restore_closes_the_send_gate(cli: Program) -> None:
    await cli.run("config", "apply", str(EXAMPLE))
    assert (await cli.run("restored", "the backup of Sunday", "--json")).json["why"] == "the backup of Sunday"
    (told,) = (await cli.run("audit", "--kind", "gate", "--json")).json["rows"]
    assert told["data"]["why"] == "the backup of Sunday"
    shown = await cli.run("status")
    assert "Sending waits until" in shown.said
    assert "the backup of Sunday" in shown.said


async def test_the_audit_is_searched_and_exported(cli: Program) -> None:
    await cli.run("config", "apply", str(EXAMPLE))
    rows = (await cli.run("audit", "--kind", "config", "--json")).json["rows"]
    assert len(rows) == 3
    lines = (await cli.run("audit", "--export")).out.strip().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["config"] * 3
    assert "2 connections" not in (await cli.run("audit", "us-store")).said


# ---------------------------------------------------------------------- plans of exported orders

ORDER = {
    "id": 118, "customer_id": 0, "status_id": 11, "date_created": "Wed, 04 Mar 2026 15:20:00 +0000",
    "date_modified": "Wed, 04 Mar 2026 15:20:00 +0000", "total_inc_tax": "10.0000", "total_ex_tax": "10.0000",
    "total_tax": "0.0000", "subtotal_inc_tax": "10.0000", "subtotal_ex_tax": "10.0000", "currency_code": "USD",
    "default_currency_code": "USD", "payment_method": "Credit Card", "items_total": 1,
    "billing_address": {"country_iso2": "US", "email": "a@example.net", "first_name": "A", "last_name": "B"},
}  # fmt: skip
PRODUCT = {
    "id": 1, "order_id": 118, "product_id": 5, "sku": "TEE", "name": "Tee", "quantity": 1, "type": "physical",
    "total_inc_tax": "10.0000", "total_ex_tax": "10.0000", "total_tax": "0.0000", "base_total": "10.0000",
    "base_price": "10.0000", "price_ex_tax": "10.0000", "price_inc_tax": "10.0000", "applied_discounts": [],
}  # fmt: skip
PAYMENT = {
    "id": 77, "event": "purchase", "method": "credit_card", "amount": 10.0, "currency": "USD", "gateway": "braintree",
    "status": "ok", "test": False, "date_created": "2026-03-04T15:20:05+00:00",
}  # fmt: skip
STORE = {"store_hash": "abc123", "timezone": {"name": "America/Chicago"}, "currency": "USD", "decimal_places": 2}


async def test_exported_orders_are_planned_without_any_connection(cli: Program, tmp_path: Path) -> None:
    folder = tmp_path / "118"
    folder.mkdir()
    parts = {"order": ORDER, "products": [PRODUCT], "transactions": {"data": [PAYMENT], "meta": {}}}
    for name, part in {**parts, "taxes": [], "coupons": [], "shipping_addresses": [], "refunds": {"data": []}}.items():
        (folder / f"{name}.json").write_text(json.dumps(part))
    (tmp_path / "store.json").write_text(json.dumps(STORE))
    (tmp_path / "broken.json").write_text('{"order": ')
    (tmp_path / "one.json").write_text(json.dumps({"input": {**parts, "store": STORE}}))

    given = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/none", "ML_CONNECTOR_KEY": ""}
    ran = await cli.run("plan", "--from-files", str(tmp_path), "--config", str(EXAMPLE), "--json", **given)
    assert ran.status == 1
    planned, broken, one = sorted(ran.json["orders"], key=lambda order: order["file"])
    assert broken["outcome"] == "unreadable"
    assert "no JSON" in broken["message"]
    assert [document["reference"] for document in planned["documents"]] == ["S1-O118", "S1-P77"]
    assert planned["documents"] == one["documents"]
    assert planned["absent"] == []
    assert one["absent"] == ["shipping_addresses", "coupons", "taxes", "refunds"]
    text = await cli.run("plan", "--from-files", str(folder), "--config", str(EXAMPLE), "--why", **given)
    assert text.status == 0
    assert "S1-O118 order 2026-03-04 USD customer 17100099 (to post)" in text.said
    (folder / "taxes.json").unlink()
    text = await cli.run("plan", "--from-files", str(folder), "--config", str(EXAMPLE), **given)
    assert "Not exported, and taken for empty: taxes." in text.said
