"""Users, passwords, sessions, second factors, tokens and links, on the real database."""

import asyncio
import base64
import time
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import text

from ml_connector.domain.access import RIGHTS, Person, Right, Role, lowest
from ml_connector.engine.access import attempts, links, second_factor, sessions, sign_in, tokens, users
from ml_connector.engine.access.passwords import Passwords, check_password
from ml_connector.engine.access.sign_in import Browser
from ml_connector.engine.access.users import User
from ml_connector.engine.access.values import AccessRefused, Locked, TooMany, Wrong
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey, MasterKeys
from ml_connector.engine.vault import Vault

PASSWORD = "seven green lanterns"
BROWSER = Browser("192.0.2.7", "a browser")


@pytest.fixture
def passwords() -> Passwords:
    """Its semaphore belongs to the loop of the test."""
    return Passwords()


@pytest.fixture
def vault(database: Database) -> Vault:
    return Vault(database, MasterKeys([MasterKey.new()]))


async def dana(database: Database, passwords: Passwords, role: Role = Role.clerk, name: str = "dana") -> User:
    await users.add(database, name, role)
    link = await links.make_link(database, await users.known(database, name))
    return await links.use_link(database, passwords, link, PASSWORD)


async def actions(database: Database) -> list[tuple[str, str | None]]:
    statement = text("SELECT data->>'action', data->>'user' FROM audit WHERE kind = 'access' ORDER BY id")
    async with database.connect() as sql:
        return [(row[0], row[1]) for row in await sql.execute(statement)]


# ------------------------------------------------------------------ roles


def test_each_role_has_what_the_one_before_it_has() -> None:
    roles = list(Role)
    for lower, higher in pairwise(roles):
        assert RIGHTS[lower] < RIGHTS[higher]
    assert [lowest(right) for right in (Right.look, Right.map, Right.connect, Right.administer)] == roles


# ------------------------------------------------------------------ passwords


@pytest.mark.parametrize(
    "password",
    [
        *("short", "eleven char", "aaaaaaaaaaaaaa", "abababababab", "passwordpassword", "Password123456"),
        *("qwertyuiop123", "0123456789012", "98765432109876", "dana.ortiz@example.com", "Dana Ortiz 2026!"),
        *("administrator1", "abcdefghijklmnop", "1qaz2wsx3edc4rfv", "x" * 300, "letmeinletmein"),
    ],
)
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(AccessRefused):
        check_password(password, "dana.ortiz@example.com")


@pytest.mark.parametrize(
    "password", [PASSWORD, "kestrel-over-quiet-bay", "Grüße aus dem Süden", "tr0ub4dor&3xylophone"]
)
def test_a_long_one_is_taken(password: str) -> None:
    check_password(password, "dana.ortiz@example.com")


async def test_a_password_is_stored_as_argon2id_and_matches_however_it_is_typed(passwords: Passwords) -> None:
    stored = await passwords.hash("Grüße aus dem Süden")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "Grüße aus dem Süden")  # the letters as some keyboards send them
    assert not await passwords.verify(stored, "Gruesse aus dem Sueden")
    assert not await passwords.verify(None, "Grüße aus dem Süden")
    assert not passwords.outdated(stored)


# ------------------------------------------------------------------ signing in


async def test_whoever_signs_in_is_known_by_the_session_until_it_ends(
    database: Database, vault: Vault, passwords: Passwords
) -> None:
    user = await dana(database, passwords)
    first = await sign_in.sign_in(database, vault, passwords, " Dana ", PASSWORD, "", BROWSER)
    person = await sessions.person_of_session(database, first)
    assert person == Person(user.id, "dana", Role.clerk)
    again = Browser(BROWSER.address, BROWSER.agent, session=first)
    second = await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, "", again)
    assert second != first
    assert await sessions.person_of_session(database, first) is None  # another one for each sign-in
    assert await sessions.person_of_session(database, second) == person
    await sessions.end_session(database, second, person)
    assert await sessions.person_of_session(database, second) is None
    assert [action for action, _ in await actions(database)][-3:] == ["signed_in", "signed_in", "signed_out"]
    async with database.connect() as sql:  # nothing that lets somebody in is stored as it is
        stored = (await sql.execute(text("SELECT encode(digest, 'escape') FROM user_sessions"))).scalars().all()
    assert first not in stored
    assert second not in stored


