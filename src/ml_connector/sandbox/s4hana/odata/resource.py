"""Resource paths: ``A_Set``, ``A_Set('key')``, ``A_Set(A='x',B='y')/to_Nav``, ``…/$count``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from ml_connector.sandbox.s4hana.odata.errors import NOT_FOUND, ODataError, bad_request
from ml_connector.sandbox.s4hana.odata.fields import EntitySet, EntityType, Field, Row, Service
from ml_connector.sandbox.s4hana.odata.literals import EPOCH, duration, from_json, shown

SEGMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\((?P<key>.*)\))?", re.DOTALL)
KEY_PART = re.compile(
    r"\s*(?:(?P<name>\w+)\s*=\s*)?(?P<prefix>datetimeoffset|datetime|time|guid)?'(?P<text>(?:[^']|'')*)'\s*(?:,|$)"
)


@dataclass(frozen=True)
class Resource:
    """``key`` is None for a collection; ``nav`` is the navigation that follows the key, ``nav_key`` one of its rows."""

    entity_set: EntitySet
    key: Mapping[str, Any] | None = None
    nav: str | None = None
    nav_key: Mapping[str, Any] | None = None
    count: bool = False


def parse_resource(path: str, service: Service) -> Resource:
    """Raises ``ODataError``: 404 for an unknown segment, 400 for a key that does not fit."""
    segments = _split(unquote(path.strip("/")))
    count = segments[-1] == "$count"
    if count:
        segments.pop()
    name, key_text = _segment(segments[0])
    entity_set = service.by_name.get(name)
    if entity_set is None:
        raise ODataError(404, NOT_FOUND, f"Resource not found for segment '{name}'")
    key = None if key_text is None else parse_key(key_text, entity_set.type)
    if len(segments) == 1:
        return Resource(entity_set, key, count=count)
    nav_name, nav_key_text = _segment(segments[1])
    nav = entity_set.type.nav_by_name.get(nav_name)
    if key is None or nav is None or len(segments) > 2:
        raise ODataError(404, NOT_FOUND, f"Resource not found for segment '{segments[-1]}'")
    nav_key = None if nav_key_text is None else parse_key(nav_key_text, service.by_name[nav.target].type)
    return Resource(entity_set, key, nav_name, nav_key, count)


def parse_key(text: str, entity: EntityType) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = KEY_PART.match(text, position)
        if match is None:
            raise bad_request(f"Malformed key predicate '({text})'")
        name = match["name"] or (entity.keys[0].name if len(entity.keys) == 1 else "")
        field = entity.by_name.get(name)
        if field is None or not field.key:
            raise bad_request(f"Malformed key predicate '({text})': '{name}' is no key of {entity.name}")
        parts[name] = from_json(field, match["text"].replace("''", "'"))
        position = match.end()
    if missing := [each.name for each in entity.keys if each.name not in parts]:
        raise bad_request(f"Malformed key predicate '({text})': {', '.join(missing)} missing")
    return parts


def key_predicate(entity: EntityType, row: Row) -> str:
    if len(entity.keys) == 1:
        return f"({_key_literal(entity.keys[0], row)})"
    return "(" + ",".join(f"{each.name}={_key_literal(each, row)}" for each in entity.keys) + ")"


def _key_literal(field: Field, row: Row) -> str:
    value = row[field.name]
    match field.edm:
        case "Edm.DateTime":
            return f"datetime'{quote((value or EPOCH).isoformat(), safe='-')}'"
        case "Edm.DateTimeOffset":
            return f"datetimeoffset'{quote(value.strftime('%Y-%m-%dT%H:%M:%SZ'), safe='-')}'"
        case "Edm.Time":
            return f"time'{duration(value)}'"
        case _:
            return "'" + quote(shown(field, value).replace("'", "''"), safe="") + "'"


def _segment(text: str) -> tuple[str, str | None]:
    match = SEGMENT.fullmatch(text)
    if match is None:
        raise ODataError(404, NOT_FOUND, f"Resource not found for segment '{text}'")
    return match["name"], match["key"]


def _split(path: str) -> list[str]:
    """At slashes that stand outside quotes."""
    segments, quoted, start = list[str](), False, 0
    for position, character in enumerate(path):
        if character == "'":
            quoted = not quoted
        elif character == "/" and not quoted:
            segments.append(path[start:position])
            start = position + 1
    return [*segments, path[start:]]
