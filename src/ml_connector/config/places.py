"""Which shop or which books a connection is: two connections, under whatever names, may be the same."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ml_connector.connectors.systems import UnknownSystem, find_system

Place = tuple[str, ...]


def identity_of(system: str) -> tuple[str, ...]:
    """Settings that say which books or which shop a connection is: with postings behind it, another one is a new
    connection, or documents of the old one would count as posted in the new one."""
    try:
        return tuple(field.name for field in find_system(system).fields if field.identity)
    except UnknownSystem:  # its package has gone, its postings have not: what is at its address is taken as one
        return ()


def place_of(system: str, base_url: str, settings: Mapping[str, Any]) -> Place:
    """Equal for two connections to one shop, or to one set of books, by one address."""
    address = urlsplit(base_url)
    return (
        system,
        address.netloc.lower().removesuffix(":443"),
        address.path.rstrip("/"),
        *(str(settings.get(name, "")) for name in identity_of(system)),
    )
