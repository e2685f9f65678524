"""Cancel, close and reopen of documents: a posted one gets a counter document that repeats its references."""

from __future__ import annotations

from decimal import Decimal

from ml_connector.sandbox.business_one.balances import partner_balances, settle
from ml_connector.sandbox.business_one.basing import draw_bases, release_open
from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.downpayments import draw
from ml_connector.sandbox.business_one.errors import refused, unsupported
from ml_connector.sandbox.business_one.fields import SETS, Row
from ml_connector.sandbox.business_one.stock import apply_moves

POSTED = ("Invoices", "CreditNotes", "DeliveryNotes", "Returns", "DownPayments")
TOUCHED = "You cannot cancel a document that is closed, paid or copied to other documents"


def cancel(company: Company, entity_set: str, row: Row) -> Row | None:
    """The counter document of a posted one; None for an order, which is only marked. Raises ``B1Error``."""
    if entity_set == "Drafts":
        raise unsupported()
    if row["CancelStatus"] != "csNo":
        raise refused("Document is already cancelled")
    if entity_set in POSTED:
        return _counter_document(company, entity_set, row)
    if row["DocumentStatus"] != "bost_Open" or any(
        line["RemainingOpenQuantity"] != line["Quantity"] for line in row["DocumentLines"]
    ):
        raise refused(TOUCHED)
    _end(company, entity_set, row, {"Cancelled": "tYES", "CancelStatus": "csYes", "CancelDate": company.today()})
    company.tell(entity_set, (row["DocEntry"],), "Cancelled")
    return None


def close(company: Company, entity_set: str, row: Row) -> None:
    """Raises ``B1Error`` where the document cannot be closed by hand."""
    if entity_set not in ("Orders", "Quotations", "DeliveryNotes", "Returns", "Drafts"):
        raise unsupported()
    if row["DocumentStatus"] != "bost_Open":
        raise refused("Document is already closed")
    _end(company, entity_set, row, {})
    company.tell(entity_set, (row["DocEntry"],), "Closed")


def reopen(company: Company, entity_set: str, row: Row) -> None:
    if entity_set not in ("Orders", "Quotations"):
        raise unsupported()
    if row["DocumentStatus"] != "bost_Close" or row["CancelStatus"] != "csNo" or "_open_before" not in row:
        raise refused("Document cannot be reopened")
    lines = row["_open_before"]
    changed = _changed(company, entity_set, row, {"DocumentStatus": "bost_Open", "DocumentLines": lines})
    if entity_set == "Orders":
        back = {**changed, "DocumentLines": [{**each, "RemainingOpenQuantity": -_left(each)} for each in lines]}
        release_open(company, back)
    partner_balances(company, entity_set, changed, 1)
    company.tell(entity_set, (row["DocEntry"],), "Reopened")


def _end(company: Company, entity_set: str, row: Row, marks: Row) -> None:
    partner_balances(company, entity_set, row, -1)
    if entity_set == "Orders":
        release_open(company, row)
    lines = [{**line, "LineStatus": "bost_Close", "RemainingOpenQuantity": Decimal(0)} for line in row["DocumentLines"]]
    values = {"DocumentStatus": "bost_Close", "DocumentLines": lines, "_open_before": row["DocumentLines"], **marks}
    _changed(company, entity_set, row, values)


def _counter_document(company: Company, entity_set: str, row: Row) -> Row:
    settled = row.get("_settled", ())
    applied = sum((amount for _, amount in settled), Decimal(0))
    paid = (row["PaidToDateFC"] if row["DocTotalFc"] else row["PaidToDate"]) - applied
    copied = any(line["RemainingOpenQuantity"] != line["Quantity"] for line in row["DocumentLines"])
    if paid or copied or row.get("_drawn_gross"):
        raise refused(TOUCHED)
    apply_moves(company, [move.reversed() for move in reversed(row["_moves"])])
    partner_balances(company, entity_set, row, -1)
    entry = company.next_number(entity_set)
    counter = {
        **row,
        **company.stamp(),
        "DocEntry": entry,
        "DocNum": company.next_number(f"series/{row['Series']}"),
        "TransNum": company.next_number("JournalEntries"),
        "DocDate": company.today(),
        "CreationDate": company.today(),
        "CancelStatus": "csCancellation",
        "DocumentStatus": "bost_Close",
        "DataVersion": 1,
        "DocumentLines": [_counter_line(entity_set, row, line, entry) for line in row["DocumentLines"]],
        "_moves": [],
        "_draws": [],
        "_settled": (),
    }
    if not company.settings.cancellation_copies_number_at_card:
        counter["NumAtCard"] = None
    company.table(entity_set).put((entry,), counter)
    for invoice, amount in settled:
        settle(company, "Invoices", invoice, -amount)
    draw_bases(company, row, sign=-1)
    if row.get("DownPaymentsToDraw"):
        draw(company, row, -1)
    closed = [
        {**line, "LineStatus": "bost_Close", "RemainingOpenQuantity": Decimal(0)} for line in row["DocumentLines"]
    ]
    marks = {"Cancelled": "tYES", "CancelStatus": "csYes", "DocumentStatus": "bost_Close", "DocumentLines": closed}
    _changed(company, entity_set, row, {**marks, "CancelDate": company.today()})
    company.tell(entity_set, (row["DocEntry"],), "Cancelled")
    company.tell(entity_set, (entry,), "Created")
    return counter


def _counter_line(entity_set: str, row: Row, line: Row, entry: int) -> Row:
    return {
        **line,
        "DocEntry": entry,
        "BaseType": SETS[entity_set].object_type,
        "BaseEntry": row["DocEntry"],
        "BaseLine": line["LineNum"],
        "LineStatus": "bost_Close",
        "RemainingOpenQuantity": Decimal(0),
    }


def _changed(company: Company, entity_set: str, row: Row, values: Row) -> Row:
    current = company.table(entity_set).rows[row["DocEntry"],]
    stamped = {**company.stamp(), "DataVersion": current["DataVersion"] + 1}
    return company.table(entity_set).change((row["DocEntry"],), **values, **stamped)


def _left(line: Row) -> Decimal:
    return Decimal(line.get("RemainingOpenQuantity") or 0)
