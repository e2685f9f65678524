"""Which addresses a connection may call.

The check is made on the addresses that are connected to, after name resolution, so that a name which resolves
differently a second time (DNS rebinding) gains nothing. Link-local and metadata addresses are refused always.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from ml_connector.connectors.errors import UnsafeAddress

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses of cloud platforms that are neither private nor link-local by their range.
_PLATFORM = frozenset({ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("100.100.100.200")})
_METADATA_V6 = ipaddress.ip_network("fd00:ec2::/32")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _embedded(address: IpAddress) -> IpAddress:
    """The IPv4 address inside a mapped, 6to4, Teredo or NAT64 address; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What a connection may call. `sandbox` permits plain HTTP and local addresses; `allow_private` permits private
    and loopback addresses for systems in the company's own network, still by HTTPS only. `trusted_hosts` are names
    that an administrator set himself and that are not the target: a proxy."""

    sandbox: bool = False
    allow_private: bool = False
    trusted_hosts: frozenset[str] = frozenset()

    def refuse_address(self, address: str) -> str:
        """Why `address` (an IP address) may not be called, in words; empty when it may."""
        ip = _embedded(ipaddress.ip_address(address.split("%", 1)[0]))
        if ip.is_link_local or ip in _PLATFORM or (isinstance(ip, ipaddress.IPv6Address) and ip in _METADATA_V6):
            return "is a link-local or platform metadata address"
        if ip.is_multicast or ip.is_unspecified:
            return "is not the address of one machine"
        if not ip.is_global and not (self.sandbox or self.allow_private):
            return (
                "is a private or local address; set allow_private on the connection if the system really is in your "
                "own network"
            )
        return ""

    def check_url(self, url: str) -> SplitResult:
        """`url` taken apart. Raises `UnsafeAddress` for a scheme, host or form that this connection may not call."""
        if _BLANKS.search(url):  # parsers drop some of them, each its own
            raise UnsafeAddress(f"{url!r} is not an address: it holds blanks, control characters or a backslash")
        try:
            parts = urlsplit(url)
            host = parts.hostname
            parts.port  # noqa: B018 - raises for a port that is no number
            called = (URL(url, encoded=True).raw_host or "").lower()
        except ValueError as error:
            raise UnsafeAddress(f"{url!r} is not an address: {error}") from error
        if called != (host or ""):  # what is checked here must be what the HTTP library calls
            raise UnsafeAddress(f"{url!r} can be read in two ways")
        if parts.username is not None or parts.password is not None:
            raise UnsafeAddress(f"the address of {host} carries a user name or password; put them into the credentials")
        if parts.scheme not in ("https", "http"):
            raise UnsafeAddress(f"{url!r} is not an https address")
        if parts.scheme == "http" and not self.sandbox:
            raise UnsafeAddress(f"{url!r} is plain HTTP; only https is allowed")
        if not host:
            raise UnsafeAddress(f"{url!r} names no host")
        if _is_ip(host):
            if reason := self.refuse_address(host):
                raise UnsafeAddress(f"the address {host} {reason}")
        elif not _NAME.fullmatch(host):
            raise UnsafeAddress(f"{host!r} is not a host name; write an international name in its xn-- form")
        elif _NUMBER.search(host):
            # A resolver takes 2130706433, 127.1 and 0x7f.1 for 127.0.0.1, and the HTTP library asks none of ours.
            raise UnsafeAddress(f"{host} is an address in disguise; write it as four numbers")
        return parts


_BLANKS = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
_NUMBER = re.compile(r"(^|\.)([0-9]+|0[xX][0-9A-Fa-f]*)\.?$")


def is_plain_path(path: str) -> bool:
    """Whether a path with its query, put behind an address that was checked, leaves its host as it is."""
    return path.startswith("/") and not _BLANKS.search(path)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return True


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of `url`, comparable. Raises `UnsafeAddress`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnsafeAddress(f"{url!r} is not an address: {error}") from error
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").lower(), port or default


def same_origin(url: str, other: str) -> bool:
    return origin(url) == origin(other)


def path_and_query(link: str) -> str:
    """The path and query of a next link or Location: never its host, which a server may get wrong or an attacker
    may set. Raises `UnsafeAddress`."""
    try:
        parts = urlsplit(link)
    except ValueError as error:
        raise UnsafeAddress(f"the link {link[:80]!r} is not an address: {error}") from error
    path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    return f"{path}?{parts.query}" if parts.query else path


class SafeResolver(AbstractResolver):
    """Resolves names and hands out only addresses that the policy permits."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner: ThreadedResolver | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if self._inner is None:
            self._inner = ThreadedResolver(loop=asyncio.get_running_loop())
        results = await self._inner.resolve(host, port, family)
        if host in self._policy.trusted_hosts:
            return results
        return list(_permitted(self._policy, host, results))

    async def close(self) -> None:
        return None


def _permitted(policy: AddressPolicy, host: str, results: list[ResolveResult]) -> Iterable[ResolveResult]:
    reasons = [(result["host"], policy.refuse_address(result["host"])) for result in results]
    for address, reason in reasons:
        # One bad address is enough to refuse: a name that mixes public and private addresses is a trick.
        if reason:
            raise UnsafeAddress(f"{host} resolves to {address}, which {reason}")
    return results
