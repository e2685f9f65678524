"""Business partners, items and the smaller tables: created, merged, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.business_one.company import Company, one_key
from ml_connector.sandbox.business_one.errors import business, duplicate_key, missing_reference, refused, unsupported
from ml_connector.sandbox.business_one.fields import SETS, Row
from ml_connector.sandbox.business_one.store import Key

LINE_KEYS: Mapping[str, tuple[str, ...]] = {
    "BPAddresses": ("BPCode", "RowNum", "AddressType"),
    "ContactEmployees": ("InternalCode",),
    "ItemPrices": ("PriceList",),
    "ItemWarehouseInfoCollection": ("WarehouseCode",),
    "ItemBarCodeCollection": ("AbsEntry",),
    "ItemUnitOfMeasurementCollection": ("UoMType", "UoMEntry"),
    "SpecialPriceDataAreas": ("RowNumber",),
    "VatGroups_Lines": ("Effectivefrom",),
    "DistributionRuleLines": ("CenterCode", "EffectiveFrom"),
}
NUMBERED = {"AdditionalExpenses": "ExpensCode"}
READ_ONLY_ITEM_WAREHOUSE = ("InStock", "Committed", "Ordered")


@dataclass
class MasterData:
    company: Company

    def create(self, entity_set: str, given: Row) -> Row:
        """Raises ``B1Error``."""
        row = dict(given)
        if entity_set == "BusinessPartners":
            row = self._new_partner(row)
        elif entity_set == "Items":
            row = self._new_item(row)
        elif entity_set in NUMBERED:
            row[NUMBERED[entity_set]] = self.company.next_number(entity_set)
        key = one_key(row, SETS[entity_set].keys)
        if self.company.table(entity_set).get(*key) is not None:
            raise self._exists(entity_set, key)
        if SETS[entity_set].stamped:
            row.update(self.company.stamp(created=True))
        if SETS[entity_set].etag:
            row["DataVersion"] = 1
        self.company.table(entity_set).put(key, row)
        if entity_set in ("BusinessPartners", "Items"):
            self.company.tell(entity_set, key, "Created")
        return row

    def patch(self, entity_set: str, key: Key, given: Row, *, replace: bool) -> Row:
        """Merged: lines by their key, others added; ``replace`` drops those that are not sent."""
        row = self.company.table(entity_set).rows[key]
        changed = {**row, **self._merged(row, given, replace=replace)}
        if entity_set == "BusinessPartners":
            changed = self._checked_partner(changed)
        if SETS[entity_set].stamped:
            changed.update(self.company.stamp())
        if SETS[entity_set].etag:
            changed["DataVersion"] = int(row.get("DataVersion") or 0) + 1
        self.company.table(entity_set).put(key, changed)
        if entity_set in ("BusinessPartners", "Items"):
            self.company.tell(entity_set, key, "Updated")
        return changed

    def delete(self, entity_set: str, key: Key) -> None:
        if entity_set == "BusinessPartners" and self._is_used("CardCode", key[0]):
            raise refused("You cannot remove a business partner with transactions")
        if entity_set == "Items" and self._is_item_used(key[0]):
            raise refused("You cannot remove an item with transactions")
        self.company.table(entity_set).delete(key)
        if entity_set in ("BusinessPartners", "Items"):
            self.company.tell(entity_set, key, "Deleted")

    def _merged(self, row: Row, given: Row, *, replace: bool) -> Row:
        merged: Row = {}
        for name, value in given.items():
            keys = LINE_KEYS.get(name)
            if keys is None or not isinstance(value, list):
                merged[name] = value
            else:
                merged[name] = merge_lines(row.get(name) or [], value, keys, replace=replace)  # pyright: ignore[reportUnknownArgumentType]
        return merged

    def _new_partner(self, row: Row) -> Row:
        if not row.get("CardCode"):
            if row.get("Series") is None:
                raise refused("Specify CardCode or Series")
            row["CardCode"] = f"C{self.company.next_number('partner series'):05d}"
        row = {
            "CardType": "cCustomer",
            "Currency": self.company.settings.local_currency,
            "Valid": "tYES",
            "Frozen": "tNO",
            "PriceListNum": 1,
            "GroupCode": 100,
            "PayTermsGrpCode": -1,
            "VatLiable": "vLiable",
            "CompanyPrivate": "cCompany",
            "DebitorAccount": "_SYS00000000110",
            "CurrentAccountBalance": Decimal(0),
            "OpenOrdersBalance": Decimal(0),
            "OpenDeliveryNotesBalance": Decimal(0),
            **{name: value for name, value in row.items() if value is not None},
        }
        return self._checked_partner(row)

    def _checked_partner(self, row: Row) -> Row:
        for name, table in (("GroupCode", "BusinessPartnerGroups"), ("PriceListNum", "PriceLists")):
            if row.get(name) is not None and self.company.table(table).get(row[name]) is None:
                raise missing_reference()
        if row.get("Currency") != "##" and self.company.table("Currencies").get(row.get("Currency")) is None:
            raise missing_reference()
        addresses: list[Row] = []
        for each in row.get("BPAddresses") or ():
            if each.get("Country") and self.company.table("Countries").get(each["Country"]) is None:
                raise missing_reference()
            used = [one.get("RowNum") for one in row["BPAddresses"]] + [one["RowNum"] for one in addresses]
            number = each.get("RowNum")
            number = next(n for n in range(len(used) + 1) if n not in used) if number is None else number
            addresses.append({"AddressType": "bo_ShipTo", **each, "BPCode": row["CardCode"], "RowNum": number})
        if _repeated(addresses, lambda each: (each.get("AddressName"), each["AddressType"])):
            raise duplicate_key()
        contacts: list[Row] = []
        for each in row.get("ContactEmployees") or ():
            code = each.get("InternalCode") or self.company.next_number("contacts")
            contacts.append({"Active": "tYES", **each, "CardCode": row["CardCode"], "InternalCode": code})
        if _repeated(contacts, lambda each: each.get("Name")):
            raise duplicate_key()
        return {**row, "BPAddresses": addresses, "ContactEmployees": contacts}

    def _new_item(self, row: Row) -> Row:
        if not row.get("ItemCode"):
            raise refused("Specify ItemCode")
        row = {
            "ItemsGroupCode": 100,
            "InventoryItem": "tYES",
            "SalesItem": "tYES",
            "PurchaseItem": "tYES",
            "Valid": "tYES",
            "Frozen": "tNO",
            "ItemType": "itItems",
            "TreeType": "iNotATree",
            "VatLiable": "tYES",
            "QuantityOnStock": Decimal(0),
            "QuantityOrderedByCustomers": Decimal(0),
            "QuantityOrderedFromVendors": Decimal(0),
            **{name: value for name, value in row.items() if value is not None},
        }
        if self.company.table("ItemGroups").get(row["ItemsGroupCode"]) is None:
            raise missing_reference()
        given = {each.get("WarehouseCode"): each for each in row.get("ItemWarehouseInfoCollection") or ()}
        zero = dict.fromkeys(READ_ONLY_ITEM_WAREHOUSE, Decimal(0))
        row["ItemWarehouseInfoCollection"] = [
            {"Locked": "tNO", **given.get(code, {}), "WarehouseCode": code, "ItemCode": row["ItemCode"], **zero}
            for (code,) in self.company.table("Warehouses").rows
        ]
        prices = {each.get("PriceList"): each for each in row.get("ItemPrices") or ()}
        local = self.company.settings.local_currency
        row["ItemPrices"] = [
            {
                "Currency": local,
                "BasePriceList": number,
                "Factor": Decimal(1),
                **prices.get(number, {}),
                "PriceList": number,
            }
            for (number,) in self.company.table("PriceLists").rows
        ]
        return row

    def _exists(self, entity_set: str, key: Key) -> Any:
        if entity_set == "BusinessPartners":
            taken = f"Business partner code '{key[0]}' already assigned to a business partner"
            return business(f"1320000140 - {taken}; enter a unique code")
        if entity_set == "Items":
            return business(f"Item code '{key[0]}' already exists")
        return duplicate_key()

    def _is_used(self, name: str, value: Any) -> bool:
        sets = ("Orders", "Invoices", "DeliveryNotes", "CreditNotes", "DownPayments", "IncomingPayments")
        wanted = {name: frozenset({value})}
        return any(next(iter(self.company.table(each).matching(wanted)), None) is not None for each in sets)

    def _is_item_used(self, code: str) -> bool:
        sets = ("Orders", "Invoices", "DeliveryNotes", "CreditNotes")
        return any(
            line.get("ItemCode") == code
            for each in sets
            for row in self.company.table(each).rows.values()
            for line in row["DocumentLines"]
        )


def merge_lines(old: Sequence[Row], given: Sequence[Row], keys: tuple[str, ...], *, replace: bool) -> list[Row]:
    """A line matches by all of its keys; without them it is a new one, whatever its other values."""
    left = list(old)
    kept: list[Row] = []
    added: list[Row] = []
    for line in given:
        found = next((each for each in left if all(line.get(name) == each.get(name) for name in keys)), None)
        if found is None:
            added.append(line)
        else:
            left.remove(found)
            kept.append({**found, **line})
    if replace:
        return kept + added
    changed = {tuple(each.get(name) for name in keys): each for each in kept}
    return [changed.get(tuple(each.get(name) for name in keys), each) for each in old] + added


def _repeated(rows: Sequence[Row], key: Callable[[Row], Any]) -> bool:
    found = [key(row) for row in rows]
    return any(each is not None and found.count(each) > 1 for each in found)


def not_supported(entity_set: str, verb: str) -> None:
    """Raises ``B1Error`` -5006 where the set has no such deed."""
    each = SETS[entity_set]
    if not {"create": each.creatable, "update": each.updatable, "delete": each.deletable}[verb]:
        raise unsupported()
