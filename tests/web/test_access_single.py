"""Single sign-on against a provider that is strict, and against one that lies."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from ml_connector.connectors.safety import AddressPolicy
from ml_connector.domain.access import Role
from ml_connector.engine.access import attempts, users
from ml_connector.web.access import Settings
from ml_connector.web.access.provider import Flow, NotProven
from ml_connector.web.access.provider import Provider as Client
from ml_connector.web.access.single_settings import SingleSignOn, UnusableSingleSignOn, single_sign_on
from tests.web.provider import CLIENT, SECRET, Provider, by_another, by_the_secret, providing, unsigned
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Answer, Visitor, user

ROLES = {"it": Role.administrator, "finance": Role.clerk}
GROUPS = {"preferred_username": "Dana", "roles": ["finance", "everybody"]}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with providing() as running:
        running.claims = dict(GROUPS)
        yield running


def settings_for(provider: Provider) -> Settings:
    """`sandbox` permits plain HTTP on this machine."""
    single = SingleSignOn(provider.url, CLIENT, SECRET, ROLES, name="Example ID", policy=AddressPolicy(sandbox=True))
    return Settings(single=single)


@pytest.fixture
async def served(database_url: str, provider: Provider) -> AsyncIterator[Served]:
    async with serving(database_url, settings=settings_for(provider)) as running:
        yield running


async def begin(visitor: Visitor, to: str = "/account") -> str:
    answer = await visitor.get(f"/sign-in/single?next={to}")
    assert answer.status == 303, answer.text
    return answer.headers["Location"]


async def back(visitor: Visitor, address: str) -> Answer:
    parts = urlsplit(address)
    return await visitor.get(f"{parts.path}?{parts.query}")


async def sign_in(served: Served, provider: Provider) -> tuple[Visitor, Answer]:
    visitor = Visitor(served)
    return visitor, await back(visitor, provider.let_in(await begin(visitor)))


async def test_who_the_provider_lets_in_has_the_role_that_it_says(served: Served, provider: Provider) -> None:
    assert "Sign in with Example ID" in (await Visitor(served).get("/sign-in")).text
    dana, answer = await sign_in(served, provider)
    assert (answer.status, answer.headers["Location"]) == (303, "/account")
    assert list(dana.cookies) == [COOKIE]  # the attempt's own cookie is gone
    assert "You are clerk" in (await dana.get("/account")).text
    provider.claims["roles"] = "it"
    provider.claims["preferred_username"] = "dana.ortiz"  # a name may change, the subject stays
    again, _ = await sign_in(served, provider)
    assert "You are administrator" in (await again.get("/account")).text
    (found,) = await users.all_users(served.database)
    assert (found.name, found.role, found.single, found.password) == ("dana", Role.administrator, True, None)
    assert (await again.post("/account/password", current="", password="x" * 14, again="x" * 14)).status == 422
    assert provider.calls.count("configuration") == 1  # kept for a while
    await user(served, Role.administrator, "ada", password="seven green lanterns")
    await users.disable(served.database, found)
    _, refused = await sign_in(served, provider)
    assert refused.status == 403
    assert "disabled" in refused.text


async def test_a_name_that_a_user_has_is_not_taken_over(served: Served, provider: Provider) -> None:
    await user(served, Role.administrator, "dana")
    visitor, answer = await sign_in(served, provider)
    assert answer.status == 403
    assert "already" in answer.text
    assert COOKIE not in visitor.cookies


async def test_who_has_no_role_is_not_let_in(served: Served, provider: Provider) -> None:
    for roles in (["everybody"], [], None, {"it": True}, 7, ["IT"]):
        provider.claims["roles"] = roles
        visitor, answer = await sign_in(served, provider)
        assert answer.status == 403
        assert COOKIE not in visitor.cookies
    assert await users.all_users(served.database) == []


def with_(**claims: Any) -> Callable[[dict[str, Any]], None]:
    """A lie; None takes the claim away."""

    def lie(told: dict[str, Any]) -> None:
        for name, value in claims.items():
            told.pop(name, None)
            if value is not None:
                told[name] = value

    return lie


@pytest.mark.parametrize(
    "lie",
    [
        with_(iss="https://other.example"),
        with_(aud="another client"),
        with_(aud=["another", CLIENT]),
        with_(aud=["another", CLIENT], azp="another"),
        with_(azp="another"),
        with_(nonce="of another attempt"),
        with_(nonce=None),
        with_(exp=int(time.time()) - 600),
        with_(exp=None),
        with_(iat=None),
        with_(iat=int(time.time()) + 3600),
        with_(sub=None),
        with_(sub=""),
        with_(sub=7),
        with_(sub="a\x00b"),
        with_(nbf=int(time.time()) + 3600),
    ],
)
async def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(
    provider: Provider, lie: Callable[[dict[str, Any]], None]
) -> None:
    provider.lie = lie
    await refuses(provider)


@pytest.mark.parametrize("forge", [unsigned, by_another, by_the_secret, lambda claims: "no token at all"])
async def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(
    provider: Provider, forge: Callable[[dict[str, Any]], str]
) -> None:
    provider.forge = forge
    await refuses(provider)


async def refuses(provider: Provider) -> None:
    """The client alone, without pages: the right token is taken, the provider's present one is not."""
    single = settings_for(provider).single
    assert single is not None
    client, flow = Client(single), Flow("s" * 43, "n" * 43, "v" * 43, "/")
    lie, provider.lie = provider.lie, lambda claims: None
    forge, provider.forge = provider.forge, None

    async def claims() -> Any:
        address = provider.let_in(await client.address(flow, "http://here/back"))
        code = urlsplit(address).query.partition("code=")[2].partition("&")[0]
        return await client.claims(code, flow, "http://here/back")

    assert (await claims())["sub"] == "u-1"
    provider.lie, provider.forge = lie, forge
    with pytest.raises(NotProven):
        await claims()


