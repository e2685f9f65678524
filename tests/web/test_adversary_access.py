"""Somebody tries the doors: forged hops, silent lines, races, guesses, what no field can hold."""

import asyncio
import contextlib
import csv
import io
from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from argon2 import PasswordHasher
from sqlalchemy import text
from yarl import URL

from ml_connector.desk.forms import leads_elsewhere
from ml_connector.domain.access import Role
from ml_connector.engine.access import attempts, links, second_factor, sign_in, users
from ml_connector.engine.access.sign_in import Browser
from ml_connector.engine.access.values import AccessRefused, Wrong
from ml_connector.engine.alert_channels import check_address
from ml_connector.engine.alert_rules import RuleError
from ml_connector.engine.audit import append, entry
from ml_connector.web.access import Settings
from ml_connector.web.server import Listen, server_of
from tests.engine.test_access import code_of
from tests.web.orders import orders
from tests.web.serving import Served, body_of, headers_of, serving
from tests.web.test_every_route import all_ways
from tests.web.visitors import COOKIE, PASSWORD, Visitor, csrf_of, session, token, user


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def person(served: Served, role: Role, name: str = "", *, password: str = "") -> tuple[users.User, Visitor]:
    """Somebody who is signed in."""
    someone = await user(served, role, name, password=password)
    return someone, Visitor(served, {COOKIE: await session(served, someone)})


# ---------------------------------------------------------------------- from where


HOPS = (
    (["203.0.113.66", "192.0.2.44"], "address:192.0.2.44"),  # a proxy that writes a line of its own
    (["203.0.113.66, 192.0.2.45:5678"], "address:192.0.2.45"),
    (["203.0.113.66", "[2001:db8::7]:443"], "address:2001:db8::/64"),
)


async def test_a_hop_that_the_sender_made_up_does_not_count(database_url: str) -> None:
    async with serving(database_url, settings=Settings.of({"ML_CONNECTOR_PROXIES": "127.0.0.1"})) as served:
        form = {"name": "dana", "password": "wrong"}
        for lines, _ in HOPS:
            headers = [("X-Forwarded-For", line) for line in lines]
            async with served.client.post(f"{served.url}/sign-in", data=form, headers=headers) as answer:
                assert answer.status == 403
        found = await served.rows("SELECT bucket FROM user_attempts WHERE bucket LIKE 'address:%'")
    assert {row.bucket for row in found} == {bucket for _, bucket in HOPS}


