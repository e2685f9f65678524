"""Field tables: what an entity has, as the vendor's metadata declares it.

A table is text, one token a field: ``Name:type`` with the type written as

* ``16`` text of at most 16 characters, ``16U`` stored in upper case, ``3N`` digits shown without leading zeros;
* ``D`` day (Edm.DateTime), ``TS`` moment (Edm.DateTimeOffset), ``T`` time of day, ``B`` boolean, ``G`` GUID;
* ``24.3`` decimal of 24 digits with 3 fractions;

followed by ``!`` for a key and ``-`` for a field that a client cannot write. ``ALPHA`` names the fields whose
digits-only values are stored padded to their length and shown without padding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from typing import Any

Row = dict[str, Any]

ALPHA = frozenset(
    {
        *("GLAccount", "OperationalGLAccount", "AlternativeGLAccount", "SampleGLAccount", "ReconciliationAccount"),
        *("Customer", "Supplier", "BusinessPartner", "AlternativePayerAccount", "CustomerHeadOffice"),
        *("AccountingDocument", "ReverseDocument", "ClearingAccountingDocument", "InvoiceReference"),
        *("CostCenter", "ProfitCenter", "OffsettingAccount", "BranchAccount", "CostElement"),
    }
)

EDM = {
    "D": "Edm.DateTime",
    "TS": "Edm.DateTimeOffset",
    "T": "Edm.Time",
    "B": "Edm.Boolean",
    "G": "Edm.Guid",
}
TOKEN = re.compile(r"(?P<name>\w+):(?P<type>\d+\.\d+|\d+[UN]?|TS|[DTBG])(?P<key>!?)(?P<locked>-?)")


@dataclass(frozen=True)
class Field:
    name: str
    edm: str
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    upper: bool = False
    numeric: bool = False
    key: bool = False
    writable: bool = True

    @property
    def alpha(self) -> bool:
        return self.name in ALPHA


@dataclass(frozen=True)
class Nav:
    """A navigation. ``link`` maps the target's leading key fields to the fields here that give their values."""

    name: str
    target: str
    many: bool
    link: Mapping[str, str]


@dataclass(frozen=True)
class EntityType:
    name: str
    fields: tuple[Field, ...]
    navs: tuple[Nav, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        return {each.name: each for each in self.fields}

    @cached_property
    def keys(self) -> tuple[Field, ...]:
        return tuple(each for each in self.fields if each.key)

    @cached_property
    def nav_by_name(self) -> Mapping[str, Nav]:
        return {each.name: each for each in self.navs}

    @cached_property
    def initial(self) -> Mapping[str, Any]:
        """A row as the database initialises it: texts blank, flags off, amounts zero, dates and GUIDs absent."""
        return {each.name: _initial(each) for each in self.fields}

    def row(self, values: Mapping[str, Any]) -> Row:
        return SparseRow(self.initial, values)

    def key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[each.name] for each in self.keys)


@dataclass(frozen=True)
class EntitySet:
    name: str
    type: EntityType
    creatable: bool = False
    updatable: bool = False
    deletable: bool = False


@dataclass(frozen=True)
class Service:
    """One OData service: its path segment, XML namespace and the scenarios of which one must be arranged."""

    name: str
    namespace: str
    scenarios: tuple[str, ...]
    sets: tuple[EntitySet, ...]

    @cached_property
    def by_name(self) -> Mapping[str, EntitySet]:
        return {each.name: each for each in self.sets}


class SparseRow(Row):
    """A row that keeps only what differs from the initial values of its type."""

    def __init__(self, initial: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._initial = initial

    def __missing__(self, name: str) -> Any:
        return self._initial[name]


def entity(name: str, table: str, *navs: Nav) -> EntityType:
    """Raises ``ValueError`` for a token that is not in the grammar."""
    return EntityType(name, tuple(_parse(token) for token in table.split()), navs)


def _parse(token: str) -> Field:
    match = TOKEN.fullmatch(token)
    if match is None:
        raise ValueError(f"not a field: {token}")
    kind = match["type"]
    field = partial(Field, name=match["name"], key=bool(match["key"]), writable=not match["locked"])
    if kind in EDM:
        return field(edm=EDM[kind], precision=0 if kind in ("D", "TS", "T") else None)
    if "." in kind:
        precision, scale = kind.split(".")
        return field(edm="Edm.Decimal", precision=int(precision), scale=int(scale))
    length = int(kind.rstrip("UN"))
    return field(edm="Edm.String", max_length=length, upper=kind.endswith("U"), numeric=kind.endswith("N"))


def _initial(each: Field) -> Any:
    if each.edm == "Edm.String":
        return ""
    if each.edm == "Edm.Boolean":
        return False
    if each.edm == "Edm.Decimal":
        return Decimal(0)
    return None
