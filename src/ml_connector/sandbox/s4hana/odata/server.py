"""The OData server: one request in, one answer out. HTTP and ``$batch`` both come through here."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ml_connector.sandbox.s4hana.odata.batch import BatchPart, parse_batch, write_batch
from ml_connector.sandbox.s4hana.odata.errors import (
    NO_SERVICE,
    NOT_IMPLEMENTED,
    PRECONDITION,
    Detail,
    ODataError,
    bad_request,
    refused,
)
from ml_connector.sandbox.s4hana.odata.fields import EntitySet, Row, Service
from ml_connector.sandbox.s4hana.odata.message import ODataRequest, ODataResponse, children_of, json_response
from ml_connector.sandbox.s4hana.odata.metadata import metadata, service_document
from ml_connector.sandbox.s4hana.odata.read import PageRules, Reader, Source
from ml_connector.sandbox.s4hana.odata.resource import Resource, parse_resource

ROOT = "/sap/opu/odata/sap"
WRITES = ("POST", "PUT", "PATCH", "MERGE", "DELETE")


class Storage(Source, Protocol):
    """Rows that can be written. Every method raises ``ODataError`` for what the business refuses."""

    def transaction(self) -> Any:
        """A context manager: all writes inside, or none when it is left by an exception."""
        ...

    def create(self, entity_set: EntitySet, payload: Mapping[str, Any], link: Mapping[str, Any], user: str) -> Row: ...

    def update(
        self, entity_set: EntitySet, row: Row, payload: Mapping[str, Any], user: str, *, replace: bool
    ) -> None: ...

    def delete(self, entity_set: EntitySet, row: Row, user: str) -> None: ...


@dataclass
class ODataServer:
    services: Sequence[Service]
    storage: Storage
    base_url: str
    now: Callable[[], datetime]
    page_rules: Callable[[], PageRules]
    batches: int = 0
    _readers: dict[str, Reader] = field(default_factory=dict[str, Reader])

    def service(self, name: str) -> Service | None:
        return next((each for each in self.services if each.name == name.partition(";")[0]), None)

    def answer(self, request: ODataRequest) -> ODataResponse:
        """Never raises ``ODataError``: refusals are answers."""
        try:
            return self._answer(request)
        except ODataError as error:
            return self.error(request, error)

    def error(self, request: ODataRequest, error: ODataError) -> ODataResponse:
        if "xml_error" in request.faults:
            return ODataResponse(error.status, error.xml(request.language).encode(), "application/xml;charset=utf-8")
        stamp = self.now().strftime("%Y%m%d%H%M%S.%f") + "0"
        body = error.body(request.service.partition(";")[0], uuid.uuid4().hex.upper(), stamp, request.language)
        return json_response(body, error.status)

    def _answer(self, request: ODataRequest) -> ODataResponse:
        service = self.service(request.service)
        if service is None:
            name = request.service
            raise ODataError(404, NO_SERVICE, f"No service found for namespace '', name '{name}', version '0001'")
        path = request.path.strip("/")
        if path == "$batch" and request.method == "POST":
            return self._batch(request)
        if request.method in ("GET", "HEAD"):
            return self._get(request, service, path)
        if request.method not in WRITES:
            raise ODataError(405, NOT_IMPLEMENTED, f"Method '{request.method}' is not allowed")
        with self.storage.transaction():
            return self._write(request, service, parse_resource(path, service))

    def _get(self, request: ODataRequest, service: Service, path: str) -> ODataResponse:
        if path == "$metadata":
            if any(name.startswith("$") and name != "$format" for name in request.query):
                raise bad_request("System query options are not allowed for $metadata")
            headers = {"dataserviceversion": "2.0"}
            return ODataResponse(200, metadata(service).encode(), "application/xml;charset=utf-8", headers)
        if not path and not _asks_json(request):
            return ODataResponse(200, service_document(service, request.service).encode(), "application/atomsvc+xml")
        if not path.endswith("/$count"):
            _needs_json(request)
        if not path:
            return json_response({"d": {"EntitySets": [each.name for each in service.sets]}})
        return self._reader(request, service).read(request, parse_resource(path, service))

    def _write(self, request: ODataRequest, service: Service, resource: Resource) -> ODataResponse:
        if "locked" in request.faults:
            raise refused([Detail("R1/234", "Business partner is currently being processed by user MUELLER")])
        if request.method == "POST":
            return self._create(request, service, resource)
        entity_set, reader = resource.entity_set, self._reader(request, service)
        if resource.key is None or resource.nav is not None:
            raise ODataError(405, NOT_IMPLEMENTED, f"Method '{request.method}' is not allowed for a collection")
        allowed = entity_set.deletable if request.method == "DELETE" else entity_set.updatable
        if not allowed:
            raise _not_implemented(request, entity_set)
        row = reader.one(entity_set, resource.key, request)
        self._check_etag(request, entity_set, row)
        if request.method == "DELETE":
            self.storage.delete(entity_set, row, request.user)
        else:
            replace = request.method == "PUT"
            self.storage.update(entity_set, row, request.payload(), request.user, replace=replace)
        return ODataResponse(204, headers={"dataserviceversion": "2.0"})

    def _create(self, request: ODataRequest, service: Service, resource: Resource) -> ODataResponse:
        reader, target, link = self._reader(request, service), resource.entity_set, dict[str, Any]()
        if resource.nav is not None and resource.key is not None:
            parent = reader.one(resource.entity_set, resource.key, request)
            nav = resource.entity_set.type.nav_by_name[resource.nav]
            target, link = service.by_name[nav.target], {name: parent[own] for name, own in nav.link.items()}
        elif resource.key is not None:
            raise ODataError(405, NOT_IMPLEMENTED, "Method 'POST' is not allowed for an entity")
        if not target.creatable:
            raise _not_implemented(request, target)
        payload = request.payload()
        row = self.storage.create(target, payload, link, request.user)
        return reader.entity(request, target, row, 201, ",".join(_expanded(payload)))

    def _check_etag(self, request: ODataRequest, entity_set: EntitySet, row: Row) -> None:
        if "etag_conflict" in request.faults:
            raise ODataError(412, PRECONDITION, "The precondition failed: the entity was changed meanwhile")
        current = self.storage.etag(entity_set, row)
        if current is None:
            return
        sent = request.headers.get("if-match")
        if sent is None:
            raise ODataError(428, PRECONDITION, "The request requires an If-Match header")
        if sent not in ("*", current):
            raise ODataError(412, PRECONDITION, "The precondition failed: the entity was changed meanwhile")

    def _reader(self, request: ODataRequest, service: Service) -> Reader:
        reader = self._readers.get(request.service)
        if reader is None:
            url = f"{self.base_url}{ROOT}/{request.service}"
            reader = self._readers[request.service] = Reader(service, self.storage, url, PageRules())
        reader.page_rules = self.page_rules()
        host = request.faults.get("next_link_host")
        reader.next_link_host = None if host is None else str(host.get("host", "internal.example:44300"))
        return reader

    def _batch(self, request: ODataRequest) -> ODataResponse:
        self.batches += 1
        answers: list[list[tuple[BatchPart, ODataResponse]]] = []
        changesets: list[bool] = []
        for parts, is_changeset in parse_batch(request):
            changesets.append(is_changeset)
            answers.append(self._changeset(parts) if is_changeset else [(parts[0], self.answer(parts[0].request))])
        return write_batch(answers, changesets, self.batches)

    def _changeset(self, parts: Sequence[BatchPart]) -> list[tuple[BatchPart, ODataResponse]]:
        """All parts, or one error for the whole set."""
        done: list[tuple[BatchPart, ODataResponse]] = []
        created: dict[str, str] = {}
        current = parts[0]
        try:
            with self.storage.transaction():
                for current in parts:
                    answer = self._answer(current.resolved(created).request)
                    location = answer.headers.get("location", "")
                    if current.content_id and location:
                        created[current.content_id] = location.rpartition("/")[2]
                    done.append((current, answer))
        except ODataError as error:
            return [(current, self.error(current.request, error))]
        return done


def _asks_json(request: ODataRequest) -> bool:
    return request.query.get("$format") == "json" or "application/json" in request.headers.get("accept", "")


def _needs_json(request: ODataRequest) -> None:
    # the real gateway would answer Atom XML; a client that forgets to ask for JSON would not get far there
    if not _asks_json(request):
        raise ODataError(406, "/IWFND/MED/406", "Ask for application/json: the stand-in writes no Atom")


def _not_implemented(request: ODataRequest, entity_set: EntitySet) -> ODataError:
    verb = {"POST": "CREATE", "DELETE": "DELETE"}.get(request.method, "UPDATE")
    return ODataError(400, NOT_IMPLEMENTED, f"Method '{entity_set.name.upper()}_{verb}_ENTITY' not implemented")


def _expanded(payload: Mapping[str, Any]) -> list[str]:
    """Deep inserts are answered with what was inserted."""
    names: list[str] = []
    for name, value in payload.items():
        if name.startswith("to_") and (children := children_of(value)):
            deeper = {path for child in children for path in _expanded(child)}
            names.extend([name, *(f"{name}/{path}" for path in sorted(deeper))])
    return names
