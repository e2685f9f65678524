"""The Business One stand-in's tables against the vendor's metadata (V3, with database columns) and OpenAPI files.

The OpenAPI set is newer: what the metadata lacks is looked up there. Both ways: each property of ours is the vendor's,
of the same type; and what the vendor declares of a key, an enumeration or a set is what ours has.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ml_connector.sandbox.business_one.fields import SETS, TYPES, Field
from ml_connector.sandbox.business_one.services import CONTEXTS, Services
from ml_connector.sandbox.business_one.sql.tables import TABLES
from ml_connector.sandbox.business_one.tables.enums import ENUMS, PARTIAL

pytestmark = pytest.mark.contract

EDM = {"Edm.String": "text", "Edm.Int32": "int", "Edm.Int16": "int", "Edm.Int64": "int", "Edm.Double": "number"}
EDM |= {"Edm.DateTime": "day", "Edm.Time": "time"}
LOCKED_BEYOND = {
    ("Document", "PaidToDate"),
    ("Document", "PaidToDateFC"),
    ("Document", "PaidToDateSys"),
}
"""Writable by the newer contract, which says nothing on writing; here the system alone moves them."""
CANCELLED = ("CANCELED", "Canceled")
"""One column, two properties; the metadata names it with either."""
NEWER_SETS = {"SQLQueries", "EventSubscriptions", "EventNotifications"}
NOT_IN_METADATA = {"SQLQuery", "EventSubscription", "Event", "EventNotification", "DocumentReference"}


@pytest.fixture(scope="module")
def specs() -> Path:
    folder = os.environ.get("ML_CONNECTOR_SPECS")
    if not folder:
        pytest.skip("ML_CONNECTOR_SPECS is not set: it names the folder with the vendors' contracts")
    return Path(folder) / "business_one"


@cache
def metadata(specs: Path) -> Any:
    return etree.parse(specs / "servicelayer_v1_metadata.edmx.xml").getroot()


@cache
def schemas(specs: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in sorted(specs.glob("openapi_*.json")):
        for name, schema in json.loads(file.read_text())["components"]["schemas"].items():
            found.setdefault(name, schema)
    return found


@cache
def paths(specs: Path) -> dict[str, Any]:
    return {
        path: methods
        for file in sorted(specs.glob("openapi_*.json"))
        for path, methods in json.loads(file.read_text())["paths"].items()
    }


def declared(specs: Path, name: str) -> dict[str, Any]:
    """Properties by name, of the entity or complex type in the metadata."""
    for kind in ("EntityType", "ComplexType"):
        for each in metadata(specs).iter("{*}" + kind):
            if each.get("Name") == name:
                return {one.get("Name"): one for one in each.iter("{*}Property")}
    return {}


def from_metadata(one: Any) -> tuple[str, str]:
    kind = one.get("Type")
    if kind.startswith("Collection("):
        return "collection", kind[len("Collection(SAPB1.") : -1]
    if kind in EDM:
        return EDM[kind], ""
    return "sapb1", kind.removeprefix("SAPB1.")


def from_openapi(schema: dict[str, Any]) -> tuple[str, str]:
    if schema.get("type") == "array":
        return "collection", schema["items"]["$ref"].rpartition("/")[2]
    reference = schema.get("$ref") or next((each["$ref"] for each in schema.get("allOf", [])), "")
    if reference:
        return "sapb1", reference.rpartition("/")[2]
    kinds = {"integer": "int", "number": "number", "string": "text"}
    return ("day" if schema.get("format") == "date-time" else kinds[schema["type"]]), ""


def ours(each: Field) -> tuple[str, str]:
    return ("sapb1" if each.kind in ("enum", "complex") else each.kind), each.of


@pytest.mark.parametrize("name", sorted(TYPES))
def test_properties_are_the_vendors(specs: Path, name: str) -> None:
    old, new = declared(specs, name), schemas(specs).get(name, {}).get("properties", {})
    assert old or name in NOT_IN_METADATA
    for each in TYPES[name].fields:
        if each.name in old:
            assert ours(each) == from_metadata(old[each.name]), each.name
            written = old[each.name].get("Writable") != "false"
            assert each.writable == written or (name, each.name) in LOCKED_BEYOND, each.name
        else:
            assert each.name in new, f"{name} has no {each.name}"
            kind, of = from_openapi(new[each.name])
            # the newer files tell times as plain text
            assert ours(each) == (kind, of) or (each.kind, kind) == ("time", "text"), each.name


@pytest.mark.parametrize("name", sorted(SETS))
def test_sets_have_the_vendors_type_and_key(specs: Path, name: str) -> None:
    sets = {each.get("Name"): each.get("EntityType") for each in metadata(specs).iter("{*}EntitySet")}
    known = paths(specs)
    if name in NEWER_SETS:
        assert f"/{name}" in known
        (single,) = (path for path in known if path.startswith(f"/{name}(") and path.count("/") == 1)
        assert single.count("{") == len(SETS[name].keys)
        return
    assert sets[name] == f"SAPB1.{SETS[name].type_name}"
    (entity,) = (each for each in metadata(specs).iter("{*}EntityType") if each.get("Name") == SETS[name].type_name)
    assert set(SETS[name].keys) == {each.get("Name") for each in entity.iter("{*}PropertyRef")}
    if f"/{name}" in known:
        assert ("post" in known[f"/{name}"]) >= SETS[name].creatable


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_enumerations_are_whole(specs: Path, name: str) -> None:
    members = {
        one.get("Name"): one.get("Value")
        for each in metadata(specs).iter("{*}EnumType")
        if each.get("Name") == name
        for one in each.iter("{*}Member")
    }
    newer = schemas(specs).get(name, {}).get("enum", [])
    if name in PARTIAL:
        assert ENUMS[name].items() <= members.items()
        return
    if members:
        assert dict(ENUMS[name]) == members
    else:
        assert set(ENUMS[name]) == set(newer)
    assert not newer or set(newer) == set(ENUMS[name]) or members


def test_every_enumeration_and_type_is_used() -> None:
    named = {each.of for of in TYPES.values() for each in of.fields}
    assert set(ENUMS) - named == {"BoSuppLangs"} - named
    entities = {each.type_name for each in SETS.values()} | {"AdminInfo", "CompanyInfo", "Series"}
    entities |= {"InternalReconciliationOpenTrans", "InternalReconciliationOpenTransParams"}
    entities |= {"PeriodCategoryParams", "FinancePeriod"}
    assert set(TYPES) == named & set(TYPES) | entities


@pytest.mark.parametrize("name", sorted(TABLES))
def test_sql_columns_are_the_aliases_of_their_properties(specs: Path, name: str) -> None:
    """The column of a stored query is the database's name of the property that it shows."""
    table = TABLES[name]
    properties = declared(specs, table.type_name)
    for column, prop in table.columns.items():
        alias = properties[prop].get("Alias") if prop in properties else None
        if alias is None or column in CANCELLED:
            assert prop in properties or prop in schemas(specs)[table.type_name]["properties"], (column, prop)
        else:
            assert alias.lower() == column.lower(), (name, column, prop, alias)


