"""Signing in and out over HTTP, as a browser and a program meet it."""

import base64
import re
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import text
from starlette.requests import Request

from ml_connector.domain.access import Right, Role
from ml_connector.engine.access import attempts, links, users
from ml_connector.web.access import Settings, still
from ml_connector.web.access.guard import LARGEST
from ml_connector.web.access.problems import safe_next
from ml_connector.web.access.settings import UnusableSetting
from ml_connector.web.access.sign_in import WRONG
from tests.web.line import Line
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, PASSWORD, Visitor, session, token, user

SECRET = re.compile(r"<code>([A-Z2-7 ]+)</code>")


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


def code_of(secret: str, steps: int = 0) -> str:
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(int(time.time()) + 30 * steps).decode()


# ------------------------------------------------------------------ in and out


async def test_the_first_person_comes_by_the_link_and_invites_the_second(served: Served) -> None:
    link = await links.first_link(served.database)
    ada, eve = Visitor(served), Visitor(served)
    assert "become the administrator" in (await ada.get(f"/welcome/{link}")).text
    refused = await ada.post(f"/welcome/{link}", name="ada", password=PASSWORD, again="something else")
    assert refused.status == 422
    assert "not the same" in refused.text
    welcome = await ada.post(f"/welcome/{link}", name="Ada", password=PASSWORD, again=PASSWORD)
    assert (welcome.status, welcome.headers["Location"]) == (303, "/")
    assert (await ada.get("/account")).status == 200
    late = await eve.post(f"/welcome/{link}", name="eve", password=PASSWORD, again=PASSWORD)
    assert late.status == 410
    assert [each.name for each in await users.all_users(served.database)] == ["ada"]
    assert (await eve.get("/welcome/forged")).status == 410


async def test_signing_in_leads_to_where_one_wanted_and_out_ends_it(served: Served) -> None:
    await user(served, Role.clerk, "dana", password=PASSWORD)
    dana = Visitor(served)
    turned_away = await dana.get("/account?done=shown")
    assert (turned_away.status, turned_away.headers["Location"]) == (303, "/sign-in?next=/account%3Fdone%3Dshown")
    shown = await dana.get(turned_away.headers["Location"])
    assert 'value="/account?done=shown"' in shown.text
    wrong = await dana.sign_in("dana", "not this one here", next="/account?done=shown")
    assert wrong.status == 403
    assert WRONG in wrong.text
    assert COOKIE not in dana.cookies
    let_in = await dana.sign_in("Dana", next="/account?done=shown")
    assert (let_in.status, let_in.headers["Location"]) == (303, "/account?done=shown")
    cookie = let_in.cookies[COOKIE]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie  # plain HTTP to this machine
    account = await dana.get("/account")
    assert "You are clerk" in account.text
    kept = dict(dana.cookies)
    assert (await dana.post("/sign-out")).headers["Location"] == "/sign-in"
    assert COOKIE not in dana.cookies
    dana.cookies = kept
    assert (await dana.get("/account")).status == 303  # what the browser kept is worth nothing


async def test_the_page_is_the_same_whatever_is_wrong(served: Served) -> None:
    await user(served, Role.clerk, "dana", password=PASSWORD)
    pages = [
        await Visitor(served).sign_in(name, password) for name, password in (("dana", "wrong"), ("nobody", "wrong"))
    ]
    assert pages[0].status == pages[1].status
    assert pages[0].text.replace("dana", "nobody") == pages[1].text


async def test_locked_says_until_when_to_who_knows_the_password_alone(served: Served) -> None:
    await user(served, Role.clerk, "dana", password=PASSWORD)
    for _ in range(attempts.ACCOUNT.free):
        await Visitor(served).sign_in("dana", "not this one here")
    assert (await Visitor(served).sign_in("dana", "not this one here")).status == 403
    locked = await Visitor(served).sign_in("dana")
    assert locked.status == 423
    assert re.search(r"locked until \d\d:\d\d UTC", locked.text)


