"""A change at the console is `config apply` of the exported file with the change in it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ml_connector.config.edit import Outdated, propose, save
from ml_connector.config.entry import NotSaved, save_entry
from ml_connector.config.export import as_yaml
from ml_connector.config.load import load_text
from ml_connector.config.problems import ConfigError
from ml_connector.config.setup import read_stored
from ml_connector.connectors.systems import systems
from ml_connector.engine.audit_queries import Question, export
from ml_connector.engine.database import Database
from ml_connector.engine.vault import UnknownSecret
from tests.config.examples import loaded
from tests.config.test_apply import Home, hold


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[Home]:
    database = Database(database_url, application="test")
    made = Home(database)
    await made.apply(loaded())
    yield made
    await database.close()


def payment_method(data: dict[str, Any]) -> None:
    data["integrations"]["us-store"]["mapping"]["payment_methods"].append({"offline": "Later&Co", "account": "110"})


async def test_a_proposal_counts_what_would_go_and_changes_nothing(home: Home) -> None:
    await hold(home, "10", "unmapped", "payment_method|Later&Co")
    await hold(home, "11", "unmapped", "payment_method|Later&Co")
    await hold(home, "12", "unmapped", "payment_method|Sooner")
    found = await propose(home.database, home.vault, payment_method)
    assert [change.action for change in found.changes] == ["add"]
    assert (found.problems, found.releases) == ((), {"us-store": 2})
    assert len(await home.held()) == 3
    assert (await home.registry.integration_named("us-store")).mapping_version == 1


async def test_saving_makes_a_version_and_releases_what_was_promised(home: Home) -> None:
    await hold(home, "10", "unmapped", "payment_method|Later&Co")
    await hold(home, "12", "unmapped", "payment_method|Sooner")
    epoch = (await home.registry.integration_named("us-store")).epoch
    done = await save(home.database, home.vault, payment_method, author="dana", comment="as agreed")
    found = await home.registry.integration_named("us-store")
    assert done.mapping_versions == {"us-store": 2}
    assert found.epoch > epoch
    assert await home.held() == {"12": "payment_method|Sooner"}


async def test_an_edit_of_nothing_changes_nothing_and_keeps_every_secret(home: Home) -> None:
    done = await save(home.database, home.vault, lambda _: None, author="dana")
    assert done.changes == ()
    store = await home.registry.connection((await home.registry.integration_named("us-store")).store)
    assert await home.vault.get(store.id, "access_token")


async def test_what_is_wrong_is_named_by_its_path_and_nothing_is_saved(home: Home) -> None:
    def wrong(data: dict[str, Any]) -> None:
        data["integrations"]["us-store"]["policy"]["posting.trigger"] = "never"
        data["connections"]["ledger"]["base_url"] = "http://books.example"

    found = await propose(home.database, home.vault, wrong)
    assert {problem.path for problem in found.problems} == {
        "integrations.us-store.policy.posting.trigger", "connections.ledger.base_url",
    }  # fmt: skip
    with pytest.raises(ConfigError):
        await save(home.database, home.vault, wrong, author="dana")
    assert (await home.registry.integration_named("us-store")).policy_version == 1


async def test_who_looked_at_an_older_version_is_told(home: Home) -> None:
    await save(home.database, home.vault, payment_method, author="dana", seen={"us-store": (1, 1)})
    with pytest.raises(Outdated, match="mapping version 2"):
        await save(home.database, home.vault, lambda _: None, author="ines", seen={"us-store": (1, 1)})


async def test_a_typed_secret_goes_to_the_vault_and_leaves_as_a_name(home: Home) -> None:
    def connect(data: dict[str, Any]) -> None:
        entry = data["connections"]["web-store"]
        data["connections"]["second"] = {
            "system": "bigcommerce", "base_url": entry["base_url"], "credentials": {},
            "settings": {**entry["settings"], "store_hash": "zz9"},
        }  # fmt: skip

    typed = {
        "second": {"access_token": "tok-typed", "client_secret": "s3cret", "webhook_secret": "w", "client_id": "c"}
    }
    await save(home.database, home.vault, connect, author="dana", secrets=typed)
    made = next(each for each in await home.registry.connections() if each.name == "second")
    assert await home.vault.get(made.id, "access_token") == "tok-typed"
    async with home.database.connect() as connection:
        stored = await read_stored(connection)
    file = as_yaml(stored.setup)
    assert "tok-typed" not in file
    assert "env: SECOND_ACCESS_TOKEN" in file
    again = load_text(file, "exported.yaml", systems())
    assert await home.diff(again, {}) == []
    written = "".join([line async for line in export(home.database, Question())])
    assert "tok-typed" not in written
    assert "s3cret" not in written


async def test_a_new_connection_without_its_secret_is_refused(home: Home) -> None:
    def connect(data: dict[str, Any]) -> None:
        entry = data["connections"]["web-store"]
        data["connections"]["second"] = {**entry, "settings": {**entry["settings"], "store_hash": "zz9"}}

    found = await propose(home.database, home.vault, connect)
    assert "connections.second.credentials.access_token" in {problem.path for problem in found.problems}
    with pytest.raises(ConfigError):
        await save(home.database, home.vault, connect, author="dana")
    assert all(each.name != "second" for each in await home.registry.connections())


async def test_a_reference_is_never_followed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the environment of the console's process, or in its files, is not for who edits."""
    monkeypatch.setenv("BC_ACCESS_TOKEN", "of this process")
    store = await home.registry.connection((await home.registry.integration_named("us-store")).store)
    before = await home.vault.get(store.id, "access_token")
    await save(home.database, home.vault, payment_method, author="dana")
    assert await home.vault.get(store.id, "access_token") == before

    def read_a_file(data: dict[str, Any]) -> None:
        data["connections"]["web-store"]["credentials"]["client_secret"] = {"file": "/etc/hostname"}

    await home.sql("DELETE FROM secrets WHERE name = 'client_secret'")
    with pytest.raises(ConfigError, match="is missing"):
        await save(home.database, home.vault, read_a_file, author="dana")
    with pytest.raises(UnknownSecret):
        await home.vault.get(store.id, "client_secret")


async def test_one_entry_is_an_edit_as_any_other(home: Home) -> None:
    await hold(home, "10", "unmapped", "payment_method|Later&Co")
    found = await home.registry.integration_named("us-store")
    saved = await save_entry(home.database, home.vault, found, "payment_method|Later&Co", " 110 ", author="dana")
    assert (saved.version, saved.count) == (2, 1)
    with pytest.raises(NotSaved, match="more than one value"):
        await save_entry(home.database, home.vault, found, "tax|US|8", "X1", author="dana")
    with pytest.raises(NotSaved, match="Choose a value"):
        await save_entry(home.database, home.vault, found, "payment_method|Later&Co", " ", author="dana")
