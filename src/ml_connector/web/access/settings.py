"""How this process is reached, from the environment: public address, proxies whose word counts, single sign-on."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from ml_connector.web.access.single_settings import SingleSignOn, single_sign_on

PUBLIC_URL = "ML_CONNECTOR_URL"
"""Where people reach the console, e.g. `https://connector.example.com`. Links begin so; https makes cookies secure."""

PROXIES = "ML_CONNECTOR_PROXIES"
"""Addresses or networks of reverse proxies, with commas between: their `X-Forwarded-For` and `-Proto` are believed."""

METRICS = "ML_CONNECTOR_METRICS"
"""`token`: `/metrics` asks for a token of the API as a bearer token. Default: it asks for nobody."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class UnusableSetting(ValueError):
    """An environment variable cannot be used; the sentence says which and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`public_url`: without a slash at its end; empty: as the request says."""

    public_url: str = ""
    proxies: tuple[Network, ...] = ()
    single: SingleSignOn | None = None
    private_metrics: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """From the environment. Raises `UnusableSetting`."""
        return cls(
            _public_url(environment.get(PUBLIC_URL, "")),
            _proxies(environment.get(PROXIES, "")),
            single_sign_on(environment),
            _private_metrics(environment.get(METRICS, "")),
        )

    def address(self, connection: HTTPConnection) -> str:
        """Of whoever asks: the last hop that is no proxy of ours. Nobody else's word about it counts.

        A proxy may write a line of its own below one that the sender made up: all of them are one list.
        """
        peer = connection.client.host if connection.client else ""
        if not self._is_proxy(peer):
            return peer
        for each in reversed(",".join(connection.headers.getlist("x-forwarded-for")).split(",")):
            hop = _without_port(each.strip())
            if hop and not self._is_proxy(hop):
                return hop
        return peer

    def secure(self, connection: HTTPConnection) -> bool:
        """Whether the browser speaks TLS, to us or to our proxy."""
        if self.public_url:
            return self.public_url.startswith("https:")
        peer = connection.client.host if connection.client else ""
        if self._is_proxy(peer) and (told := connection.headers.get("x-forwarded-proto")):
            return told.partition(",")[0].strip().lower() == "https"  # the first hop is the browser's
        return connection.url.scheme in ("https", "wss")

    def origins(self, connection: HTTPConnection) -> frozenset[str]:
        """Scheme and host that a form of ours is sent from."""
        host = connection.headers.get("host", "")
        own = f"{'https' if self.secure(connection) else 'http'}://{host}".lower()
        return frozenset({own, self.public_url.lower()} - {""})

    def base(self, connection: HTTPConnection) -> str:
        """What an address of ours begins with, for links and redirects from elsewhere."""
        host = connection.headers.get("host", "")
        return self.public_url or f"{'https' if self.secure(connection) else 'http'}://{host}"

    def _is_proxy(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address.split("%", 1)[0])
        except ValueError:
            return False
        return any(ip in network for network in self.proxies)


def _without_port(hop: str) -> str:
    """Some proxies write the port too: `203.0.113.7:5678`, `[2001:db8::7]:5678`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _public_url(given: str) -> str:
    url = given.strip().rstrip("/")
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.path or parts.query or parts.username:
        raise UnusableSetting(
            f"{PUBLIC_URL} is {given!r}: give scheme and host alone, as https://connector.example.com"
        )
    return url


def _private_metrics(given: str) -> bool:
    if given.strip() not in ("", "token"):
        raise UnusableSetting(f"{METRICS} is {given!r}: `token`, or not set")
    return bool(given.strip())


def _proxies(given: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in given.split(",") if each.strip())
    except ValueError as error:
        raise UnusableSetting(
            f"{PROXIES} cannot be read ({error}): give addresses or networks, as 10.0.0.0/8"
        ) from None
