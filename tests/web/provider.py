"""A provider of single sign-on on this machine: strict, and able to lie in each way that a client must notice."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT = "console"
SECRET = "a secret: 100 % of the client"


@dataclass
class Provider:
    """`claims`: of who signs in next. `lie`: changes an ID token's claims before it is signed. `forge`: signs it."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict[str, Any])
    lie: Callable[[dict[str, Any]], None] = lambda claims: None
    forge: Callable[[dict[str, Any]], str] | None = None
    discovery: dict[str, Any] = field(default_factory=dict[str, Any])
    calls: list[str] = field(default_factory=list[str])
    _codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))

    def turn_key(self) -> None:
        """As providers do from time to time."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})

    # -------------------------------------------------------------- what the browser meets

    def let_in(self, address: str) -> str:
        """The person agrees: where the browser is sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{self.url}/authorize?")
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"], "iss": self.url})

    # -------------------------------------------------------------- what the console calls

    async def configuration(self, request: web.Request) -> web.Response:
        self.calls.append("configuration")
        offered = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
        return web.json_response({**offered, **self.discovery})

    async def keys(self, request: web.Request) -> web.Response:
        self.calls.append("keys")
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def token(self, request: web.Request) -> web.Response:
        self.calls.append("token")
        form = await request.post()
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        given = [unquote_plus(each) for each in base64.b64decode(pair).decode().split(":")]
        if scheme != "Basic" or given != [CLIENT, SECRET]:
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._codes.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", "")).encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).decode().rstrip("=")
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "sub": "u-1", "nonce": asked["nonce"], "iat": now, "exp": now + 300,
            **self.claims,
        }  # fmt: skip
        self.lie(claims)
        signed = (
            self.forge(claims) if self.forge else jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        )
        return web.json_response({"access_token": "unused", "token_type": "Bearer", "id_token": signed})


def unsigned(claims: dict[str, Any]) -> str:
    """`alg: none`"""
    parts = ({"alg": "none"}, claims)
    bare = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return f"{bare[0]}.{bare[1]}."


def by_another(claims: dict[str, Any]) -> str:
    """Signed by a key that is not the provider's, under the name of one that is."""
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048, {"kid": "one"}))


def by_the_secret(claims: dict[str, Any]) -> str:
    """Signed by what the client knows too."""
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(SECRET))


@asynccontextmanager
async def providing() -> AsyncGenerator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.configuration)
    app.router.add_get("/keys", provider.keys)
    app.router.add_post("/token", provider.token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    provider.url = f"http://{host}:{port}"
    try:
        yield provider
    finally:
        await runner.cleanup()