async def test_what_is_wrong_is_not_told_apart(database: Database, vault: Vault, passwords: Passwords) -> None:
    await dana(database, passwords)
    await users.add(database, "invited", Role.viewer)
    await dana(database, passwords, name="gone")
    await users.disable(database, await users.known(database, "gone"))
    for name, password in (("dana", "not this one here"), ("nobody", PASSWORD), ("invited", ""), ("gone", PASSWORD)):
        with pytest.raises(Wrong):
            await sign_in.sign_in(database, vault, passwords, name, password, "", BROWSER)
    refused = [user for action, user in await actions(database) if action == "sign_in_refused"]
    assert refused == ["dana", None, "invited", "gone"]  # a name that nobody has may be a password


async def test_an_account_is_locked_and_says_so_only_to_who_knows_the_password(
    database: Database, vault: Vault, passwords: Passwords
) -> None:
    await dana(database, passwords)

    async def wrong(name: str = "dana", password: str = "not this one here") -> None:
        with pytest.raises(Wrong):
            await sign_in.sign_in(database, vault, passwords, name, password, "", BROWSER)

    for _ in range(attempts.ACCOUNT.free):
        await wrong()
    async with database.connect() as sql:  # for as long as this test may take
        await sql.execute(text("UPDATE user_attempts SET locked_until = locked_until + interval '1 hour'"))
    await wrong()
    with pytest.raises(Locked) as told:
        await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, "", BROWSER)
    assert told.value.until.timestamp() > time.time()
    for _ in range(attempts.TOLD):
        await wrong()
    await wrong(password=PASSWORD)  # asked too often: the lock is no way to try passwords
    for _ in range(attempts.ACCOUNT.free + 1):
        await wrong("nobody")  # a name that nobody has is counted alike
    async with database.connect() as sql:
        await sql.execute(text("UPDATE user_attempts SET locked_until = statement_timestamp() - interval '1 second'"))
    assert await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, "", BROWSER)
    assert ("locked", "dana") in await actions(database)
    async with database.connect() as sql:
        left = (await sql.execute(text("SELECT bucket FROM user_attempts"))).scalars().all()
    assert attempts.account("dana") not in left
    assert not [bucket for bucket in left if "dana" in bucket or "nobody" in bucket]


async def test_many_tries_at_once_gain_nothing(database: Database) -> None:
    bucket = attempts.account("dana")

    async def attempt() -> attempts.Standing:
        async with database.connect() as sql:
            return await attempts.count(sql, bucket, attempts.ACCOUNT)

    standings = await asyncio.gather(*(attempt() for _ in range(15)))
    assert len([each for each in standings if not each.within]) == attempts.ACCOUNT.free


async def test_an_address_that_tries_too_often_is_stopped_before_any_work(
    database: Database, vault: Vault, passwords: Passwords
) -> None:
    await dana(database, passwords)
    async with database.connect() as sql:
        for _ in range(attempts.ADDRESS.free - 1):
            await attempts.count(sql, attempts.address(BROWSER.address), attempts.ADDRESS)
    assert await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, "", BROWSER)  # right: it does not count
    with pytest.raises(Wrong):
        await sign_in.sign_in(database, vault, passwords, "dana", "not this one here", "", BROWSER)
    with pytest.raises(TooMany):
        await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, "", BROWSER)
    assert await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, "", Browser("192.0.2.8"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("", "unix:", True),
    ],
)
def test_addresses_of_one_customer_count_as_one(one: str, other: str, same: bool) -> None:
    assert (attempts.address(one) == attempts.address(other)) is same


async def test_sessions_end_when_idle_when_over_and_when_the_user_is_disabled(
    database: Database, vault: Vault, passwords: Passwords
) -> None:
    user = await dana(database, passwords)
    for ending in (
        f"UPDATE user_sessions SET seen_at = seen_at - interval '{sessions.IDLE_S + 1} seconds'",
        "UPDATE user_sessions SET expires_at = statement_timestamp()",
        "UPDATE users SET disabled_at = statement_timestamp()",
    ):
        value = await sign_in.let_in(database, user, "password", BROWSER)
        assert await sessions.person_of_session(database, value)
        async with database.connect() as sql:
            await sql.execute(text(ending))
        assert await sessions.person_of_session(database, value) is None