def test_functions_exist_with_their_parameters(specs: Path) -> None:
    imports = {each.get("Name"): each for each in metadata(specs).iter("{*}FunctionImport")}
    login = {each.get("Name") for each in imports["Login"].iter("{*}Parameter")}
    assert login == {"CompanyDB", "UserName", "Password", "Language"}
    known = set(imports) | {path.strip("/") for path in paths(specs)}
    functions = Services.functions(Services.__new__(Services))
    assert set(functions) <= known
    contexts = schemas(specs)["DecimalData"]["properties"]["Context"]["allOf"][0]["$ref"].rpartition("/")[2]
    assert set(CONTEXTS) <= set(schemas(specs)[contexts]["enum"])


def test_bound_actions_exist(specs: Path) -> None:
    for path in (
        "/Orders({docEntry})/Cancel",
        "/Orders({docEntry})/Close",
        "/Orders({docEntry})/Reopen",
        "/Invoices({docEntry})/CreateCancellationDocument",
        "/IncomingPayments({docEntry})/CancelbyCurrentSystemDate",
        "/VendorPayments({docEntry})/Cancel",
        "/JournalEntries({jdtNum})/Cancel",
        "/InternalReconciliations({reconNum})/Cancel",
        "/SQLQueries('{sqlCode}')/List",
        *(f"/EventSubscriptions('{{webhookID}}')/{each}" for each in ("Handshake", "Pause", "Resume", "Replay")),
    ):
        assert "post" in paths(specs)[path]
