"""Reading: query options, pages, the JSON envelope of OData V2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from ml_connector.sandbox.s4hana.odata.errors import NOT_FOUND, ODataError, bad_request
from ml_connector.sandbox.s4hana.odata.fields import EntitySet, EntityType, Nav, Row, Service
from ml_connector.sandbox.s4hana.odata.filters import parse_filter, unknown_property
from ml_connector.sandbox.s4hana.odata.literals import to_json
from ml_connector.sandbox.s4hana.odata.message import ODataRequest, ODataResponse, json_response
from ml_connector.sandbox.s4hana.odata.resource import Resource, key_predicate

KNOWN_OPTIONS = frozenset(
    {
        *("$filter", "$select", "$orderby", "$top", "$skip", "$inlinecount", "$expand", "$format", "$skiptoken"),
        *("sap-client", "sap-language", "saml2"),
    }
)


class Source(Protocol):
    """Where rows come from. ``version`` changes with every write, so that pages of one read can share their rows."""

    @property
    def version(self) -> int: ...

    def rows(
        self, set_name: str, values: Mapping[str, frozenset[Any]], faults: Mapping[str, Mapping[str, Any]]
    ) -> Iterable[Row]:
        """Rows that can match when each named field has one of the values; more are allowed, fewer are not."""
        ...

    def etag(self, entity_set: EntitySet, row: Row) -> str | None: ...


@dataclass(frozen=True)
class PageRules:
    """``without_top``: rows of an answer to a request without ``$top``; None is the cap."""

    cap: int = 5000
    without_top: int | None = None


@dataclass
class Reader:
    service: Service
    source: Source
    service_url: str
    """Absolute, without a trailing slash."""
    page_rules: PageRules
    next_link_host: str | None = None
    _last: tuple[Any, list[Row]] = field(default=((), []))

    def read(self, request: ODataRequest, resource: Resource) -> ODataResponse:
        if unknown := [name for name in request.query if name.startswith("$") and name not in KNOWN_OPTIONS]:
            raise bad_request(f"The query option {unknown[0]} is not known")
        if resource.key is None:
            return self._collection(request, resource.entity_set, {}, count_only=resource.count)
        row = self.one(resource.entity_set, resource.key, request)
        if resource.nav is None:
            return self.entity(request, resource.entity_set, row)
        nav = resource.entity_set.type.nav_by_name[resource.nav]
        target = self.service.by_name[nav.target]
        link = {name: row[own] for name, own in nav.link.items()}
        if resource.nav_key is not None:
            return self.entity(request, target, self.one(target, {**resource.nav_key, **link}, request))
        if nav.many:
            return self._collection(request, target, link, count_only=resource.count)
        found = self._related(nav, row, request)
        if not found:
            raise ODataError(404, NOT_FOUND, f"Resource not found for segment '{nav.name}'")
        return self.entity(request, target, found[0])

    def one(self, entity_set: EntitySet, key: Mapping[str, Any], request: ODataRequest) -> Row:
        """Raises ``ODataError`` 404."""
        values = {name: frozenset({value}) for name, value in key.items()}
        for row in self.source.rows(entity_set.name, values, request.faults):
            if all(row[name] == value for name, value in key.items()):
                return row
        raise ODataError(404, NOT_FOUND, f"Resource not found for segment '{entity_set.type.name}'")

    def entity(
        self, request: ODataRequest, entity_set: EntitySet, row: Row, status: int = 200, expand: str | None = None
    ) -> ODataResponse:
        shape = self._shape(entity_set.type, request.query.get("$select"), expand or request.query.get("$expand"))
        etag = self.source.etag(entity_set, row)
        headers = {"etag": etag} if etag else {}
        if status == 201:
            headers["location"] = self.uri(entity_set, row)
        return json_response({"d": self._render(request, entity_set, row, shape)}, status, headers)

    def uri(self, entity_set: EntitySet, row: Row) -> str:
        return f"{self.service_url}/{entity_set.name}{key_predicate(entity_set.type, row)}"

    def _collection(
        self, request: ODataRequest, entity_set: EntitySet, link: Mapping[str, Any], *, count_only: bool
    ) -> ODataResponse:
        query, entity = request.query, entity_set.type
        shape = self._shape(entity, query.get("$select"), query.get("$expand"))
        matched = self._matching(request, entity_set, link)
        if count_only:
            return ODataResponse(200, str(len(matched)).encode(), "text/plain;charset=utf-8")
        skip, top = _number(query, "$skip") or 0, _number(query, "$top")
        wanted = matched[skip:] if top is None else matched[skip : skip + top]
        start = _number(query, "$skiptoken") or 0
        rules = self.page_rules
        page = rules.cap if top is not None or rules.without_top is None else min(rules.without_top, rules.cap)
        shown = wanted[start : start + page]
        body: dict[str, Any] = {"results": [self._render(request, entity_set, row, shape) for row in shown]}
        inline = query.get("$inlinecount", "none")
        if inline not in ("allpages", "none"):
            raise bad_request(f"$inlinecount is allpages or none, not {inline}")
        if inline == "allpages":
            body["__count"] = str(len(matched))
        if start + page < len(wanted):
            body["__next"] = self._next_link(request, start + page)
        return json_response({"d": body})

    def _matching(self, request: ODataRequest, entity_set: EntitySet, link: Mapping[str, Any]) -> list[Row]:
        query = request.query
        cached = (
            entity_set.name,
            tuple(link.items()),
            query.get("$filter"),
            query.get("$orderby"),
            self.source.version,
        )
        # only the further pages of one read share rows: a new read sees what has become visible meanwhile
        if "$skiptoken" in query and self._last[0] == cached and not request.faults:
            return self._last[1]
        chosen = parse_filter(query.get("$filter"), entity_set.type)
        values = {**chosen.values, **{name: frozenset({value}) for name, value in link.items()}}
        rows = [
            row
            for row in self.source.rows(entity_set.name, values, request.faults)
            if all(row[name] == value for name, value in link.items()) and chosen.test(row)
        ]
        _sort(rows, query.get("$orderby"), entity_set.type)
        self._last = (cached, rows)
        return rows

    def _related(self, nav: Nav, row: Row, request: ODataRequest) -> list[Row]:
        link = {name: row[own] for name, own in nav.link.items()}
        if not any(link.values()):
            return []
        values = {name: frozenset({value}) for name, value in link.items()}
        return [
            each
            for each in self.source.rows(nav.target, values, request.faults)
            if all(each[name] == value for name, value in link.items())
        ]

    def _next_link(self, request: ODataRequest, start: int) -> str:
        query = {name: value for name, value in request.query.items() if name != "$skiptoken"}
        text = urlencode({**query, "$skiptoken": start}, quote_via=quote, safe="$',()*/:")
        base = self.service_url
        if self.next_link_host is not None:
            scheme, _, rest = base.partition("://")
            base = f"{scheme}://{self.next_link_host}/{rest.partition('/')[2]}"
        return f"{base}/{request.path.strip('/')}?{text}"

    def _shape(self, entity: EntityType, select: str | None, expand: str | None) -> _Shape:
        expanded: dict[str, list[str]] = {}
        for path in filter(None, (expand or "").split(",")):
            first, _, rest = path.strip().partition("/")
            if first not in entity.nav_by_name:
                raise unknown_property(first, entity)
            expanded.setdefault(first, []).extend([rest] if rest else [])
        chosen: dict[str, list[str]] = {}
        for path in filter(None, (select or "").split(",")):
            first, _, rest = path.strip().partition("/")
            if first != "*" and first not in entity.by_name and first not in entity.nav_by_name:
                raise unknown_property(first, entity)
            chosen.setdefault(first, []).extend([rest] if rest else [])
        children = {
            name: self._shape(
                self.service.by_name[entity.nav_by_name[name].target].type,
                ",".join(chosen.get(name, [])),
                ",".join(deeper),
            )
            for name, deeper in expanded.items()
        }
        return _Shape(frozenset(chosen) - {"*"} if "*" not in chosen and chosen else None, children)

    def _render(self, request: ODataRequest, entity_set: EntitySet, row: Row, shape: _Shape) -> dict[str, Any]:
        entity = entity_set.type
        uri = self.uri(entity_set, row)
        metadata: dict[str, Any] = {"id": uri, "uri": uri, "type": f"{self.service.namespace}.{entity.name}"}
        if etag := self.source.etag(entity_set, row):
            metadata["etag"] = etag
        shown: dict[str, Any] = {"__metadata": metadata}
        for each in entity.fields:
            if shape.fields is None or each.name in shape.fields:
                shown[each.name] = to_json(each, row[each.name])
        for nav in entity.navs:
            if (child := shape.children.get(nav.name)) is not None:
                target = self.service.by_name[nav.target]
                related = [self._render(request, target, each, child) for each in self._related(nav, row, request)]
                shown[nav.name] = {"results": related} if nav.many else (related[0] if related else None)
            elif shape.fields is None or nav.name in shape.fields:
                shown[nav.name] = {"__deferred": {"uri": f"{uri}/{nav.name}"}}
        return shown


@dataclass(frozen=True)
class _Shape:
    fields: frozenset[str] | None
    children: Mapping[str, _Shape]


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise bad_request(f"{name} is a number from 0, not {text}")
    return int(text)


def _sort(rows: list[Row], orderby: str | None, entity: EntityType) -> None:
    """By the option, then by key; absent values come first."""
    wanted: Sequence[tuple[str, bool]] = [(each.name, False) for each in entity.keys]
    if orderby:
        wanted = [*(_order(part.split(), entity) for part in orderby.split(",")), *wanted]
    for name, descending in reversed(wanted):
        rows.sort(key=lambda row: (row[name] is not None, row[name]), reverse=descending)


def _order(words: list[str], entity: EntityType) -> tuple[str, bool]:
    if not words or len(words) > 2 or words[1:] not in ([], ["asc"], ["desc"]):
        raise bad_request("$orderby is a list of properties, each with asc or desc")
    if words[0] not in entity.by_name:
        raise unknown_property(words[0], entity)
    return words[0], words[1:] == ["desc"]
