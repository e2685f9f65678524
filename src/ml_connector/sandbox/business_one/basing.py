"""Copying from a base document: what a line inherits, what the base loses, what moves in the warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ml_connector.sandbox.business_one.balances import partner_balances
from ml_connector.sandbox.business_one.company import Company, number
from ml_connector.sandbox.business_one.errors import missing_reference, refused
from ml_connector.sandbox.business_one.fields import BY_OBJECT_TYPE, Row, words
from ml_connector.sandbox.business_one.stock import Move, apply_moves

BASES: Mapping[str, tuple[int, ...]] = {
    "Orders": (23,),
    "DeliveryNotes": (17, 13),
    "Invoices": (17, 15, 23),
    "CreditNotes": (13, 16, 203),
    "Returns": (15,),
    "DownPayments": (17, 23),
    "Quotations": (),
}
INHERITED = words(
    "ItemCode ItemDescription UnitPrice DiscountPercent VatGroup TaxCode WarehouseCode CostingCode CostingCode2 "
    "CostingCode3 CostingCode4 CostingCode5 ProjectCode AccountCode FreeText UoMEntry ShipToCode MeasureUnit"
)
CLOSED = "One of the base documents has already been closed"
MISMATCH = "Base document card and target document card do not match."


def inherit(company: Company, entity_set: str, header: Row, line: Row) -> Row:
    """The line with what the base line has and it does not say itself. Raises ``B1Error``."""
    if line.get("BaseType") in (None, -1):
        return line
    base, base_line = _base(company, line)
    if line["BaseType"] not in BASES[entity_set]:
        raise refused("The base document type does not fit the target document")
    if base["CardCode"] != header["CardCode"]:
        raise refused(MISMATCH)
    if base["CancelStatus"] != "csNo":
        raise refused(CLOSED)
    left = number(base_line, "RemainingOpenQuantity")
    crediting = line["BaseType"] == 13 and entity_set == "CreditNotes"
    delivering = base.get("ReserveInvoice") == "tYES" and entity_set == "DeliveryNotes"  # paid first, delivered later
    closed_by_payment = delivering or (crediting and company.settings.credit_paid_invoices)
    if base_line["LineStatus"] == "bost_Close" or left <= 0:
        raise refused(CLOSED)
    if base["DocumentStatus"] == "bost_Close" and not closed_by_payment and line["BaseType"] != 203:
        raise refused(CLOSED)
    wanted = line.get("Quantity")
    if crediting and wanted is not None and wanted > left:
        raise refused("The quantity is greater than the open quantity of the base document")
    found = {name: base_line[name] for name in INHERITED if base_line.get(name) is not None}
    found.update({name: value for name, value in base_line.items() if name.startswith("U_")})
    own = {name: value for name, value in line.items() if value is not None}
    if any(own.get(name) is not None for name in ("Price", "PriceAfterVAT", "GrossPrice", "LineTotal")):
        found.pop("UnitPrice", None)
    merged = {"Quantity": left, **found, **own}
    return {**merged, "_drawn": min(merged["Quantity"], left)}


def inherit_expense(company: Company, expense: Row) -> Row:
    """Freight is inherited only by a row that names its base."""
    if expense.get("BaseDocEntry") is None:
        return expense
    entity_set = BY_OBJECT_TYPE.get(expense.get("BaseDocType") or 0, "")
    base = company.table(entity_set).get(expense["BaseDocEntry"]) if entity_set in BASES else None
    rows = (base or {}).get("DocumentAdditionalExpenses") or ()
    found = next((row for row in rows if row["LineNum"] == expense.get("BaseDocLine", 0)), None)
    if found is None:
        raise missing_reference()
    names = ("ExpenseCode", "VatGroup", "TaxCode", "DistributionMethod", "Remarks")
    taken = {name: found[name] for name in names if found.get(name) is not None}
    foreign = found["LineTotalFC"]
    return {**taken, "LineTotal": foreign or found["LineTotal"], **expense}


def draw_bases(company: Company, row: Row, *, sign: int = 1) -> None:
    """Take the quantities from the base lines, close what is used up; ``sign`` -1 gives them back."""
    for line in row["DocumentLines"]:
        if line.get("BaseType") in (None, -1, 203) or row["DocObjectCode"] == "oDownPayments":
            continue
        entity_set = BY_OBJECT_TYPE[line["BaseType"]]
        base, base_line = _base(company, line)
        before = number(base_line, "RemainingOpenQuantity")
        left = before - sign * line["_drawn"]
        status = "bost_Open" if left else "bost_Close"
        lines = [
            {
                **each,
                "RemainingOpenQuantity": left,
                "RemainingOpenInventoryQuantity": left,
                "LineStatus": status,
            }
            if each["LineNum"] == base_line["LineNum"]
            else each
            for each in base["DocumentLines"]
        ]
        key = (base["DocEntry"],)
        values: Row = {"DocumentLines": lines}
        if entity_set in ("Orders", "Quotations", "DeliveryNotes", "Returns"):
            done = all(each["LineStatus"] == "bost_Close" for each in lines)
            values["DocumentStatus"] = "bost_Close" if done else "bost_Open"
        values.update(company.stamp(), DataVersion=base["DataVersion"] + 1)
        partner_balances(company, entity_set, base, -1)
        changed = company.table(entity_set).change(key, **values)
        partner_balances(company, entity_set, changed, 1)
        if values.get("DocumentStatus") == "bost_Close" and base["DocumentStatus"] == "bost_Open":
            company.tell(entity_set, key, "Closed")


def moves_of(company: Company, entity_set: str, row: Row) -> list[Move]:
    """What the posting moves, line by line."""
    moves: list[Move] = []
    for line in row["DocumentLines"]:
        if not line.get("ItemCode"):
            continue
        moves += [
            replace(move, line=line["LineNum"] + 1)
            for move in _line_moves(company, entity_set, line, reserve=row.get("ReserveInvoice") == "tYES")
        ]
    return moves


def _line_moves(company: Company, entity_set: str, line: Row, *, reserve: bool) -> list[Move]:
    item, warehouse, quantity, base = line["ItemCode"], line["WarehouseCode"], line["Quantity"], line.get("BaseType")
    if entity_set == "Orders":
        return [Move(item, warehouse, committed=quantity)]
    if line.get("WithoutInventoryMovement") == "tYES":
        return []
    released: list[Move] = []
    if base == 17 or (base == 13 and entity_set == "DeliveryNotes"):
        _, base_line = _base(company, line)
        released = [Move(item, base_line["WarehouseCode"], committed=-line["_drawn"])]
    if entity_set == "Invoices" and reserve:
        return [*released, Move(item, warehouse, committed=quantity)]
    if entity_set == "DeliveryNotes" or (entity_set == "Invoices" and base != 15):
        return [*released, Move(item, warehouse, in_stock=-quantity)]
    if entity_set == "Returns" or (entity_set == "CreditNotes" and base not in (16, 203)):
        return [Move(item, warehouse, in_stock=quantity)]
    return []


def release_open(company: Company, row: Row) -> None:
    """The open quantities of a sales order are committed no longer."""
    apply_moves(
        company,
        [
            Move(line["ItemCode"], line["WarehouseCode"], committed=-number(line, "RemainingOpenQuantity"))
            for line in row["DocumentLines"]
            if line.get("ItemCode") and line["LineStatus"] == "bost_Open"
        ],
    )


def _base(company: Company, line: Row) -> tuple[Row, Row]:
    entity_set = BY_OBJECT_TYPE.get(line["BaseType"], "")
    base = company.table(entity_set).get(line.get("BaseEntry")) if entity_set in BASES else None
    if base is None:
        raise missing_reference()
    found = next((each for each in base["DocumentLines"] if each["LineNum"] == line.get("BaseLine")), None)
    if found is None:
        raise missing_reference()
    return base, found