async def test_a_line_that_says_nothing_gives_its_place_back(served: Served) -> None:
    """Silent, half a request, half a second request: none keeps a place that a webhook could have; who waits for an
    answer keeps theirs."""
    others_are_gone = asyncio.Event()

    async def slow() -> dict[str, str]:
        await others_are_gone.wait()
        return {}

    served.app.add_api_route("/slow", slow)
    server = server_of(served.app, Listen(port=0), quiet_s=0.3)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done()
        await asyncio.sleep(0.01)
    port = int(server.servers[0].sockets[0].getsockname()[1])
    whole = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    async with asyncio.timeout(120):
        waits, asks = await asyncio.open_connection("127.0.0.1", port)
        asks.write(whole.replace(b"/healthz", b"/slow"))
        for sent in (b"", b"POST /hooks/web-store HTTP/1.1\r\nHost: a\r\nX-Slow: ", whole + b"GET /hea"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert (await reader.read()).startswith(b"HTTP/1.1 200" if sent.startswith(whole) else b"")
            writer.close()
        others_are_gone.set()
        assert (await waits.readline()).startswith(b"HTTP/1.1 200")
        asks.close()
    server.should_exit = True
    await task


# ---------------------------------------------------------------------- who


async def test_codes_of_the_second_factor_are_not_guessed_where_it_is_switched_off(served: Served) -> None:
    someone, dana = await person(served, Role.clerk, "dana", password=PASSWORD)
    address = await second_factor.enrol(served.database, served.vault, someone)
    await second_factor.confirm(served.database, served.vault, someone, code_of(address))
    right = code_of(address, 1)
    for _ in range(attempts.ACCOUNT.free):
        answer = await dana.post("/account/second-factor/off", password=PASSWORD, code="x" + right)
        assert answer.status == 422
    answer = await dana.post("/account/second-factor/off", password=PASSWORD, code=right)
    assert (answer.status, "Too many tries" in answer.text) == (422, True)
    assert (await users.known(served.database, "dana")).second_factor


async def test_a_browser_that_was_left_open_learns_no_secret_that_was_begun_before(served: Served) -> None:
    someone, dana = await person(served, Role.clerk, "dana", password=PASSWORD)
    secret = second_factor.secret_of(await second_factor.enrol(served.database, served.vault, someone))
    answer = await dana.post("/account/second-factor/confirm", code="000000")
    assert answer.status == 422
    assert secret[:4] not in answer.text
    assert "<code>" not in answer.text


async def test_somebody_who_was_only_invited_is_no_administrator_to_be_left_alone_with(served: Served) -> None:
    alone = await user(served, Role.administrator, "alone", password=PASSWORD)
    invited = await users.add(served.database, "invited", Role.administrator)
    with pytest.raises(AccessRefused, match="only administrator who can sign in"):
        await users.disable(served.database, alone)
    with pytest.raises(AccessRefused, match="only administrator who can sign in"):
        await users.set_role(served.database, alone, Role.viewer)
    await users.disable(served.database, invited)


async def test_of_two_administrators_who_send_each_other_away_one_stays(served: Served) -> None:
    one, other = [await user(served, Role.administrator, name, password=PASSWORD) for name in ("one", "other")]
    done = await asyncio.gather(
        users.disable(served.database, one),
        users.set_role(served.database, other, Role.viewer),
        return_exceptions=True,
    )
    assert [type(each) for each in done if each is not None] == [AccessRefused], done


async def test_of_two_who_use_one_link_at_once_one_comes_in(served: Served) -> None:
    dana = await user(served, Role.clerk, "dana")
    link = await links.make_link(served.database, dana)
    visitors = [Visitor(served) for _ in range(3)]
    answers = await asyncio.gather(
        *(
            each.post(f"/welcome/{link}", password=f"{PASSWORD} {n}", again=f"{PASSWORD} {n}")
            for n, each in enumerate(visitors)
        )
    )
    assert sorted(each.status for each in answers) == [303, 410, 410]
    assert [COOKIE in each.cookies for each in visitors] == [each.status == 303 for each in answers]


async def test_who_signs_in_while_the_password_changes_stays_outside(served: Served) -> None:
    """What was proved must hold still when the session is made, or the old password would outlive its end."""
    proved = await user(served, Role.clerk, "dana", password=PASSWORD)
    async with served.database.transaction() as sql:
        await users.set_password(sql, proved, "another")
    with pytest.raises(Wrong):
        await sign_in.let_in(served.database, proved, "password", Browser("192.0.2.9"))
    now = await users.known(served.database, "dana")
    assert await sign_in.let_in(served.database, now, "password", Browser("192.0.2.9"))
    await users.disable(served.database, now)
    with pytest.raises(Wrong):
        await sign_in.let_in(served.database, now, "password", Browser("192.0.2.9"))


async def test_a_password_in_an_older_form_is_stored_anew_once(served: Served) -> None:
    older = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    someone = await user(served, Role.clerk, "dana")
    async with served.database.connect() as sql:
        await sql.execute(users.SET_PASSWORD, {"id": someone.id, "password": older})
    for _ in range(2):
        assert (await Visitor(served).sign_in("dana")).status == 303
    async with served.database.connect() as sql:
        stale = {"id": someone.id, "password": "theirs", "before": older}
        assert (await sql.execute(users.HASHED_ANEW, stale)).rowcount == 0, "another one was set in the meantime"


# ---------------------------------------------------------------------- what no field can hold


NOTHING = ("%00", "9" * 5_000, "9999-12-31")
LOOKED_AT = (
    "/records?q={}", "/records?flow={}", "/records?about={}", "/records?currency={}", "/records?after={}",
    "/records/1/orders/{}", "/records/1/{}/100", "/audit?record={}", "/audit?since={}", "/audit?until={}",
    "/audit/export.csv?until={}", "/audit/1/-{}", "/holds?group={}", "/holds/options?group=1:unmapped:{}",
    "/holds/options?group={}:unmapped:a", "/reconciliation?month={}&currency={}", "/api/v1/records?after={}",
    "/sign-in/single/back?state={}",
)  # fmt: skip
DONE = (
    ("/holds/release", "group=1:unmapped:{}"), ("/holds/release", "group={}:unmapped:a"),
    ("/holds/save", "group={}:unmapped:payment_method%7CLater%26Co&value=1"),
    ("/holds/save", "group=1:unmapped:payment_method%7CLater%26Co&value={}"),
    ("/records/act", "do=exclude&sure=1&why=three+words+here&chosen={}:orders:100"),
    ("/records/act", "do=replay&sure=1&chosen=1:orders:{}"),
    ("/records/1/orders/{}", "do=replay"), ("/records/{}/orders/100", "do=replay"),
    ("/settings/users/add", "role=viewer&name={}"), ("/settings/alerts/mute", "minutes=60&rule={}&of=0"),
)  # fmt: skip


async def test_what_nothing_is_called_is_answered_and_no_defect(served: Served) -> None:
    await orders(served, "held", "100")
    _, admin = await person(served, Role.administrator)
    value = admin.cookies[COOKIE]
    headers = {
        "Cookie": f"{COOKIE}={value}", "X-CSRF-Token": csrf_of(value),
        "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    asked = [("GET", each.format(odd, odd), None) for each in LOOKED_AT for odd in NOTHING]
    asked += [("POST", path.format(odd), form.format(odd)) for path, form in DONE for odd in NOTHING]
    wrong: list[str] = []
    line = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=line, cookie_jar=aiohttp.DummyCookieJar()) as client:
        for method, address, form in asked:
            url = URL(served.url + address, encoded=True)
            async with client.request(method, url, data=form, headers=headers, allow_redirects=False) as answer:
                await answer.read()
                if answer.status >= 500:
                    wrong.append(f"{method} {address[:80]} {(form or '')[:80]}: {answer.status}")
    assert wrong == []


async def test_the_page_that_a_browser_says_it_was_on_is_not_believed(served: Served) -> None:
    for said in ("http://[", "https://evil.example//evil.example/a", "javascript:alert(1)", "//evil.example"):
        answer = await Visitor(served).get("/records", **{"HX-Request": "true", "HX-Current-URL": said})
        assert answer.status == 401
        assert answer.headers["HX-Redirect"].split("?")[0] == "/sign-in"
        assert "evil.example" not in answer.headers["HX-Redirect"].replace("next=/a", "")


# ---------------------------------------------------------------------- what is shown


async def test_a_mail_address_by_which_a_customer_was_looked_for_is_shown_to_who_may_see_it(served: Served) -> None:
    data = {
        "method": "GET", "status": 200, "response_body": "{}",
        "url": "https://b1.example/b1s/v2/BusinessPartners?$filter=EmailAddress%20eq%20'ann%40shop.example'",
    }  # fmt: skip
    await orders(served, "held", "100")
    async with served.database.transaction() as sql:
        await append(sql, [entry("call", integration=1, flow="orders", key="100", data=data)])
    (row,) = await served.rows("SELECT id FROM audit WHERE kind = 'call'")
    someone, viewer = await person(served, Role.viewer)
    bearer = {"Authorization": f"Bearer {await token(served, someone)}"}
    (eu,) = await served.rows("SELECT name FROM integrations WHERE integration = 1")
    for page in ("/audit?kind=call", f"/audit/1/{row.id}", "/audit/export.csv", "/records/1/orders/100"):
        answer = await viewer.get(page)
        assert (answer.status, "ann%40shop" in answer.text) == (200, False), page
    for call in ("/api/v1/audit?kind=call", f"/api/v1/records/{eu.name}/orders/100"):
        answer = await viewer.ask("GET", call, headers=bearer)
        assert (answer.status, "ann%40shop" in answer.text) == (200, False), call
    _, operator = await person(served, Role.operator)
    assert "ann%40shop" in (await operator.get("/audit/export.jsonl?kind=call")).text


WROTE = """=1+1"><img src=x onerror=alert(1)>'{{7*7}}"""
ASKED = "q about reason flow done said deleted muted month currency who kind record reference correlation integration"


async def test_what_somebody_wrote_is_text_on_every_page(served: Served) -> None:
    """A customer, an ERP, or who made up an address: nothing of theirs is markup anywhere, or a formula."""
    about = f"payment_method|{WROTE}"
    await orders(served, "held", WROTE, about=about)
    await orders(served, "held", "101", about=about)
    async with served.database.transaction() as sql:
        for table, columns in (("labels", ("title", "party", "ship_to")), ("records", ("last_error",))):
            for column in columns:
                await sql.execute(text(f"UPDATE {table} SET {column} = :wrote"), {"wrote": WROTE})
        facts = {
            "error": WROTE,
            "message": WROTE,
            "number": WROTE,
            "url": WROTE,
            "response_body": WROTE,
            "method": "GET",
        }
        for kind in ("call", "held", "stored", "rejected", "excluded", "dead", "config"):
            for key in (WROTE, "101"):
                await append(sql, [entry(kind, integration=1, flow="orders", key=key, refs=[WROTE], data=facts)])
    _, admin = await person(served, Role.administrator, "ada")
    held = f"/records/1/orders/{quote(WROTE, safe='')}"
    row = (await served.rows("SELECT max(id) AS id FROM audit WHERE kind = 'call'"))[0].id
    pages = {way.path for way in all_ways(served.app) if way.method == "GET" and "{" not in way.path}
    found = [f"{each}?{urlencode(dict.fromkeys(ASKED.split(), WROTE))}" for each in sorted(pages) if "live" not in each]
    found += [
        "/records",
        "/records?q=101",
        f"/records?q={quote(WROTE)}",
        "/holds",
        f"/holds?group={quote('1:unmapped:' + about)}",
    ]
    found += [
        held,
        f"{held}?reveal=1",
        f"/audit/1/{row}?reveal=1",
        "/audit",
        f"/connections/of/{quote(WROTE, safe='')}",
    ]
    shown = 0
    for address in found:
        answer = await admin.get(address)
        assert answer.status < 500, address
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert "<img" not in answer.text, address
            assert "onerror=alert(1)>" not in answer.text.replace("&gt;", ""), address
            assert "=1+1&#34;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;49" not in answer.text, address
            shown += "&lt;img src=x" in answer.text
    assert shown > 8, "what was written is on none of the pages: this test looks at nothing"
    rows = list(csv.reader(io.StringIO((await admin.get("/audit/export.csv?kind=stored")).text)))
    assert "'" + WROTE in rows[1]
    assert not [cell for line in rows for cell in line if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


async def test_what_was_typed_as_a_secret_is_in_no_log_and_no_row(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    _, dana = await person(served, Role.clerk, "dana", password=PASSWORD)
    await dana.sign_in("hunter2-typed-as-a-name", "hunter2-typed-as-a-password", "hunter2-typed-as-a-code")
    await Visitor(served).ask("GET", "/api/v1/me", headers={"Authorization": "Bearer mlc_hunter2-as-a-token"})
    await Visitor(served).get("/welcome/hunter2-as-a-link")
    await Visitor(served).post("/welcome/hunter2-as-a-link", password="hunter2-two", again="hunter2-two")
    body = body_of(1)
    await served.deliver(body, {**headers_of(body, "m1"), "webhook-signature": "v1,hunter2"})
    await served.shared.audit.flush()
    rows = await served.rows("SELECT count(*) FROM audit a WHERE a::text LIKE '%hunter2%'")
    assert rows[0][0] == 0
    async with served.client.get(f"{served.url}/metrics") as answer:
        assert "hunter2" not in await answer.text()
    assert "hunter2" not in "".join(capfd.readouterr())


async def test_nobody_takes_the_streams_of_everybody_else(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_connector.web.console.live.STREAMS_EACH", 2)
    _, greedy = await person(served, Role.viewer, "greedy")
    _, other = await person(served, Role.viewer, "other")
    async with contextlib.AsyncExitStack() as open_ones:
        for who, status in ((greedy, 200), (greedy, 200), (greedy, 503), (other, 200)):
            client = await open_ones.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
            asked = client.get(f"{served.url}/live/overview", headers={"Cookie": f"{COOKIE}={who.cookies[COOKIE]}"})
            answer = await open_ones.enter_async_context(asked)
            assert answer.status == status
            if status == 200:
                assert await answer.content.readany()


@pytest.mark.parametrize("sent", ["https://evil.example/t", "HTTPS://evil.example/t", " hTtPs://evil.example/t"])
def test_a_token_service_elsewhere_gets_no_secret_that_was_typed_for_another(sent: str) -> None:
    before = {"base_url": "https://erp.example", "settings": {"company": "A"}}
    assert not leads_elsewhere(before, {**before, "settings": {"company": "B"}})
    assert leads_elsewhere(before, {**before, "settings": {"company": "A", "token_url": sent}})


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tgram://123456789:abcdefg_hijklmnop/12345/?template=/proc/self/environ", "template"),
        ("tgram://123456789:abcdefg_hijklmnop/12345/?%54emplate=http://169.254.169.254/latest", "template"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/passwd", "template"),
        ("fcm://project/device/?mode=oauth2&keyfile=/etc/passwd", "keyfile"),
        ("mailtos://user:pass@example.com?pgp=encrypt&PGPprv=/etc/passwd", "pgpprv"),
        ("vapid://user@example.com/target@example.com", "reaches into this machine"),
    ],
)
async def test_a_channel_sends_no_file_of_this_machine(address: str, why: str) -> None:
    """Who may set alerts may not read the master key by them."""
    with pytest.raises(RuleError, match=why):
        await check_address(address)


async def test_a_channel_without_files_is_one() -> None:
    await check_address("tgram://123456789:abcdefg_hijklmnop/12345/?silent=yes")