async def test_only_the_browser_that_began_may_come_back_and_once(served: Served, provider: Provider) -> None:
    dana, eve = Visitor(served), Visitor(served)
    address = provider.let_in(await begin(dana))
    assert (await back(eve, address)).status == 403  # somebody else's attempt, in a link
    await begin(eve)
    assert (await back(eve, address)).status == 403  # another attempt's state
    mixed_up = address.replace("iss=", "iss=https%3A%2F%2Fother.example&was=")
    kept = dict(dana.cookies)
    assert (await back(dana, mixed_up)).status == 403  # from another provider (RFC 9207)
    dana.cookies = dict(kept)
    assert (await back(dana, address)).status == 303
    dana.cookies = dict(kept)
    assert (await back(dana, address)).status == 403  # the code is used up
    dana.cookies = dict(kept)
    assert (await dana.get("/sign-in/single/back?error=access_denied")).status == 403


async def test_a_key_that_the_provider_turned_is_looked_up_again(served: Served, provider: Provider) -> None:
    served.app.state.single.again_s = 0.0
    assert (await sign_in(served, provider))[1].status == 303
    provider.turn_key()
    assert (await sign_in(served, provider))[1].status == 303
    assert provider.calls.count("keys") == 2


@pytest.mark.parametrize(
    "offered",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
    ],
)
async def test_a_provider_that_leads_elsewhere_is_not_followed(
    served: Served, provider: Provider, offered: dict[str, Any]
) -> None:
    provider.discovery = offered
    answer = await Visitor(served).get("/sign-in/single")
    assert answer.status == 403
    assert "169.254" not in answer.text  # what is inside is for the log
    asked = len(provider.calls)
    await Visitor(served).get("/sign-in/single")
    assert len(provider.calls) == asked  # anybody can press the button: the provider is not asked each time


async def test_coming_back_has_the_limits_of_signing_in(served: Served, provider: Provider) -> None:
    visitor = Visitor(served)
    for _ in range(attempts.ADDRESS.free):
        assert (await visitor.get("/sign-in/single/back?state=x&code=y")).status == 403
    assert (await visitor.get("/sign-in/single/back?state=x&code=y")).status == 429
    assert (await visitor.sign_in("dana")).status == 429
    async with served.database.connect() as sql:
        rows = await sql.execute(text("SELECT who, count(*) FROM audit WHERE data->>'via' = 'single' GROUP BY who"))
        told = [(row[0], row[1]) for row in rows]
    assert told == [("nobody", attempts.ADDRESS.free)]


async def test_an_issuer_in_a_private_network_is_called_only_where_that_is_said(provider: Provider) -> None:
    single = settings_for(provider).single
    assert single is not None
    client = Client(replace(single, policy=AddressPolicy(allow_private=True)))  # still not without TLS
    with pytest.raises(NotProven, match="plain HTTP"):
        await client.address(Flow("s", "n", "v", "/"), "http://here/back")
    assert provider.calls == []


GIVEN = {
    "ML_CONNECTOR_OIDC_ISSUER": "https://id.example.com/realms/shop",
    "ML_CONNECTOR_OIDC_CLIENT_ID": CLIENT,
    "ML_CONNECTOR_OIDC_CLIENT_SECRET": SECRET,
    "ML_CONNECTOR_OIDC_ROLES": "it=administrator, a=b=clerk",
}


def test_settings_from_the_environment() -> None:
    assert single_sign_on({}) is None
    single = single_sign_on(GIVEN)
    assert single is not None
    assert single.roles == {"it": Role.administrator, "a=b": Role.clerk}
    assert SECRET not in repr(single)


@pytest.mark.parametrize(
    "change",
    [
        {"ML_CONNECTOR_OIDC_CLIENT_ID": ""},
        {"ML_CONNECTOR_OIDC_CLIENT_SECRET": ""},
        {"ML_CONNECTOR_OIDC_CLIENT_SECRET_FILE": "/nothing/there"},
        {"ML_CONNECTOR_OIDC_ROLES": ""},
        {"ML_CONNECTOR_OIDC_ROLES": "it=king"},
        {"ML_CONNECTOR_OIDC_ISSUER": "http://id.example.com"},
        {"ML_CONNECTOR_OIDC_ISSUER": "https://10.0.0.7"},
        {"ML_CONNECTOR_OIDC_ISSUER": "https://169.254.169.254", "ML_CONNECTOR_OIDC_ALLOW_PRIVATE": "1"},
    ],
)
def test_settings_that_do_not_go_together_are_named(change: dict[str, str]) -> None:
    with pytest.raises(UnusableSingleSignOn, match=next(iter(change))):
        single_sign_on({**GIVEN, **change})
