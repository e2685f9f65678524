"""Secrets at rest: sealed per secret, bound to owner and name, wrapped by a master key that can be changed."""

import base64
import os
from pathlib import Path

import pytest

from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey, MasterKeys, VaultError, master_keys, parse_keys
from ml_connector.engine.vault import UnknownSecret, Vault, WrongKey
from tests.engine_services.conftest import Spawn, eventually, scalar

SECRET = "pa55-w0rd of the ledger"


def written(key: MasterKey) -> str:
    return base64.b64encode(key.material).decode()


async def test_a_secret_comes_back_and_stands_nowhere_in_the_row(database: Database, vault: Vault) -> None:
    await vault.put(1, "password", SECRET)
    assert await vault.get(1, "password") == SECRET
    assert await vault.all(1) == {"password": SECRET}
    assert await vault.names(1) == ["password"]
    row = await scalar(database, "SELECT encode(sealed, 'escape') || encode(wrapped, 'escape') FROM secrets")
    assert SECRET not in row


async def test_a_new_value_takes_the_place_of_the_old_one(vault: Vault) -> None:
    await vault.put(1, "password", SECRET)
    await vault.put(1, "password", "another")
    assert await vault.get(1, "password") == "another"
    assert await vault.same(1, "password", "another")
    assert not await vault.same(1, "password", SECRET)
    assert not await vault.same(1, "nothing", SECRET)


async def test_a_deleted_secret_is_gone(vault: Vault) -> None:
    await vault.put(1, "password", SECRET)
    assert await vault.delete(1, "password")
    assert not await vault.delete(1, "password")
    with pytest.raises(UnknownSecret, match="no secret 'password' is stored for connection 1"):
        await vault.get(1, "password")


async def test_a_put_in_a_transaction_that_rolls_back_stores_nothing(database: Database, vault: Vault) -> None:
    async with database.transaction() as sql:
        await vault.put(1, "password", SECRET, on=sql)
        assert await vault.get(1, "password", on=sql) == SECRET
        await sql.rollback()
    assert await vault.names(1) == []


@pytest.mark.parametrize("change", ["connection = 2", "name = 'other'"])
async def test_a_row_that_was_moved_does_not_open(database: Database, vault: Vault, change: str) -> None:
    await vault.put(1, "password", SECRET)
    async with database.connect() as sql:
        await sql.exec_driver_sql(f"UPDATE secrets SET {change}")
    connection, name = (2, "password") if "connection" in change else (1, "other")
    with pytest.raises(WrongKey, match="altered or moved"):
        await vault.get(connection, name)


async def test_another_master_key_is_told_plainly_and_can_write_nothing(
    database: Database, vault: Vault, master: MasterKey
) -> None:
    await vault.put(1, "password", SECRET)
    other = MasterKey.new()
    stranger = Vault(database, MasterKeys([other]))
    for attempt in (stranger.check(), stranger.get(1, "password"), stranger.put(1, "password", "x")):
        with pytest.raises(WrongKey) as caught:
            await attempt
        assert master.name in str(caught.value)
        assert "ML_CONNECTOR_KEY" in str(caught.value)
        assert written(other) not in str(caught.value)
    assert await vault.get(1, "password") == SECRET


async def test_nothing_secret_shows_in_a_repr(vault: Vault, master: MasterKey) -> None:
    await vault.put(1, "password", SECRET)
    sealed = vault.seal(master, 1, "password", SECRET)
    shown = " ".join(map(repr, (vault, master, sealed, vault.secrets, MasterKeys([master]))))
    assert SECRET not in shown
    assert repr(master.material) not in shown
    assert written(master) not in shown


# ---------------------------------------------------------------------- rotation


async def test_a_rotation_keeps_every_secret_and_needs_the_old_key_no_more(database: Database, vault: Vault) -> None:
    await vault.put(1, "password", SECRET)
    await vault.put(2, "password", "another one")
    new = MasterKey.new()
    assert await vault.rotate(new) == 2
    assert await vault.rotate(new) == 0
    fresh = Vault(database, MasterKeys([new]))
    assert await fresh.get(1, "password") == SECRET
    assert await fresh.get(2, "password") == "another one"


async def test_after_a_rotation_a_process_with_the_old_key_alone_cannot_write(
    database: Database, vault: Vault, master: MasterKey
) -> None:
    await vault.put(1, "password", SECRET)
    await Vault(database, MasterKeys([master])).rotate(MasterKey.new())
    with pytest.raises(WrongKey):
        await vault.put(1, "password", "lost with the old key")


