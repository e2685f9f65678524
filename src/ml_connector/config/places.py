"""Which shop or which books a connection is: two connections, under whatever names, may be the same."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

IDENTITY = ("store_hash", "company_code", "sap_client", "company")
"""Settings that say which books or which shop a connection is: with postings behind it, another one is a new
connection, or documents of the old one would count as posted in the new one."""

Place = tuple[str, ...]


def place_of(system: str, base_url: str, settings: Mapping[str, Any]) -> Place:
    """Equal for two connections to one shop, or to one set of books."""
    address = urlsplit(base_url)
    return (
        system,
        address.netloc.lower().removesuffix(":443"),
        address.path.rstrip("/"),
        *(str(settings.get(name, "")) for name in IDENTITY),
    )