async def test_a_new_password_ends_every_session_and_link(
    database: Database, vault: Vault, passwords: Passwords
) -> None:
    user = await dana(database, passwords)
    kept, other = [await sign_in.let_in(database, user, "password", BROWSER) for _ in range(2)]
    link = await links.make_link(database, user)
    async with database.transaction() as sql:
        hashed = await passwords.hash("another set of words")
        await users.set_password(sql, user, hashed, keep=sessions.digest(kept))
    assert await sessions.person_of_session(database, kept)
    assert await sessions.person_of_session(database, other) is None
    assert await links.find_link(database, link) is None


# ------------------------------------------------------------------ second factor


def code_of(address: str, steps: int = 0) -> str:
    secret = base64.b32decode(second_factor.secret_of(address))
    return TOTP(secret, 6, SHA1(), 30).generate(int(time.time()) + 30 * steps).decode()


async def test_a_code_of_the_second_factor_is_taken_once(
    database: Database, vault: Vault, passwords: Passwords
) -> None:
    user = await dana(database, passwords)
    address = await second_factor.enrol(database, vault, user)
    assert address == await second_factor.enrol(database, vault, user)
    assert address.startswith("otpauth://totp/ml-connector:dana?")
    with pytest.raises(AccessRefused, match="not the code"):
        await second_factor.confirm(database, vault, user, "000000" if code_of(address) != "000000" else "111111")
    first = code_of(address)
    codes = await second_factor.confirm(database, vault, user, first)
    user = await users.known(database, "dana")
    assert user.second_factor
    code = code_of(address, 1)
    for wrong in ("", "12345", "abcdef", "١٢٣٤٥٦"):
        with pytest.raises(Wrong):
            await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, wrong, Browser("192.0.2.20"))
        async with database.connect() as sql:
            await attempts.forget(sql, attempts.account("dana"))
    assert await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, f"{code[:3]} {code[3:]}", BROWSER)
    for used in (code, first):  # seen over a shoulder: it is worth nothing any more
        with pytest.raises(Wrong):
            await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, used, BROWSER)
    assert len(codes) == second_factor.RECOVERY_CODES
    assert await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, codes[3].upper(), BROWSER)
    with pytest.raises(Wrong):
        await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, codes[3], BROWSER)
    assert await second_factor.recovery_left(database, user.id) == second_factor.RECOVERY_CODES - 1
    await second_factor.switch_off(database, vault, user)
    assert await sign_in.sign_in(database, vault, passwords, "dana", PASSWORD, "", BROWSER)


async def test_of_many_uses_of_one_code_one_counts(database: Database, vault: Vault, passwords: Passwords) -> None:
    user = await dana(database, passwords)
    address = await second_factor.enrol(database, vault, user)
    await second_factor.confirm(database, vault, user, code_of(address))
    code = code_of(address, 1)
    taken = await asyncio.gather(*(second_factor.accept(database, vault, user, code) for _ in range(8)))
    assert sorted(taken) == [False] * 7 + [True]


# ------------------------------------------------------------------ users


async def test_the_last_administrator_stays(database: Database, passwords: Passwords) -> None:
    ada = await dana(database, passwords, Role.administrator, "ada")
    with pytest.raises(AccessRefused, match="only administrator"):
        await users.disable(database, ada)
    with pytest.raises(AccessRefused, match="only administrator"):
        await users.set_role(database, ada, Role.viewer)
    ben = await dana(database, passwords, Role.administrator, "ben")
    done = await asyncio.gather(
        users.disable(database, ada), users.disable(database, ben), return_exceptions=True
    )  # at once
    assert sorted(isinstance(each, AccessRefused) for each in done) == [False, True]


async def test_a_role_that_is_taken_away_is_gone_with_the_next_request(
    database: Database, vault: Vault, passwords: Passwords
) -> None:
    user = await dana(database, passwords, Role.operator)
    value = await sign_in.let_in(database, user, "password", BROWSER)
    await users.set_role(database, user, Role.viewer)
    person = await sessions.person_of_session(database, value)
    assert person is not None
    assert not person.may(Right.decide)
    assert ("role_changed", "dana") in await actions(database)