async def test_a_rotation_killed_half_way_changes_nothing_and_can_be_run_again(
    database: Database, vault: Vault, master: MasterKey, spawn: Spawn
) -> None:
    for number in range(50):
        await vault.put(1, f"secret {number:02d}", f"value {number}")
    new = MasterKey.new()
    async with database.transaction() as sql:
        await sql.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")  # a process may start slowly
        # The rotation goes by name: with the last row locked it stops when all the others are wrapped anew.
        await sql.exec_driver_sql("SELECT FROM secrets WHERE name = 'secret 49' FOR UPDATE")
        child = await spawn("rotate", keys=written(master), new=written(new))

        async def waits() -> bool:
            return await scalar(
                database,
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'test-rotate%%' "
                "AND datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'UPDATE secrets%%')",
            )

        await eventually(waits)
        await child.kill()
    await eventually(lambda: _no_rotation(database))
    assert await vault.all(1) == {f"secret {number:02d}": f"value {number}" for number in range(50)}
    assert await scalar(database, "SELECT count(DISTINCT master) FROM secrets") == 1
    again = await spawn("rotate", keys=written(master), new=written(new))
    assert await again.line() == {"wrapped": 50}
    assert len(await Vault(database, MasterKeys([new])).all(1)) == 50


async def _no_rotation(database: Database) -> bool:
    return not await scalar(
        database,
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name LIKE 'test-rotate%%' AND datname = current_database()",
    )


# ---------------------------------------------------------------------- where keys come from


def test_the_key_file_of_an_embedded_database_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "master.key"
    first = master_keys({}, own_file=path).first
    assert master_keys({}, own_file=path).first == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]
    path.chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        master_keys({}, own_file=path)


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    one, two = MasterKey.new(), MasterKey.new()
    file = tmp_path / "key"
    file.write_text(written(two) + "\n")
    both = {"ML_CONNECTOR_KEY": f"{written(one)},{written(two)}", "ML_CONNECTOR_KEY_FILE": str(file)}
    assert master_keys(both).names == (one.name, two.name)
    assert master_keys({"ML_CONNECTOR_KEY_FILE": str(file)}).names == (two.name,)


@pytest.mark.parametrize("given", ["not base64!", base64.b64encode(b"short").decode(), "", ","])
def test_what_is_no_key_is_refused_without_being_repeated(given: str) -> None:
    with pytest.raises(VaultError) as caught:
        MasterKeys(parse_keys(given))
    assert "openssl rand -base64 32" in str(caught.value)
    assert not given.strip(",") or given not in str(caught.value)


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="cannot be read"):
        master_keys({"ML_CONNECTOR_KEY_FILE": str(tmp_path / "nowhere")})


async def test_rotating_a_key_file_replaces_the_key(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    running = Vault(database, master_keys({}, own_file=path))
    await running.put(1, "password", SECRET)
    before = path.read_text()
    assert await Vault(database, master_keys({}, own_file=path)).rotate_key() == 1
    assert path.read_text() != before
    assert len(parse_keys(path.read_text())) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert await running.get(1, "password") == SECRET  # it has read the file again
    await running.put(1, "password", "new")
    assert await Vault(database, master_keys({}, own_file=path)).get(1, "password") == "new"


@pytest.mark.parametrize("committed", [False, True])
async def test_rotating_a_key_file_goes_on_where_it_was_interrupted(
    database: Database, tmp_path: Path, committed: bool
) -> None:
    path = tmp_path / "master.key"
    keys = master_keys({}, own_file=path)
    await Vault(database, keys).put(1, "password", SECRET)
    new = keys.next_after(keys.first.name)  # the new key is on the disk ...
    if committed:
        await Vault(database, keys).rotate(new)  # ... and in use, and then the process died
    await Vault(database, master_keys({}, own_file=path)).rotate_key()
    assert parse_keys(path.read_text()) == [new]
    assert await Vault(database, master_keys({}, own_file=path)).get(1, "password") == SECRET


async def test_rotating_keys_of_the_environment_says_what_the_operator_must_do(
    database: Database, vault: Vault, master: MasterKey
) -> None:
    await vault.put(1, "password", SECRET)
    with pytest.raises(VaultError, match="put the new key first"):
        await vault.rotate_key()
    new = MasterKey.new()
    environment = {"ML_CONNECTOR_KEY": f"{written(new)},{written(master)}"}
    assert await Vault(database, master_keys(environment)).rotate_key() == 1
    assert await Vault(database, MasterKeys([new])).get(1, "password") == SECRET


def test_two_keys_have_two_names_that_do_not_tell_the_key() -> None:
    material = os.urandom(32)
    assert MasterKey.of(material).name == MasterKey.of(material).name
    assert MasterKey.new().name != MasterKey.new().name
    assert len(MasterKey.of(material).name) == 12
