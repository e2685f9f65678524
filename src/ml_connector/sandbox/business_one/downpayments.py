"""Down payments: how much one asks for, and what invoices have drawn of it."""

from __future__ import annotations

from decimal import Decimal

from ml_connector.sandbox.business_one.checks import down_payments
from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.fields import Row


def with_percentage(entity_set: str, header: Row) -> Row:
    """A down payment is for a share of its lines: told as the discount that leaves that share."""
    share = header.get("DownPaymentPercentage")
    if entity_set != "DownPayments" or share is None:
        return header
    return {**header, "DiscountPercent": Decimal(100) - share, "DocTotal": None, "DocTotalFc": None}


def draw(company: Company, document: Row, sign: int) -> None:
    """Note on each down payment what the document draws of it (``sign`` 1) or gives back (-1)."""
    wanted = document.get("DownPaymentsToDraw") or ()
    if not wanted:
        return
    card = company.table("BusinessPartners").rows[document["CardCode"],]
    found = down_payments(company, wanted, card) if sign > 0 else document["_draws"]
    for each in found:
        row = company.table("DownPayments").rows[each["DocEntry"],]
        drawn = row.get("_drawn_gross", Decimal(0)) + sign * each["_gross"]
        status = "so_Closed" if drawn >= row["DocTotal"] else "so_Open"
        company.table("DownPayments").change((each["DocEntry"],), _drawn_gross=drawn, DownPaymentStatus=status)
    if sign > 0:
        company.table("Invoices").change((document["DocEntry"],), _draws=found)
