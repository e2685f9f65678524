"""Applying a configuration to a real database: all or nothing, versions, round trip, and exactly the right releases."""

import copy
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ml_connector.config.apply import Applied, apply, diff
from ml_connector.config.diff import Change
from ml_connector.config.export import as_yaml
from ml_connector.config.load import Loaded, load_text
from ml_connector.config.problems import ConfigError
from ml_connector.config.setup import read_stored
from ml_connector.connectors.systems import systems
from ml_connector.engine import registry
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey, MasterKeys
from ml_connector.engine.records import Lane
from ml_connector.engine.registry import Registry, UnknownName
from ml_connector.engine.vault import UnknownSecret, Vault
from tests.config.examples import ENVIRONMENT, SECRETS, loaded


class Home:
    """A database with a vault, and the example to apply to it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.vault = Vault(database, MasterKeys([MasterKey.new()]))
        self.registry = Registry(database)

    async def apply(self, given: Loaded, environment: dict[str, str] | None = None) -> Applied:
        return await apply(self.database, self.vault, given, environment or ENVIRONMENT, author="ines")

    async def diff(self, given: Loaded, environment: dict[str, str] | None = None) -> list[Change]:
        changes, problems = await diff(
            self.database, self.vault, given, ENVIRONMENT if environment is None else environment
        )
        assert problems == []
        return changes

    async def count(self, table: str) -> int:
        async with self.database.connect() as connection:
            return (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()

    async def sql(self, statement: str, **parameters: Any) -> None:
        async with self.database.connect() as connection:
            await connection.execute(text(statement), parameters)

    async def held(self) -> dict[str, str]:
        async with self.database.connect() as connection:
            rows = await connection.execute(text("SELECT key, hold_key FROM records WHERE status = 'held'"))
            return {row.key: row.hold_key for row in rows}


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[Home]:
    database = Database(database_url, application="test")
    yield Home(database)
    await database.close()


def policy(data: Any) -> Any:
    return data["integrations"]["us-store"]["policy"]


def mapping(data: Any) -> Any:
    return data["integrations"]["us-store"]["mapping"]


def settings(data: Any, connection: str) -> Any:
    return data["connections"][connection]["settings"]


async def hold(home: Home, key: str, kind: str, hold_key: str) -> None:
    found = await home.registry.integration_named("us-store")
    await home.sql(
        "INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, wakes, seq)"
        " VALUES (:integration, 'orders', :key, 'held', :kind, :hold_key, false, 1)",
        integration=found.id, key=key, kind=kind, hold_key=hold_key,
    )  # fmt: skip


async def post_something(home: Home) -> None:
    found = await home.registry.integration_named("us-store")
    await home.sql(
        "INSERT INTO postings (integration, reference, connection, flow, record_key, kind, state, fingerprint, content)"
        " VALUES (:integration, 'S1-O1', :erp, 'orders', '1', 'order', 'posted', 'f', '{}')",
        integration=found.id, erp=found.erp,
    )  # fmt: skip


# ---------------------------------------------------------------------- the first time, and nothing the second


async def test_the_example_is_applied_whole(home: Home) -> None:
    done = await home.apply(loaded())
    assert {change.path for change in done.changes} == {
        ("connections", "ledger"), ("connections", "web-store"), ("integrations", "us-store"),
    }  # fmt: skip
    found = await home.registry.integration_named("us-store")
    assert (found.tag, found.mapping_version, found.policy_version, found.active) == ("S1", 1, 1, True)
    assert found.flow("orders").poll_s == 60
    assert found.flow("customers").poll_s == 300
    assert not found.flow("shipments").enabled
    store = await home.registry.connection(found.store)
    assert (store.system, store.concurrency) == ("bigcommerce", 4)
    assert await home.vault.get(store.id, "access_token") == ENVIRONMENT["BC_ACCESS_TOKEN"]


async def test_applied_again_nothing_changes(home: Home) -> None:
    await home.apply(loaded())
    assert await home.diff(loaded()) == []
    again = await home.apply(loaded())
    assert again.changes == ()
    assert await home.count("mappings") == await home.count("policies") == 1
    assert (await home.registry.integration_named("us-store")).epoch == 1


async def test_an_exported_file_changes_nothing(home: Home) -> None:
    def sandboxed(data: Any) -> None:
        ledger = data["connections"]["ledger"]
        ledger |= {
            "sandbox": True,
            "timing": {"t_s": 0.1, "p_s": 2},
            "tls": {"ca_file": "/ca.pem"},
            "proxy": "http://p:1",
        }
        mapping(data)["accounts"]["revenue"] = "0041000000"

    await home.apply(loaded(sandboxed))
    async with home.database.connect() as connection:
        exported = as_yaml((await read_stored(connection)).setup)
    assert await home.diff(load_text(exported, "exported.yaml", systems())) == []
    assert not [secret for secret in SECRETS if secret in exported]


async def test_no_secret_is_readable_in_the_database(home: Home) -> None:
    await home.apply(loaded())
    async with home.database.connect() as connection:
        names = (
            await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        ).scalars()
        dump = ""
        for name in list(names):
            dump += str((await connection.execute(text(f"SELECT * FROM {name}"))).all())
    assert "BC_ACCESS_TOKEN" in dump  # the reference is there, so the search does find what is there
    assert not [secret for secret in SECRETS if secret in dump]


# ---------------------------------------------------------------------- differences


async def test_a_difference_is_told_in_words_and_as_values(home: Home) -> None:
    await home.apply(loaded())
    (change,) = await home.diff(loaded(lambda data: policy(data).update({"posting.trigger": "shipment"})))
    assert change.words == "integrations › us-store › policy › posting.trigger: capture → shipment"
    assert change.as_json()["before"] == "capture"
    assert change.as_json()["after"] == "shipment"


async def test_entries_of_a_list_come_and_go_one_by_one(home: Home) -> None:
    await home.apply(loaded())

    def swap(data: Any) -> None:
        mapping(data)["payment_methods"][2] = {"gateway": "adyen", "account": "11001200", "text": "Adyen"}

    gone, come = sorted(await home.diff(loaded(swap)), key=lambda change: change.action, reverse=True)
    assert (gone.action, gone.before["gateway"]) == ("remove", "stripe")
    assert (come.action, come.after["gateway"]) == ("add", "adyen")


async def test_a_changed_secret_is_told_without_being_shown(home: Home) -> None:
    await home.apply(loaded())
    (change,) = await home.diff(loaded(), {**ENVIRONMENT, "BC_ACCESS_TOKEN": "tok-new-99"})
    assert "access_token: the secret's value has changed" in change.words
    assert not [secret for secret in ("tok-new-99", *SECRETS) if secret in str(change.as_json())]


async def test_a_secret_that_is_not_at_hand_keeps_its_value(home: Home) -> None:
    await home.apply(loaded())
    here = {name: value for name, value in ENVIRONMENT.items() if name != "BC_ACCESS_TOKEN"}
    assert await home.diff(loaded(), here) == []
    await home.apply(loaded(lambda data: policy(data).update({"amendment": "hold"})), here)
    store = await home.registry.connection_named("web-store")
    assert await home.vault.get(store.id, "access_token") == ENVIRONMENT["BC_ACCESS_TOKEN"]


async def test_a_secret_that_was_never_given_is_told_with_its_line(home: Home) -> None:
    with pytest.raises(ConfigError, match=r"test\.yaml:\d+:\d+: .*BC_ACCESS_TOKEN is not set"):
        await home.apply(loaded(), {"BC_CLIENT_ID": "x"})
    assert await home.count("connections") == 0


async def test_a_secret_from_a_file(home: Home, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("tok-of-a-file\n")

    def from_file(data: Any) -> None:
        data["connections"]["web-store"]["credentials"]["access_token"] = {"file": str(tmp_path / "token")}

    await home.apply(loaded(from_file))
    store = await home.registry.connection_named("web-store")
    assert await home.vault.get(store.id, "access_token") == "tok-of-a-file"


# ---------------------------------------------------------------------- versions and epochs


async def test_only_what_changed_gets_a_new_version(home: Home) -> None:
    await home.apply(loaded())
    done = await home.apply(loaded(lambda data: mapping(data)["accounts"].update({"revenue": "42"})))
    assert (done.mapping_versions, done.policy_versions) == ({"us-store": 2}, {})
    found = await home.registry.integration_named("us-store")
    assert found.mapping["accounts"]["revenue"] == "42"
    assert (await home.registry.old_mapping(found.id, 1))["accounts"]["revenue"] == "41000000"
    async with home.database.connect() as connection:
        authors = (await connection.execute(text("SELECT saved_by FROM mappings"))).scalars().all()
    assert authors == ["ines", "ines"]


async def test_the_registry_serves_what_was_true_at_an_epoch_or_later(home: Home) -> None:
    await home.apply(loaded())
    before = await home.registry.integration_named("us-store")
    kept = await home.registry.integration(before.id)
    await home.apply(loaded(lambda data: mapping(data)["accounts"].update({"revenue": "42"})))
    assert await home.registry.integration(before.id, epoch=kept.epoch) is kept
    newer = await home.registry.integration(before.id, epoch=kept.epoch + 1)
    assert newer.mapping["accounts"]["revenue"] == "42"
    assert newer.epoch > kept.epoch


async def test_nothing_is_written_when_one_part_is_refused(home: Home) -> None:
    await home.apply(loaded())
    await post_something(home)

    def half_good(data: Any) -> None:
        policy(data)["reference.tag"] = "S2"
        mapping(data)["accounts"]["revenue"] = "42"
        settings(data, "ledger")["batch_size"] = 5

    with pytest.raises(ConfigError, match=r"reference\.tag: cannot change from S1 to S2"):
        await home.apply(loaded(half_good))
    assert await home.count("mappings") == 1
    assert (await home.registry.connection_named("ledger")).settings["batch_size"] == 20


# ---------------------------------------------------------------------- what is frozen once something is posted

FROZEN: dict[str, tuple[Any, str]] = {
    "the tag": (
        lambda data: policy(data).update({"reference.tag": "S2"}),
        "reference.tag: cannot change from S1 to S2",
    ),
    "the settlement": (
        lambda data: policy(data).update({"posting.settlement": "one_step"}),
        "posting.settlement: cannot change from two_step to one_step",
    ),
    "the company code": (
        lambda data: settings(data, "ledger").update({"company_code": "2000"}),
        "company_code: cannot change from 1710 to 2000",
    ),
    "the store": (
        lambda data: settings(data, "web-store").update({"store_hash": "other"}),
        "store_hash: cannot change from abc123 to other",
    ),
}


@pytest.mark.parametrize("what", FROZEN)
async def test_what_names_the_posted_documents_cannot_change(home: Home, what: str) -> None:
    change, words = FROZEN[what]
    await home.apply(loaded())
    await post_something(home)
    with pytest.raises(ConfigError, match=rf"test\.yaml:\d+:\d+: .*{words}"):
        await home.apply(loaded(change))


@pytest.mark.parametrize("what", FROZEN)
async def test_before_anything_is_posted_it_can(home: Home, what: str) -> None:
    change, _ = FROZEN[what]
    await home.apply(loaded())
    assert len((await home.apply(loaded(change))).changes) == 1


async def test_a_removed_integration_keeps_its_tag(home: Home) -> None:
    await home.apply(loaded())
    await post_something(home)

    def renamed(data: Any) -> None:
        data["integrations"] = {"new-name": data["integrations"]["us-store"]}

    with pytest.raises(ConfigError, match="'S1' belongs to the integration 'us-store'"):
        await home.apply(loaded(renamed))


async def test_a_removed_integration_keeps_its_tag_in_its_books_whatever_they_are_called(home: Home) -> None:
    await home.apply(loaded())
    await post_something(home)

    def renamed(data: Any) -> None:
        data["connections"]["books"] = data["connections"].pop("ledger")
        data["integrations"] = {"new-name": {**data["integrations"]["us-store"], "erp": "books"}}

    with pytest.raises(ConfigError, match="'S1' belongs to the integration 'us-store'"):
        await home.apply(loaded(renamed))


def _by_another_name(data: Any) -> None:
    """The same integration of another store, which posts by another name of the same host."""
    connections, integrations = data["connections"], data["integrations"]
    connections["ledger-2"] = copy.deepcopy(connections["ledger"]) | {"base_url": "https://sap.internal.example"}
    connections["eu-shop"] = copy.deepcopy(connections["web-store"])
    connections["eu-shop"]["settings"]["store_hash"] = "xyz789"
    second = copy.deepcopy(integrations["us-store"]) | {"store": "eu-shop", "erp": "ledger-2"}
    second["webhook_url"] = second["webhook_url"].replace("web-store", "eu-shop")
    integrations["eu-store"] = second


async def _told(home: Home, integration: str, books: str) -> str:
    found = await home.registry.integration_named(integration)
    erp = await home.registry.connection(found.erp)
    async with home.database.transaction() as connection:
        return await registry.keep_books(connection, found, erp, books)


async def test_two_names_of_one_host_are_one_set_of_books_once_the_system_has_told(home: Home) -> None:
    await home.apply(loaded(_by_another_name))
    assert await _told(home, "us-store", "S4H100/1710") == ""
    clash = await _told(home, "eu-store", "S4H100/1710")
    assert clash == "'us-store' posts into the same books (S4H100/1710) under the same tag 'S1'"
    assert (await home.registry.connection_named("ledger-2")).books == ""  # it is asked again, and refused again
    assert await _told(home, "eu-store", "S4D200/1710") == ""
    assert (await home.registry.connection_named("ledger-2")).books == "S4D200/1710"


async def test_a_tag_is_taken_in_the_books_that_the_system_has_told(home: Home) -> None:
    await home.apply(loaded())
    await _told(home, "us-store", "S4H100/1710")
    await home.sql(
        "INSERT INTO connections (name, system, books, settings) SELECT 'ledger-2', system, books, "
        "settings || '{\"base_url\": \"https://sap.internal.example\"}' FROM connections WHERE name = 'ledger'"
    )
    with pytest.raises(ConfigError, match=r"'S1' belongs to the integration 'us-store'"):
        await home.apply(loaded(_by_another_name))


async def test_an_address_that_changes_is_asked_again_whose_books_it_opens(home: Home) -> None:
    await home.apply(loaded())
    await _told(home, "us-store", "S4H100/1710")

    def with_limit(data: Any) -> None:
        data["connections"]["ledger"]["concurrency"] = 2

    await home.apply(loaded(with_limit))
    assert (await home.registry.connection_named("ledger")).books == "S4H100/1710"
    await home.apply(loaded(lambda data: data["connections"]["ledger"].update(base_url="https://other.example")))
    assert (await home.registry.connection_named("ledger")).books == ""


async def test_a_new_integration_of_a_store_begins_where_the_one_before_has_ended(home: Home) -> None:
    """The orders that are posted have other names under its tag: nothing would find them there."""
    await home.apply(loaded())
    await post_something(home)

    def anew(cut_over: date) -> Callable[[Any], None]:
        def change(data: Any) -> None:
            data["integrations"] = {"new-name": data["integrations"].pop("us-store")}
            data["integrations"]["new-name"]["policy"] |= {
                "reference.tag": "S2", "posting.cut_over": cut_over.isoformat(),
            }  # fmt: skip

        return change

    today = datetime.now(UTC).date()
    with pytest.raises(ConfigError, match=r"posting.cut_over: must be after .*: until then 'us-store' has posted"):
        await home.apply(loaded(anew(today)))
    await home.apply(loaded(anew(today + timedelta(days=2))))


async def test_what_is_not_in_the_file_is_switched_off_and_can_come_back(home: Home) -> None:
    await home.apply(loaded())
    store = await home.registry.connection_named("web-store")

    def emptied(data: Any) -> None:
        data["integrations"], data["connections"] = {}, {}

    await home.apply(loaded(emptied))
    assert await home.registry.integrations() == []
    with pytest.raises(UnknownName):
        await home.registry.connection_named("web-store")
    with pytest.raises(UnknownSecret):
        await home.vault.get(store.id, "access_token")
    assert await home.diff(loaded(emptied)) == []

    await home.apply(loaded())
    assert (await home.registry.integration_named("us-store")).active
    assert (await home.registry.connection_named("web-store")).id == store.id
    assert await home.diff(loaded()) == []


# ---------------------------------------------------------------------- releases


async def test_a_mapping_releases_exactly_what_waited_for_it(home: Home) -> None:
    def without(data: Any) -> None:
        del mapping(data)["accounts"]["fee_income"]
        mapping(data)["payment_methods"] = mapping(data)["payment_methods"][:1]

    await home.apply(loaded(without))
    await hold(home, "1", "unmapped", "account|fee_income")
    await hold(home, "2", "unmapped", "payment_method|stripe|credit_card")
    await hold(home, "3", "unmapped", "payment_method|adyen|credit_card")
    await hold(home, "4", "totals_mismatch", "")

    done = await home.apply(loaded(lambda data: mapping(data)["accounts"].pop("fee_income")))
    integration = (await home.registry.integration_named("us-store")).id
    assert done.released == {Lane(integration, "orders"): ["2"]}
    assert (await home.held()).keys() == {"1", "3", "4"}

    done = await home.apply(loaded())
    assert done.released == {Lane(integration, "orders"): ["1"]}
    assert (await home.held()).keys() == {"3", "4"}


async def test_a_change_that_adds_no_key_releases_nothing(home: Home) -> None:
    await home.apply(loaded())
    await hold(home, "3", "unmapped", "payment_method|adyen|credit_card")
    await hold(home, "5", "closed_period", "2025-12")
    done = await home.apply(loaded(lambda data: mapping(data)["accounts"].update({"revenue": "42"})))
    assert done.released == {}
    assert (await home.held()).keys() == {"3", "5"}


async def test_an_opened_period_releases_what_waited_for_it(home: Home) -> None:
    await home.apply(loaded())
    await hold(home, "5", "closed_period", "2025-12")
    await hold(home, "6", "rejected", "")
    await home.apply(loaded(lambda data: settings(data, "ledger").update({"open_from": "2025-12-01"})))
    assert (await home.held()).keys() == {"6"}


async def test_new_credentials_release_what_the_connection_held(home: Home) -> None:
    await home.apply(loaded())
    store = await home.registry.connection_named("web-store")
    ledger = await home.registry.connection_named("ledger")
    await hold(home, "7", "connection", str(store.id))
    await hold(home, "8", "connection", str(ledger.id))
    await home.apply(loaded(), {**ENVIRONMENT, "BC_ACCESS_TOKEN": "tok-new-99"})
    assert (await home.held()).keys() == {"8"}
    assert (await home.registry.connection(store.id)).epoch > store.epoch
    assert await home.vault.get(store.id, "access_token") == "tok-new-99"


async def test_every_apply_is_in_the_audit_with_its_author(home: Home) -> None:
    await home.apply(loaded())
    await home.apply(loaded(lambda data: policy(data).update({"amendment": "hold"})))
    async with home.database.connect() as connection:
        rows = (
            (await connection.execute(text("SELECT data FROM audit WHERE kind = 'config' ORDER BY id"))).scalars().all()
        )
    assert rows[-1]["by"] == "ines"
    assert rows[-1]["changes"] == ["integrations › us-store › policy › amendment: reverse_repost → hold"]
    assert not [secret for secret in SECRETS if secret in str(rows)]