@pytest.mark.parametrize("name", ["", "  ", "two words", "x" * 121, "line\nbreak", "nul\x00"])
async def test_what_is_no_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(AccessRefused):
        await users.add(database, name, Role.viewer)


async def test_names_are_compared_without_case(database: Database) -> None:
    await users.add(database, "Dana@Example.com", Role.viewer)
    with pytest.raises(AccessRefused, match="already"):
        await users.add(database, "dana@example.COM", Role.viewer)


# ------------------------------------------------------------------ tokens


async def test_a_token_may_no_more_than_its_maker_and_ends(database: Database, passwords: Passwords) -> None:
    user = await dana(database, passwords, Role.operator)
    maker = Person(user.id, user.name, user.role)
    with pytest.raises(AccessRefused, match="may not do more"):
        await tokens.make_token(database, maker, "ci", Role.administrator)
    for days in (0, 367):
        with pytest.raises(AccessRefused, match="days"):
            await tokens.make_token(database, maker, "ci", Role.viewer, days)
    value = await tokens.make_token(database, maker, "ci", Role.operator)
    assert value.startswith("mlc_")
    with pytest.raises(AccessRefused, match="another name"):
        await tokens.make_token(database, maker, "CI", Role.viewer)
    person = await tokens.person_of_token(database, value)
    assert person is not None
    assert (person.name, person.role, person.who) == ("ci", Role.operator, "token:ci")
    await users.set_role(database, user, Role.clerk)
    person = await tokens.person_of_token(database, value)
    assert person is not None
    assert person.role is Role.clerk  # the maker may less now
    (listed,) = await tokens.tokens(database)
    assert listed.valid
    assert listed.used_at is not None
    assert value.startswith(listed.start)
    await tokens.revoke(database, "ci")
    assert await tokens.person_of_token(database, value) is None
    other = await tokens.make_token(database, Person(user.id, user.name, Role.clerk), "cd", Role.viewer, 1)
    async with database.connect() as sql:
        await sql.execute(text("UPDATE api_tokens SET expires_at = statement_timestamp() WHERE name = 'cd'"))
    assert await tokens.person_of_token(database, other) is None
    for forged in ("", "mlc_", value[4:], other[:-1]):
        assert await tokens.person_of_token(database, forged) is None


# ------------------------------------------------------------------ links


async def test_the_first_administrator_comes_by_a_link_once(database: Database, passwords: Passwords) -> None:
    one, two = [await links.first_link(database) for _ in range(2)]
    found = await links.find_link(database, one)
    assert found is not None
    assert found.first
    with pytest.raises(AccessRefused, match="12 characters"):
        await links.use_link(database, passwords, one, "short", "ada")
    done = await asyncio.gather(
        links.use_link(database, passwords, one, PASSWORD, "ada"),
        links.use_link(database, passwords, two, PASSWORD, "eve"),
        return_exceptions=True,
    )
    assert sorted(isinstance(each, AccessRefused) for each in done) == [False, True]
    assert [user.role for user in await users.all_users(database)] == [Role.administrator]
    assert await links.first_link(database) == ""
    for used in (one, two):
        assert await links.find_link(database, used) is None


async def test_a_link_is_used_once_and_ends(database: Database, passwords: Passwords) -> None:
    user = await users.add(database, "dana", Role.clerk)
    assert user.state == "invited"
    old, link = [await links.make_link(database, user) for _ in range(2)]
    assert await links.find_link(database, old) is None
    used = await asyncio.gather(
        *(links.use_link(database, passwords, link, PASSWORD) for _ in range(3)), return_exceptions=True
    )
    assert sorted(isinstance(each, AccessRefused) for each in used) == [False, True, True]
    link = await links.make_link(database, user)
    async with database.connect() as sql:
        await sql.execute(text("UPDATE user_links SET expires_at = statement_timestamp()"))
    assert await links.find_link(database, link) is None
    with pytest.raises(AccessRefused, match="over or was used"):
        await links.use_link(database, passwords, link, PASSWORD)
