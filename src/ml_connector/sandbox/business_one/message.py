"""One request and one answer, of HTTP or of a part of a batch; addresses read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from ml_connector.sandbox.business_one.company import Asked
from ml_connector.sandbox.business_one.errors import bad_query, unknown_set
from ml_connector.sandbox.business_one.fields import EntitySet, Type
from ml_connector.sandbox.business_one.store import Key
from ml_connector.sandbox.business_one.values import load_json, scalar

CONTENT_TYPES = {
    1: "application/json;odata=minimalmetadata;charset=utf-8",
    2: "application/json;odata.metadata=minimal;charset=utf-8",
}
VERSION_HEADERS = {1: ("DataServiceVersion", "3.0"), 2: ("OData-Version", "4.0")}


@dataclass(frozen=True)
class Request:
    """``path`` is below the prefix, not unquoted; header names are in lower case."""

    method: str
    version: int
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    asked: Asked
    in_batch: bool = False

    @property
    def options(self) -> dict[str, str]:
        """Query options; a stray ``&`` is nothing."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def payload(self) -> dict[str, Any]:
        return load_json(self.body)

    def prefers(self, wanted: str) -> str | None:
        """``odata.maxpagesize`` -> its value; a preference without value gives an empty text."""
        for piece in self.headers.get("prefer", "").split(","):
            name, _, value = piece.strip().partition("=")
            if name.strip().lower() == wanted:
                return value.strip().strip('"')
        return None

    def flag(self, header: str) -> bool:
        return self.headers.get(header.lower(), "").strip().lower() == "true"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def json_answer(version: int, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    name, value = VERSION_HEADERS[version]
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, text, CONTENT_TYPES[version], {name: value, **(headers or {})})


def empty(version: int, headers: Mapping[str, str] | None = None) -> Answer:
    name, value = VERSION_HEADERS[version]
    return Answer(204, headers={name: value, **(headers or {})})


@dataclass(frozen=True)
class Address:
    """``Orders(22)/Cancel`` as name, key text and what follows."""

    name: str
    key: str | None
    rest: tuple[str, ...]


SEGMENT = re.compile(r"(?P<name>\$?\w+)(?:\((?P<key>.*)\))?", re.DOTALL)


def read_address(path: str) -> Address:
    """Raises ``B1Error`` for what is no address."""
    first, *rest = _segments(unquote(path).strip("/"))
    match = SEGMENT.fullmatch(first)
    if match is None:
        raise unknown_set(first)
    return Address(match["name"], match["key"], tuple(rest))


def _segments(path: str) -> list[str]:
    """Split at slashes outside of quotes."""
    found, quoted = [""], False
    for char in path:
        quoted ^= char == "'"
        if char == "/" and not quoted:
            found.append("")
        else:
            found[-1] += char
    return found


KEY_PART = re.compile(r"\s*(?:(?P<name>\w+)\s*=\s*)?(?P<value>'(?:[^']|'')*'|[^,'\s]+)\s*(?:,|$)")


def read_key(text: str, entity_set: EntitySet) -> Key:
    """``22``, ``DocEntry=22``, ``'C''1'`` or several by name. Raises ``B1Error``."""
    of: Type = entity_set.type
    given: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = KEY_PART.match(text, position)
        if match is None:
            raise bad_query(f"Invalid key '{text}'")
        name = match["name"] or (of.keys[0].name if len(of.keys) == 1 else "")
        known = next((each for each in of.keys if each.name == name), None)
        if known is None or known.name in given:
            raise bad_query(f"Invalid key '{text}'")
        value = match["value"]
        if (known.kind == "text") != value.startswith("'"):
            raise bad_query(f"Invalid key '{text}'")
        given[name] = scalar(of, known, value[1:-1].replace("''", "'") if value.startswith("'") else value)
        position = match.end()
    if set(given) != {each.name for each in of.keys}:
        raise bad_query(f"Invalid key '{text}'")
    return tuple(given[each.name] for each in of.keys)


def literal_key(entity_set: EntitySet, key: Key) -> str:
    """A key as it is written in an address."""
    parts = ["'" + part.replace("'", "''") + "'" if isinstance(part, str) else str(part) for part in key]
    if len(parts) == 1:
        return parts[0]
    return ",".join(f"{name}={part}" for name, part in zip(entity_set.keys, parts, strict=True))