@pytest.mark.parametrize(
    ("wanted", "followed"),
    [
        ("/records?flow=orders&q=a%20b", "/records?flow=orders&q=a%20b"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\tevil", "/"),
        ("/sign-out", "/"),
        ("", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_signing_in_leads_nowhere_else(wanted: str, followed: str) -> None:
    assert safe_next(wanted) == followed


# ------------------------------------------------------------------ requests of others


async def test_a_form_of_another_site_changes_nothing(served: Served) -> None:
    await user(served, Role.clerk, "dana", password=PASSWORD)
    dana = Visitor(served)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        refused = await dana.post("/sign-in", headers=headers, name="dana", password=PASSWORD)
        assert refused.status == 403
        assert COOKIE not in dana.cookies
    own = {"Origin": served.url}
    assert (await dana.post("/sign-in", headers=own, name="dana", password=PASSWORD)).status == 303
    account = await dana.get("/account")
    for form in ({}, {"csrf": ""}, {"csrf": "x" + account.csrf}):
        assert (await dana.ask("POST", "/account/shown", form={"theme": "dark", **form})).status == 403
    whole = {"theme": "dark", "csrf": account.csrf}  # as a page of ours would send it, and it does not come from one
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert (await dana.ask("POST", "/account/shown", headers=headers, form=whole)).status == 403
    assert (await dana.ask("POST", "/account/shown", form={"theme": "dark", "csrf": account.csrf})).status == 303
    (found,) = await users.all_users(served.database)
    assert found.theme == "dark"


async def test_the_token_of_one_session_is_not_that_of_another(served: Served) -> None:
    someone = await user(served, Role.clerk)
    one, two = [Visitor(served, {COOKIE: await session(served, someone)}) for _ in range(2)]
    other = (await two.get("/account")).csrf
    assert (await one.ask("POST", "/account/shown", form={"theme": "dark", "csrf": other})).status == 403


# ------------------------------------------------------------------ the account


async def test_changing_the_password_asks_for_the_present_one_and_ends_other_sessions(served: Served) -> None:
    someone = await user(served, Role.clerk, "dana", password=PASSWORD)
    here, there = [Visitor(served, {COOKIE: await session(served, someone)}) for _ in range(2)]
    fresh = "nine quiet harbours"
    wrong = await here.post("/account/password", current="not this", password=fresh, again=fresh)
    assert wrong.status == 422
    assert "not your present password" in wrong.text
    weak = await here.post("/account/password", current=PASSWORD, password="danadanadana", again="danadanadana")
    assert weak.status == 422
    assert (await there.get("/account")).status == 200
    changed = await here.post("/account/password", current=PASSWORD, password=fresh, again=fresh)
    assert changed.status == 303
    assert (await here.get(changed.headers["Location"])).status == 200
    assert (await there.get("/account")).status == 303
    assert (await Visitor(served).sign_in("dana", PASSWORD)).status == 403
    assert (await Visitor(served).sign_in("dana", fresh)).status == 303


async def test_the_second_factor_is_switched_on_asked_for_and_switched_off(served: Served) -> None:
    someone = await user(served, Role.clerk, "dana", password=PASSWORD)
    dana = Visitor(served, {COOKIE: await session(served, someone)})
    early = await dana.post("/account/second-factor/confirm", code="123456")
    assert early.status == 422
    assert not SECRET.search(early.text)  # without the password no secret is shown
    assert (await dana.post("/account/second-factor/begin", password="not this")).status == 422
    scan = await dana.post("/account/second-factor/begin", password=PASSWORD)
    assert "<svg" in scan.text
    assert "style=" not in scan.text  # the policy of our own pages would refuse it
    secret = SECRET.search(scan.text)
    assert secret
    bare = secret[1].replace(" ", "")
    assert (await dana.post("/account/second-factor/confirm", code="12345")).status == 422
    done = await dana.post("/account/second-factor/confirm", code=code_of(bare))
    codes = re.findall(r"<code>([a-z2-7-]{19})</code>", done.text)
    assert len(codes) == 10
    assert (await Visitor(served).sign_in("dana")).status == 403
    assert (await Visitor(served).sign_in("dana", code=code_of(bare, 1))).status == 303
    link = await links.make_link(served.database, await users.known(served.database, "dana"))
    again = Visitor(served)
    reset = await again.post(f"/welcome/{link}", password="nine quiet harbours", again="nine quiet harbours")
    assert reset.headers["Location"] == "/sign-in?changed=1"  # a link stands for the password alone
    assert COOKIE not in again.cookies
    assert (await again.sign_in("dana", "nine quiet harbours", code=codes[0])).status == 303
    off = "/account/second-factor/off"
    assert (await again.post(off, password="nine quiet harbours", code="000000")).status == 422
    assert (await again.post(off, password="nine quiet harbours", code=codes[1])).status == 303
    assert (await Visitor(served).sign_in("dana", "nine quiet harbours")).status == 303


async def test_a_token_is_shown_once_and_lets_a_program_in(served: Served) -> None:
    someone = await user(served, Role.operator, "olga")
    olga = Visitor(served, {COOKIE: await session(served, someone)})
    assert (await olga.post("/account/tokens", name="ci", role="administrator", days="9")).status == 422
    for days in ("0", "x", "99999", "²"):
        assert (await olga.post("/account/tokens", name="ci", role="clerk", days=days)).status == 422
    made = await olga.post("/account/tokens", name="ci", role="clerk", days="9")
    token = re.search(r'value="(mlc_[\w-]+)"', made.text)
    assert token
    assert token[1] not in (await olga.get("/account")).text
    program = Visitor(served)
    answer = await program.get("/account", Authorization=f"Bearer {token[1]}")
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/problem+json")  # known, but no person
    assert (await olga.post("/account/tokens/revoke", name="ci")).status == 303
    answer = await program.get("/account", Authorization=f"Bearer {token[1]}")
    assert answer.status == 401


async def test_a_name_is_shown_as_text_whatever_it_holds(served: Served) -> None:
    someone = await user(served, Role.clerk, '"><script>alert(1)</script>')
    page = await Visitor(served, {COOKIE: await session(served, someone)}).get("/account")
    assert "<script>alert" not in page.text
    page = await Visitor(served).sign_in('"><script>alert(1)</script>', "x")
    assert "<script>alert" not in page.text


async def test_the_audit_says_who_did_it(served: Served) -> None:
    await user(served, Role.operator, "olga", password=PASSWORD)
    olga = Visitor(served)
    await olga.sign_in("olga", "not this one here")
    await olga.sign_in("olga")
    await olga.post("/account/tokens", name="ci", role="viewer", days="9")
    await olga.post("/sign-out")
    async with served.database.connect() as sql:
        rows = await sql.execute(text("SELECT who, data->>'action' FROM audit WHERE kind = 'access' ORDER BY id"))
        told = [(row[0], row[1]) for row in rows]
    assert told[1:] == [
        ("nobody", "sign_in_refused"),
        ("user:olga", "signed_in"),
        ("user:olga", "token_made"),
        ("user:olga", "signed_out"),
    ]


# ------------------------------------------------------------------ what surrounds it


async def test_every_page_forbids_what_it_does_not_need(served: Served) -> None:
    for path in ("/sign-in", "/account", "/healthz", "/nothing-here"):
        headers = (await Visitor(served).get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers


async def test_a_body_has_a_limit(served: Served) -> None:
    visitor = Visitor(served)
    assert (await visitor.post("/sign-in", name="x" * 70_000)).status == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LARGEST // 65_536 + 2):
            yield b"x" * 65_536

    async with aiohttp.ClientSession() as client:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with client.post(f"{served.url}/sign-in", data=endless(), headers=headers) as answer:
            assert answer.status == 413


async def test_behind_tls_the_cookie_is_for_this_host_alone(database_url: str) -> None:
    settings = Settings.of({"ML_CONNECTOR_URL": "https://connector.example.com/"})
    async with serving(database_url, settings=settings) as served:
        await user(served, Role.clerk, "dana", password=PASSWORD)
        dana = Visitor(served)
        own = {"Origin": "https://connector.example.com"}
        let_in = await dana.post("/sign-in", csrf=False, headers=own, name="dana", password=PASSWORD)
        cookie = let_in.cookies["__Host-mlc"]
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert "max-age=" in let_in.headers["Strict-Transport-Security"]
        assert (await dana.get("/account")).status == 200
        dana.cookies = {COOKIE: dana.cookies["__Host-mlc"]}  # as a neighbour under the same domain could set it
        assert (await dana.get("/account")).status == 303


@pytest.mark.parametrize(
    ("proxies", "bucket", "tls"),
    [("", "address:127.0.0.1", False), ("127.0.0.1, 10.0.0.0/8", "address:192.0.2.44", True)],
)
async def test_the_word_of_a_proxy_counts_and_nobody_elses(
    database_url: str, proxies: str, bucket: str, tls: bool
) -> None:
    told = {"X-Forwarded-For": "198.51.100.9, 192.0.2.44, 127.0.0.1", "X-Forwarded-Proto": "https"}
    async with serving(database_url, settings=Settings.of({"ML_CONNECTOR_PROXIES": proxies})) as served:
        answer = await Visitor(served).post("/sign-in", headers=told, name="dana", password="wrong")
        assert ("Strict-Transport-Security" in answer.headers) is tls
        async with served.database.connect() as sql:
            found = (await sql.execute(text("SELECT bucket FROM user_attempts"))).scalars().all()
    assert [each for each in found if each.startswith("address:")] == [bucket]


async def test_metrics_may_ask_for_a_token(database_url: str) -> None:
    async with serving(database_url, settings=Settings.of({"ML_CONNECTOR_METRICS": "token"})) as served:
        visitor = Visitor(served)
        assert (await visitor.get("/metrics")).status == 401
        assert (await visitor.get("/metrics", Authorization="Bearer mlc_forged")).status == 401
        value = await token(served, await user(served, Role.viewer))
        assert "ml_connector_" in (await visitor.get("/metrics", Authorization=f"Bearer {value}")).text


async def test_without_the_database_nobody_is_let_in_and_everybody_is_told(database_url: str) -> None:
    async with Line(database_url) as line, serving(line.url) as served:
        dana = Visitor(served, {COOKIE: await session(served, await user(served, Role.clerk, "dana"))})
        assert (await dana.get("/account")).status == 200
        await line.cut()
        page = await dana.get("/account")
        assert (page.status, "database does not answer" in page.text) == (503, True)
        told = await dana.get("/account", Authorization="Bearer mlc_x")
        assert (told.status, told.headers["Content-Type"]) == (503, "application/problem+json")
        assert (await dana.sign_in("dana")).status == 503
        await line.mend()
        assert (await dana.get("/account")).status == 200


@pytest.mark.parametrize("name", ["a\x00b", "\x00", "x" * 5000, "\u202e\ud7ff", "' OR 1=1 --"])
async def test_any_name_is_only_wrong(served: Served, name: str) -> None:
    assert (await Visitor(served).sign_in(name, "\x00")).status == 403


async def test_a_long_answer_ends_with_who_asked(served: Served) -> None:
    """`still` as a stream asks it: it follows role and session, and keeps nobody signed in."""
    someone = await user(served, Role.clerk)
    value = await session(served, someone)
    scope: dict[str, object] = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "http", "app": served.app,
        "headers": [(b"cookie", f"{COOKIE}={value}".encode()), (b"host", b"here")], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    asks = Request(scope)
    assert await still(asks, Right.decide)
    await users.set_role(served.database, someone, Role.viewer)
    assert not await still(asks, Right.decide)
    assert await still(asks, Right.look)
    async with served.database.connect() as sql:
        await sql.execute(text("UPDATE user_sessions SET seen_at = statement_timestamp() - interval '2 hours'"))
        assert await still(asks, Right.look)
        idle = await sql.execute(text("SELECT seen_at < statement_timestamp() - interval '1 hour' FROM user_sessions"))
        assert idle.scalar()
    await users.disable(served.database, someone)
    assert not await still(asks, Right.look)


@pytest.mark.parametrize(
    "environment",
    [
        {"ML_CONNECTOR_URL": "connector.example.com"},
        {"ML_CONNECTOR_URL": "https://connector.example.com/path"},
        {"ML_CONNECTOR_PROXIES": "10.0.0.1/8"},
        {"ML_CONNECTOR_PROXIES": "proxy.example"},
        {"ML_CONNECTOR_METRICS": "yes"},
    ],
)
def test_settings_that_cannot_be_used_are_named(environment: dict[str, str]) -> None:
    with pytest.raises(UnusableSetting, match=next(iter(environment))):
        Settings.of(environment)
