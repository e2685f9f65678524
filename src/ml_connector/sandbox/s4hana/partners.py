"""Business partners and customers: the storage behind API_BUSINESS_PARTNER."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_connector.sandbox.s4hana import partner_rules as rules
from ml_connector.sandbox.s4hana.master import MasterData
from ml_connector.sandbox.s4hana.odata.errors import Detail, bad_request, refused
from ml_connector.sandbox.s4hana.odata.fields import EntitySet, Row
from ml_connector.sandbox.s4hana.odata.filters import unknown_property
from ml_connector.sandbox.s4hana.odata.literals import from_json
from ml_connector.sandbox.s4hana.odata.message import children_of
from ml_connector.sandbox.s4hana.partner_tables import PARTNER_SERVICE
from ml_connector.sandbox.s4hana.settings import Settings
from ml_connector.sandbox.s4hana.tables import Table, Undo

ONE_TIME_GROUP = "CPD"
FIRST_PARTNER, FIRST_ADDRESS = 10_100_000, 20_000
END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
TOUCHES_PARTNER = frozenset({"A_BusinessPartner", "A_BusinessPartnerAddress", "A_BusinessPartnerRole"})
"""Sets whose changes move the partner's change date; those of the customer do not."""


@dataclass
class Partners:
    master: MasterData
    settings: Settings
    now: Callable[[], datetime]
    draw: random.Random
    undo: Undo = field(default_factory=Undo)
    version: int = 0
    tables: dict[str, Table] = field(default_factory=dict[str, Table])
    _partners_made: int = 0
    _addresses_made: int = 0

    def __post_init__(self) -> None:
        for each in PARTNER_SERVICE.sets:
            self.tables[each.name] = Table(each.type, self.undo)

    def transaction(self) -> AbstractContextManager[None]:
        return self.undo.transaction()

    def rows(self, set_name: str, values: Mapping[str, frozenset[Any]]) -> Iterable[Row]:
        return self.tables[set_name].rows(values)

    def etag(self, entity_set: EntitySet, row: Row) -> str | None:
        if not self.settings.partner_etags or entity_set.name != "A_BusinessPartner":
            return None
        return f"W/\"'{row['ETag']}'\""

    def reconciliation_account(self, customer: str, company: str) -> str | None:
        row = self.tables["A_CustomerCompany"].get((customer, company))
        return None if row is None or row["DeletionIndicator"] else row["ReconciliationAccount"]

    def is_one_time(self, customer: str) -> bool:
        row = self.tables["A_Customer"].get((customer,))
        return row is not None and row["CustomerAccountGroup"] == ONE_TIME_GROUP

    def is_blocked(self, customer: str) -> bool:
        row = self.tables["A_Customer"].get((customer,))
        return row is not None and bool(row["PostingIsBlocked"])

    def create(self, entity_set: EntitySet, payload: Mapping[str, Any], link: Mapping[str, Any], user: str) -> Row:
        """The entity with everything below it. Raises ``ODataError``."""
        with self.undo.transaction():
            row = self._insert(entity_set, payload, link, user)
            if entity_set.name == "A_BusinessPartner":
                self._check_roles(row)
            self.version += 1
            return row

    def update(self, entity_set: EntitySet, row: Row, payload: Mapping[str, Any], user: str, *, replace: bool) -> None:
        """PUT (``replace``) blanks what is not sent. Keys and read-only fields are left as they are."""
        if any(name.startswith("to_") for name in payload):
            raise bad_request("A deep update is not supported: change each entity by its own request")
        entity = entity_set.type
        sent = self._parsed(entity_set, payload)
        fixed = {each.name for each in entity.fields if each.key or not each.writable}
        kept = {name: value for name, value in row.items() if not replace or name in fixed}
        changed = entity.row({**kept, **{name: value for name, value in sent.items() if name not in fixed}})
        self._check(entity_set, changed, update=True)
        if entity_set.name == "A_BusinessPartner":
            self._name(changed)
        self.tables[entity_set.name].put(changed)
        self._touch(entity_set, changed, user)
        self.version += 1

    def delete(self, entity_set: EntitySet, row: Row, user: str) -> None:
        self.tables[entity_set.name].drop(row)
        self._touch(entity_set, row, user)
        self.version += 1

    def _insert(self, entity_set: EntitySet, payload: Mapping[str, Any], link: Mapping[str, Any], user: str) -> Row:
        entity = entity_set.type
        own = {name: value for name, value in payload.items() if name not in entity.nav_by_name}
        read_only = {each.name for each in entity.fields if not each.writable}
        sent = {name: value for name, value in self._parsed(entity_set, own).items() if name not in read_only}
        row = entity.row({**sent, **link})
        self._check(entity_set, row, update=False)
        self._number(entity_set, row, user)
        table = self.tables[entity_set.name]
        if table.get(entity.key_of(row)) is not None:
            raise refused(
                [Detail("R11/032", f"{entity_set.name} {'/'.join(map(str, entity.key_of(row)))} exists already")]
            )
        table.put(row)
        if entity_set.name == "A_BusinessPartnerRole":
            self._make_customer(row, user)
        self._touch(entity_set, row, user, created=True)
        for nav in entity.navs:
            if nav.name in payload:
                self._insert_below(row, nav.name, entity_set, payload[nav.name], user)
        return row

    def _insert_below(self, row: Row, nav_name: str, entity_set: EntitySet, value: Any, user: str) -> None:
        nav = entity_set.type.nav_by_name[nav_name]
        target = PARTNER_SERVICE.by_name[nav.target]
        link = {name: row[own] for name, own in nav.link.items()}
        for child in children_of(value):
            if target.name != "A_Customer":
                self._insert(target, child, link, user)
                continue
            customer = self.tables["A_Customer"].get((row["Customer"],))
            if not row["Customer"] or customer is None:
                raise refused([Detail("R11/640", "Customer data need a customer role of the business partner")])
            own = {name: each for name, each in child.items() if not name.startswith("to_")}
            self.update(target, customer, own, user, replace=False)
            for name in target.type.nav_by_name:
                if name in child:
                    self._insert_below(customer, name, target, child[name], user)

    def _parsed(self, entity_set: EntitySet, payload: Mapping[str, Any]) -> dict[str, Any]:
        parsed: dict[str, Any] = {}
        for name, value in payload.items():
            if name == "__metadata":
                continue
            if (each := entity_set.type.by_name.get(name)) is None:
                raise unknown_property(name, entity_set.type)
            parsed[name] = from_json(each, value)
        return parsed

    def _check(self, entity_set: EntitySet, row: Row, *, update: bool) -> None:
        match entity_set.name:
            case "A_BusinessPartner":
                problems = [] if update and row["BusinessPartner"] else rules.check_partner(row)
            case "A_BusinessPartnerAddress":
                problems = rules.check_address(row, self.settings)
            case "A_BusinessPartnerRole":
                problems = rules.check_role(row)
            case "A_BusinessPartnerTaxNumber":
                problems = rules.check_tax_number(row)
            case "A_CustomerCompany":
                problems = rules.check_customer_company(row, self.master)
            case "A_AddressEmailAddress":
                problems = rules.check_email(row)
            case _:
                problems = []
        if problems:
            raise refused(problems)

    def _number(self, entity_set: EntitySet, row: Row, user: str) -> None:
        """Keys and stamps that the system gives itself."""
        now = self.now()
        match entity_set.name:
            case "A_BusinessPartner":
                if not row["BusinessPartner"]:
                    self._partners_made += 1
                    row["BusinessPartner"] = str(FIRST_PARTNER + self._partners_made).zfill(10)
                row["BusinessPartnerUUID"] = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
                row["CreatedByUser"], row["CreationDate"], row["CreationTime"] = user[:12], _day(now), _time(now)
                row["ETag"] = now.strftime("%Y%m%d%H%M%S%f")
                self._name(row)
            case "A_BusinessPartnerAddress":
                self._addresses_made += 1
                row["AddressID"] = str(FIRST_ADDRESS + self._addresses_made)
                row["AddressUUID"] = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
                row["ValidityStartDate"], row["ValidityEndDate"] = now.replace(microsecond=0), END_OF_TIME
            case "A_AddressEmailAddress" | "A_AddressPhoneNumber":
                used = sum(1 for _ in self.tables[entity_set.name].below(row["AddressID"]))
                row["OrdinalNumber"] = row["OrdinalNumber"] or f"{used + 1:03}"
            case "A_BuPaAddressUsage":
                row["ValidityStartDate"] = row["ValidityStartDate"] or now.replace(microsecond=0)
                row["ValidityEndDate"] = row["ValidityEndDate"] or END_OF_TIME
            case "A_BusinessPartnerRole":
                row["ValidFrom"], row["ValidTo"] = row["ValidFrom"] or now.replace(microsecond=0), END_OF_TIME
            case _:
                return

    def _make_customer(self, role: Row, user: str) -> None:
        """A customer role makes the customer, under the partner's number."""
        partner = self.tables["A_BusinessPartner"].get((role["BusinessPartner"],))
        if partner is None or role["BusinessPartnerRole"] not in (rules.CUSTOMER_ROLE, rules.SALES_ROLE):
            return
        if not partner["Customer"]:
            partner["Customer"] = partner["BusinessPartner"]
            values = {
                "Customer": partner["BusinessPartner"],
                "CustomerName": partner["BusinessPartnerFullName"][:80],
                "BPCustomerName": partner["BusinessPartnerFullName"],
                "CustomerFullName": partner["BusinessPartnerFullName"].upper(),
                "CustomerAccountGroup": "CUST",
                "CreatedByUser": user[:12],
                "CreationDate": _day(self.now()),
            }
            table = self.tables["A_Customer"]
            table.put(table.type.row(values))
            self.undo.steps.append(lambda: partner.update(Customer=""))

    def _check_roles(self, partner: Row) -> None:
        number = partner["BusinessPartner"]
        roles = {each["BusinessPartnerRole"] for each in self.tables["A_BusinessPartnerRole"].below(number)}
        needs = (("A_CustomerCompany", rules.CUSTOMER_ROLE), ("A_CustomerSalesArea", rules.SALES_ROLE))
        for set_name, role in needs:
            if role not in roles and any(True for _ in self.tables[set_name].below(number)):
                raise refused([Detail("R11/640", f"{set_name} needs business partner role {role}")])

    def _touch(self, entity_set: EntitySet, row: Row, user: str, *, created: bool = False) -> None:
        if entity_set.name not in TOUCHES_PARTNER or (created and entity_set.name == "A_BusinessPartner"):
            return
        partner = self.tables["A_BusinessPartner"].get((row["BusinessPartner"],))
        now = self.now()
        if partner is None or (created and partner["CreationDate"] == _day(now) and not partner["LastChangeDate"]):
            return
        stamps = {
            "LastChangeDate": _day(now),
            "LastChangeTime": _time(now),
            "LastChangedByUser": user[:12],
            "ETag": now.strftime("%Y%m%d%H%M%S%f"),
        }
        table = self.tables["A_BusinessPartner"]
        table.put(table.type.row({**partner, **stamps}))

    def _name(self, row: Row) -> None:
        parts = {
            "1": ("FirstName", "MiddleName", "LastName"),
            "2": ("OrganizationBPName1", "OrganizationBPName2"),
            "3": ("GroupBusinessPartnerName1", "GroupBusinessPartnerName2"),
        }[row["BusinessPartnerCategory"]]
        full = " ".join(row[part] for part in parts if row[part])[:81]
        row["BusinessPartnerFullName"] = row["BusinessPartnerName"] = full


def _day(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - Edm.DateTime has no zone


def _time(moment: datetime) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)
