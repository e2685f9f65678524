"""Internal reconciliations: open items of a customer matched by hand, as the Internal Reconciliation window does it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ml_connector.sandbox.business_one import checks
from ml_connector.sandbox.business_one.balances import open_amount, settle
from ml_connector.sandbox.business_one.company import Asked, Company, number
from ml_connector.sandbox.business_one.errors import business, missing_reference, refused
from ml_connector.sandbox.business_one.fields import SETS, Row

RECONCILIATIONS = "InternalReconciliations"
SIDES = {
    "Invoices": "codDebit",
    "CreditNotes": "codCredit",
    "IncomingPayments": "codCredit",
    "VendorPayments": "codDebit",
}
PAYMENTS = ("IncomingPayments", "VendorPayments")


def open_items(company: Company, asked: Row) -> Row:
    """What is open of the named partners, posted on the named days. Raises ``B1Error``."""
    if asked.get("CardOrAccount") != "coaCard":
        raise refused("The stand-in reconciles business partners only")
    names = {str(each.get("BPCode")) for each in asked.get("InternalReconciliationBPs") or ()}
    for name in names:
        checks.partner(company, name)
    first, last = asked.get("FromDate"), asked.get("ToDate")
    rows = [
        item
        for entity_set in SIDES
        for row, item in _items(company, entity_set)
        if item["ShortName"] in names
        and (first is None or row["DocDate"] >= first)
        and (last is None or row["DocDate"] <= last)
    ]
    day = asked.get("ReconDate") or company.today()
    return {"CardOrAccount": "coaCard", "ReconDate": day, "InternalReconciliationOpenTransRows": rows}


def reconcile(company: Company, given: Row, asked: Asked) -> Row:
    """Matches what is selected: as much debit as credit, none of it above what is open. Raises ``B1Error``."""
    day = given.get("ReconDate") or company.today()
    checks.posting_date(company, day, closed="closed_period" in asked.faults)
    known = {
        (item["TransId"], item["TransRowId"]): item for name in SIDES for _, item in _items(company, name)
    }  # fmt: skip
    chosen = [each for each in given.get("InternalReconciliationOpenTransRows") or () if each.get("Selected") == "tYES"]
    sums = {"codDebit": Decimal(0), "codCredit": Decimal(0)}
    rows: list[Row] = []
    for index, each in enumerate(chosen):
        item = known.get((each.get("TransId"), each.get("TransRowId")))
        if item is None:
            raise missing_reference()
        amount = number(each, "ReconcileAmount")
        if amount <= 0 or amount > item["ReconcileAmount"]:
            raise business("Reconciliation amount exceeds the open balance of the transaction")
        sums[item["CreditOrDebit"]] += amount
        rows.append({**item, "LineSeq": index, "ReconcileAmount": amount, "CashDiscount": Decimal(0)})
    if len(rows) < 2 or sums["codDebit"] != sums["codCredit"]:
        raise business("Reconciliation is not balanced")
    if len({row["ShortName"] for row in rows}) != 1:
        raise refused("The transactions belong to several business partners")
    for row in rows:
        _take(company, row, row["ReconcileAmount"])
    entry = asked.reserved_entry or company.next_number(RECONCILIATIONS)
    made: Row = {
        "ReconNum": entry,
        "ReconDate": day,
        "CardOrAccount": "coaCard",
        "ReconType": "rtManual",
        "Total": sums["codDebit"],
        "CancelAbs": 0,
        "InternalReconciliationRows": rows,
    }
    company.table(RECONCILIATIONS).put((entry,), made)
    return made


def cancel(company: Company, row: Row) -> None:
    """The items are open again; a second reconciliation stands for the cancellation."""
    if row["CancelAbs"]:
        raise refused("The reconciliation is already cancelled")
    for each in row["InternalReconciliationRows"]:
        _take(company, each, -each["ReconcileAmount"])
    entry = company.next_number(RECONCILIATIONS)
    table = company.table(RECONCILIATIONS)
    table.change((row["ReconNum"],), CancelAbs=entry)
    counter = {**row, "ReconNum": entry, "ReconType": "rtCancellation", "CancelAbs": row["ReconNum"]}
    table.put((entry,), {**counter, "ReconDate": company.today()})


def _items(company: Company, entity_set: str) -> Iterator[tuple[Row, Row]]:
    """Each open document with its open item. Local currency only: the stand-in matches nothing at two rates."""
    for row in company.table(entity_set).in_key_order():
        left = _open(row) if entity_set in PAYMENTS else open_amount(row)
        if row["CancelStatus"] != "csNo" or row.get("DocTotalFc") or left <= 0:
            continue
        payment = entity_set in PAYMENTS
        yield (
            row,
            {
                "Selected": "tNO",
                "ShortName": row["CardCode"],
                "TransId": row["_journal"] if payment else row["TransNum"],
                "TransRowId": 1 if payment else 0,
                "SrcObjTyp": str(SETS[entity_set].object_type),
                "SrcObjAbs": row["DocEntry"],
                "CreditOrDebit": SIDES[entity_set],
                "ReconcileAmount": left,
                "CashDiscount": Decimal(0),
            },
        )


def _open(row: Row) -> Decimal:
    """What of a payment is on account and not matched yet."""
    if row["DocType"] == "rAccount" or row["DocRate"] != 1:
        return Decimal(0)
    applied = sum((amount for _, _, amount in row["_settled"]), Decimal(0))
    return row["_means"] - applied - row.get("_matched", Decimal(0))


def _take(company: Company, item: Row, amount: Decimal) -> None:
    entity_set = next(name for name in SIDES if str(SETS[name].object_type) == item["SrcObjTyp"])
    if entity_set not in PAYMENTS:
        settle(company, entity_set, item["SrcObjAbs"], amount)
        return
    row = company.table(entity_set).rows[item["SrcObjAbs"],]
    company.table(entity_set).change((item["SrcObjAbs"],), _matched=row.get("_matched", Decimal(0)) + amount)
