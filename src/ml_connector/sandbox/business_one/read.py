"""Reads: one entity, a property of it, or a page of many."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any
from urllib.parse import quote

from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.errors import B1Error, bad_query, not_found
from ml_connector.sandbox.business_one.fields import EntitySet, Field, Row
from ml_connector.sandbox.business_one.filters import Filter, parse_filter
from ml_connector.sandbox.business_one.message import Answer, Request, json_answer
from ml_connector.sandbox.business_one.settings import Settings
from ml_connector.sandbox.business_one.store import Key
from ml_connector.sandbox.business_one.values import UdfFields, Writing

KNOWN_OPTIONS = {"$select", "$filter", "$orderby", "$top", "$skip", "$format"}
PLAIN = "()',:"
COUNT_OPTION = {1: "$inlinecount", 2: "$count"}


@dataclass
class Reader:
    company: Company
    base_url: str

    def settings(self) -> Settings:
        return self.company.settings

    def udfs(self, request: Request) -> UdfFields:
        """As the serving node knows them."""
        if "udf_missing" in request.asked.faults:
            return lambda table: {} if not table.startswith("@") else self.company.udfs(table, request.asked.node)
        return lambda table: self.company.udfs(table, request.asked.node)

    def writing(self, request: Request) -> Writing:
        return Writing(request.version, self.company.settings, self.udfs(request))

    def row(self, entity_set: EntitySet, key: Key) -> Row:
        """Raises ``B1Error`` 404 -2028."""
        row = self.company.table(entity_set.name).get(*key)
        if row is None:
            raise not_found()
        return row

    def etag(self, entity_set: EntitySet, key: Key, row: Row) -> str | None:
        """Weak, 40 hexadecimal digits."""
        if not entity_set.etag or not self.company.settings.etags:
            return None
        text = f"{entity_set.name}/{key}/{row.get('DataVersion')}"
        return f'W/"{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()}"'

    def entity(
        self, request: Request, entity_set: EntitySet, key: Key, row: Row, status: int = 200, **headers: str
    ) -> Answer:
        """With context and ETag."""
        etag = self.etag(entity_set, key, row)
        body = {
            **self._context(request, f"{entity_set.name}", one=True),
            **self._etag_note(request, etag),
            **self.writing(request).entity(entity_set, row, self._selected(request, entity_set)),
        }
        return json_answer(request.version, body, status, {**headers, **({"ETag": etag} if etag else {})})

    def property(self, request: Request, entity_set: EntitySet, row: Row, rest: tuple[str, ...]) -> Answer:
        """``/Orders(1)/DocEntry`` and ``/$value``. Raises ``B1Error``."""
        fields = {**entity_set.type.by_name, **self.udfs(request)(entity_set.udf_table)}
        known = fields.get(rest[0])
        if known is None:
            raise bad_query(f"Property '{rest[0]}' of '{entity_set.type.name}' is invalid")
        value = self.writing(request).value(known, row.get(known.name))
        if rest[1:] == ("$value",):
            return Answer(200, str(value).encode(), "text/plain;charset=utf-8")
        if len(rest) > 1:
            raise bad_query("Sub-properties of complex types cannot be addressed")
        if value is None:
            null = {1: "odata.null", 2: "@odata.null"}[request.version]
            return json_answer(request.version, {null: True})
        return json_answer(request.version, {**self._context(request, entity_set.name, one=False), "value": value})

    def count(self, request: Request, entity_set: EntitySet) -> Answer:
        found = sum(1 for _ in self._matching(entity_set, self._filter(request, entity_set)))
        return Answer(200, str(found).encode(), "text/plain;charset=utf-8")

    def collection(self, request: Request, entity_set: EntitySet) -> Answer:
        """A page. Raises ``B1Error`` for options that the Service Layer does not know."""
        options = request.options
        count_option = COUNT_OPTION[request.version]
        for name in options:
            if name.startswith("$") and name not in KNOWN_OPTIONS | {count_option}:
                raise bad_query(f"Query option '{name}' is not supported")
        wanted = self._filter(request, entity_set)
        order = self._order(request, entity_set)
        skip, top = _whole(options, "$skip") or 0, _whole(options, "$top")
        size = self.page_size(request)
        limit = size if top is None else top if size is None else min(top, size)
        start = self._shifted(request, skip)
        if order is None:
            found = (row for row in self._matching(entity_set, wanted))
            page = list(itertools.islice(found, start, None if limit is None else start + limit + 1))
        else:
            rows = sorted(self._matching(entity_set, wanted), key=order)
            page = rows[start:] if limit is None else rows[start : start + limit + 1]
        more = limit is not None and len(page) > limit
        page = page if limit is None else page[:limit]
        body: dict[str, Any] = dict(self._context(request, entity_set.name, one=False))
        if _counts(options.get(count_option), request.version):
            total = sum(1 for _ in self._matching(entity_set, wanted))
            body.update({"odata.count": str(total)} if request.version == 1 else {"@odata.count": total})
        writing, names = self.writing(request), self._selected(request, entity_set)
        keys = entity_set.keys
        body["value"] = [
            {
                **self._etag_note(request, self.etag(entity_set, tuple(row[name] for name in keys), row)),
                **writing.entity(entity_set, row, names),
            }
            for row in page
        ]
        if more and top is None:
            body[_next_name(request.version)] = self._next_link(request, entity_set, skip + len(page))
        return json_answer(request.version, body, headers=self.page_headers(request))

    def page_size(self, request: Request) -> int | None:
        """None: all at once."""
        for given in (request.prefers("odata.maxpagesize"), request.headers.get("b1s-pagesize")):
            if given is not None and given.isdecimal():
                return int(given) or None
        return self.company.settings.page_size

    def page_headers(self, request: Request) -> Mapping[str, str]:
        asked = request.prefers("odata.maxpagesize")
        return {} if asked is None else {"Preference-Applied": f"odata.maxpagesize={asked}"}

    def _shifted(self, request: Request, skip: int) -> int:
        """Where a page begins when rows came or went while the client was paging."""
        faults = request.asked.faults
        return max(0, skip + (skip > 0) * (("missing_row" in faults) - ("duplicate_row" in faults)))

    def _matching(self, entity_set: EntitySet, wanted: Filter) -> Iterator[Row]:
        """In the order of the key."""
        table = self.company.table(entity_set.name)
        if wanted.equals:
            found = sorted((key, row) for key, row in table.matching(wanted.equals))
            yield from (row for _, row in found if wanted.test(row))
            return
        since = wanted.since.get(entity_set.keys[0])
        yield from (row for row in table.in_key_order(since) if wanted.test(row))

    def _filter(self, request: Request, entity_set: EntitySet) -> Filter:
        fold = self.company.settings.database == "mssql" or request.flag("B1S-CaseInsensitive")
        udfs = self.udfs(request)(entity_set.udf_table)
        return parse_filter(request.options.get("$filter"), entity_set.type, udfs, fold_case=fold)

    def _selected(self, request: Request, entity_set: EntitySet) -> frozenset[str] | None:
        text = request.options.get("$select") if request.method == "GET" else None
        if not text or text.strip() == "*":
            return None
        names = frozenset(name.strip() for name in text.split(","))
        fields = {**entity_set.type.by_name, **self.udfs(request)(entity_set.udf_table)}
        for name in names:
            if name not in fields:
                raise bad_query(f"Property '{name}' of '{entity_set.type.name}' is invalid")
        return names

    def _order(self, request: Request, entity_set: EntitySet) -> Any:
        """A sort key; None: the order of the key, which is how rows come."""
        text = request.options.get("$orderby")
        if not text:
            return None
        fields = {**entity_set.type.by_name, **self.udfs(request)(entity_set.udf_table)}
        terms: list[tuple[Field, bool]] = []
        for piece in text.split(","):
            name, _, direction = piece.strip().partition(" ")
            known = fields.get(name)
            if known is None or known.kind in ("collection", "complex") or direction not in ("", "asc", "desc"):
                raise bad_query(f"Query string error: invalid $orderby '{piece.strip()}'")
            terms.append((known, direction == "desc"))
        if [(known.name, down) for known, down in terms] == [(name, False) for name in entity_set.keys]:
            return None

        def compare(left: Row, right: Row) -> int:
            return _compare(left, right, terms)

        return cmp_to_key(compare)

    def _next_link(self, request: Request, entity_set: EntitySet, skip: int) -> str:
        settings = self.company.settings
        kept = {name: value for name, value in request.options.items() if name != "$skip"}
        query = "".join(f"{name}={quote(value, safe=PLAIN)}&" for name, value in kept.items())
        query = (query if settings.next_link_options else "") + f"$skip={skip}"
        if settings.next_link_form == "stray":
            return f"{entity_set.name}?&{query}"
        return (
            f"/b1s/v{request.version}/{entity_set.name}?{query}"
            if settings.next_link_form == "absolute"
            else (f"{entity_set.name}?{query}")
        )

    def _context(self, request: Request, name: str, *, one: bool) -> Mapping[str, str]:
        url = f"{self.base_url}/b1s/v{request.version}/$metadata#{name}"
        if request.version == 1:
            return {"odata.metadata": url + ("/@Element" if one else "")}
        return {"@odata.context": url + ("/$entity" if one else "")}

    def _etag_note(self, request: Request, etag: str | None) -> Mapping[str, str]:
        if etag is None:
            return {}
        return {"odata.etag" if request.version == 1 else "@odata.etag": etag}


def _next_name(version: int) -> str:
    return "odata.nextLink" if version == 1 else "@odata.nextLink"


def _whole(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise bad_query(f"Query option '{name}' needs a number")
    return int(text)


def _counts(text: str | None, version: int) -> bool:
    if text is None:
        return False
    wanted, other = ("allpages", "none") if version == 1 else ("true", "false")
    if text not in (wanted, other):
        raise B1Error(400, -1000, f"Invalid value '{text}' of {COUNT_OPTION[version]}")
    return text == wanted


def _compare(left: Row, right: Row, terms: list[tuple[Field, bool]]) -> int:
    for known, down in terms:
        a, b = left.get(known.name), right.get(known.name)
        if a == b:
            continue
        less = a is None or (b is not None and a < b)
        return (1 if less else -1) * (1 if down else -1)
    return 0
