"""The Service Layer's OData server: one request in, one answer out. HTTP and batches both come through here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ml_connector.sandbox.business_one.access import Access
from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.errors import (
    STALE,
    B1Error,
    bad_query,
    in_german,
    unknown_set,
    unsupported,
)
from ml_connector.sandbox.business_one.fields import SETS, EntitySet, Row
from ml_connector.sandbox.business_one.message import (
    Address,
    Answer,
    Request,
    empty,
    json_answer,
    literal_key,
    read_address,
    read_key,
)
from ml_connector.sandbox.business_one.metadata import metadata
from ml_connector.sandbox.business_one.queries import read_parameters
from ml_connector.sandbox.business_one.read import Reader
from ml_connector.sandbox.business_one.reconciliations import RECONCILIATIONS
from ml_connector.sandbox.business_one.services import Services
from ml_connector.sandbox.business_one.store import Key
from ml_connector.sandbox.business_one.values import Reading
from ml_connector.sandbox.business_one.webhooks import Webhooks
from ml_connector.sandbox.business_one.write import Writer

GERMAN, QUOTE = "9", "'=&"
MERGING = ("PATCH", "MERGE")


@dataclass
class Server:
    company: Company
    access: Access
    webhooks: Webhooks
    base_url: str

    def __post_init__(self) -> None:
        self.reader = Reader(self.company, self.base_url)
        self.writer = Writer(self.company, self.access, self.webhooks)
        self.services = Services(self.company, self.reader, self.writer)

    def answer(self, request: Request) -> Answer:
        """Never raises ``B1Error``: refusals are answers."""
        try:
            return self.perform(request)
        except B1Error as error:
            return self.error(request, error)

    def error(self, request: Request, error: B1Error) -> Answer:
        if request.asked.session.language == GERMAN or "other_language" in request.asked.faults:
            error = in_german(error)
        string_301 = self.company.settings.string_301
        body = error.body(request.version, string_301=string_301, in_batch=request.in_batch)
        return json_answer(request.version, body, error.status)

    def perform(self, request: Request) -> Answer:
        """Raises ``B1Error``; a write is undone then."""
        method = request.method
        if method == "POST":
            method = request.headers.get("x-http-method-override", method).upper()
        if request.path.strip("/") in ("", "$metadata"):
            return self._about(request, method)
        address = read_address(request.path)
        function = self.services.functions().get(address.name)
        if function is not None and address.key is None:
            if method != "POST" and address.name != "EventSubscriptionsService_GetEventCatalog":
                raise unsupported()
            with self.company.transaction():
                return function(request)
        entity_set = self._set(request, address.name)
        if method == "GET":
            return self._get(request, entity_set, address)
        with self.company.transaction():
            return self._write(request, entity_set, address, method)

    def _about(self, request: Request, method: str) -> Answer:
        if method != "GET":
            raise unsupported()
        if request.path.strip("/") == "$metadata":
            text = metadata(self.company, request.version, request.asked.node)
            return Answer(200, text.encode(), "application/xml;charset=utf-8")
        tables = [f"U_{key[0]}" for key in self.company.table("UserTablesMD").rows]
        names = [*SETS, *(name for name in tables if self.company.user_table(name, request.asked.node))]
        value = [{"name": name, "kind": "EntitySet", "url": name} for name in names]
        note = "odata.metadata" if request.version == 1 else "@odata.context"
        return json_answer(request.version, {note: f"{self.base_url}/b1s/v{request.version}/$metadata", "value": value})

    def _set(self, request: Request, name: str) -> EntitySet:
        found = SETS.get(name) or self.writer.user_objects.table_set(name, request.asked.node)
        hidden = name in ("EventSubscriptions", "EventNotifications") and not self.company.settings.webhooks
        if found is None or hidden:
            raise unknown_set(name)
        if name in self.company.settings.withdrawn:
            # what the real one answers is not known: the brief names no code
            raise B1Error(403, -1, f"You are not permitted to perform this action: no authorization for {name}")
        return found

    def _get(self, request: Request, entity_set: EntitySet, address: Address) -> Answer:
        if address.key is None:
            if address.rest == ("$count",):
                return self.reader.count(request, entity_set)
            if address.rest:
                raise unknown_set("/".join(address.rest))
            return self.reader.collection(request, entity_set)
        key = read_key(address.key, entity_set)
        row = self.reader.row(entity_set, key)
        if entity_set.name == "SQLQueries" and address.rest == ("List",):
            return self._run_query(request, row, _parameters(request.options))
        if address.rest:
            return self.reader.property(request, entity_set, row, address.rest)
        return self.reader.entity(request, entity_set, key, row)

    def _write(self, request: Request, entity_set: EntitySet, address: Address, method: str) -> Answer:
        if address.key is None:
            if method != "POST" or address.rest:
                raise unsupported()
            return self._create(request, entity_set)
        key = read_key(address.key, entity_set)
        row = self.reader.row(entity_set, key)
        if entity_set.name == "SQLQueries" and address.rest == ("List",):
            return self._run_query(request, row, str(request.payload.get("ParamList") or ""))
        self._check_etag(request, entity_set, key, row)
        if method == "POST" and len(address.rest) == 1:
            return self._act(request, entity_set, key, row, address.rest[0])
        if address.rest or method not in (*MERGING, "DELETE"):
            raise unsupported()
        if method == "DELETE":
            self.writer.delete(entity_set, key, row, request.asked)
        else:
            given = Reading(self.reader.udfs(request)).entity(entity_set, request.payload, keys_too=False)
            replace = request.flag("B1S-ReplaceCollectionsOnPatch")
            self.writer.patch(entity_set, key, row, given, request.asked, replace=replace)
        return empty(request.version)

    def _create(self, request: Request, entity_set: EntitySet) -> Answer:
        reading = Reading(self.reader.udfs(request))
        if entity_set.name == RECONCILIATIONS:  # made from a type of its own, of open items
            given = reading.complex("InternalReconciliationOpenTrans", request.payload)
        else:
            given = reading.entity(entity_set, request.payload)
        key, row = self.writer.create(entity_set, given, request.asked)
        written = quote(literal_key(entity_set, key), safe="',=")
        location = f"{self.base_url}/b1s/v{request.version}/{entity_set.name}({written})"
        if request.prefers("return-no-content") is not None:
            return empty(request.version, {"Location": location, "Preference-Applied": "return-no-content"})
        return self.reader.entity(request, entity_set, key, row, 201, Location=location)

    def _act(self, request: Request, entity_set: EntitySet, key: Key, row: Row, action: str) -> Answer:
        found = self.writer.act(entity_set, key, row, action, request.asked)
        if found is None:
            return empty(request.version)
        return self.reader.entity(request, entity_set, tuple(found[name] for name in entity_set.keys), found)

    def _check_etag(self, request: Request, entity_set: EntitySet, key: Key, row: Row) -> None:
        if "etag_conflict" in request.asked.faults:
            raise B1Error(412, STALE, "Another user or another operation modified data")
        if "row_conflict" in request.asked.faults:
            raise B1Error(400, STALE, "Another user or another operation modified data")
        sent, current = request.headers.get("if-match"), self.reader.etag(entity_set, key, row)
        if sent is not None and current is not None and sent.strip() not in ("*", current):
            raise B1Error(412, STALE, "Another user or another operation modified data")

    def _run_query(self, request: Request, row: Row, parameters: str) -> Answer:
        if not self.company.settings.sql_queries_allowed:
            raise B1Error(400, 804, "You are not permitted to perform this action")
        given = read_parameters(parameters)
        text = request.options.get("$skip", "0")
        if not text.isdecimal():
            raise bad_query("Query option '$skip' needs a number")
        skip, size = int(text), self.reader.page_size(request) or self.company.settings.page_size
        fold = self.company.settings.database == "mssql" or request.flag("B1S-CaseInsensitive")
        rows, more = self.writer.queries.page(row, given, skip, size, fold_case=fold)
        note, link = ("odata.", "odata.nextLink") if request.version == 1 else ("@odata.", "@odata.nextLink")
        context = "metadata" if request.version == 1 else "context"
        body: dict[str, Any] = {
            f"{note}{context}": f"{self.base_url}/b1s/v{request.version}/$metadata#SAPB1.SQLQueryResult",
            "SqlText": row["SqlText"],
            "value": rows,
        }
        if more:
            query = quote(parameters, safe=QUOTE)
            body[link] = f"SQLQueries('{row['SqlCode']}')/List?{query}&$skip={skip + len(rows)}"
        return json_answer(request.version, body, headers=self.reader.page_headers(request))


def _parameters(options: Mapping[str, str]) -> str:
    """Of a GET: each by its name, or all of them as a POST has them."""
    given = [f"{name}={value}" for name, value in options.items() if name != "ParamList" and not name.startswith("$")]
    return "&".join(given) or options.get("ParamList", "")
