"""What is open of a document, and what a partner owes."""

from __future__ import annotations

from decimal import Decimal

from ml_connector.sandbox.business_one.company import Company, number
from ml_connector.sandbox.business_one.fields import SETS, Row

OWED = {"Invoices": 1, "DownPayments": 1, "CreditNotes": -1}


def open_amount(row: Row) -> Decimal:
    """In the document's currency."""
    if row["DocTotalFc"]:
        return row["DocTotalFc"] - row["PaidToDateFC"]
    return row["DocTotal"] - row["PaidToDate"]


def zero_is_closed(row: Row) -> Row:
    """A document over nothing has nothing to be paid."""
    accounted = row["DocObjectCode"] in ("oInvoices", "oCreditNotes", "oDownPayments")
    return {**row, "DocumentStatus": "bost_Close"} if accounted and not row["DocTotal"] else row


def settle(company: Company, entity_set: str, entry: int, amount: Decimal) -> Row:
    """Take ``amount`` (document currency; negative gives back) off what is open; closed at nothing."""
    table = company.table(entity_set)
    row = table.rows[entry,]
    foreign = bool(row["DocTotalFc"])
    values: Row = {}
    if foreign:
        paid = row["PaidToDateFC"] + amount
        values["PaidToDateFC"] = paid
        local = company.round_total(paid * row["DocRate"], company.settings.local_currency)
        values["PaidToDate"] = row["DocTotal"] if paid == row["DocTotalFc"] else local
    else:
        values["PaidToDate"] = paid = row["PaidToDate"] + amount
    done = paid >= (row["DocTotalFc"] if foreign else row["DocTotal"])
    values.update(PaidToDateSys=values["PaidToDate"], DocumentStatus="bost_Close" if done else "bost_Open")
    values["DataVersion"] = row["DataVersion"] + 1
    if company.settings.payment_moves_stamp:
        values.update(company.stamp())
    before = row["DocumentStatus"]
    changed = table.change((entry,), **values)
    if changed["DocumentStatus"] != before:
        company.tell(entity_set, (entry,), "Closed" if done else "Reopened")
    return changed


def partner_balances(company: Company, entity_set: str, row: Row, sign: int) -> None:
    """Add what the document stands for to the partner's balances, or take it away."""
    name, amount = "", Decimal(0)
    if entity_set in OWED:
        name, amount = "CurrentAccountBalance", OWED[entity_set] * row["DocTotal"]
    elif entity_set in ("Orders", "DeliveryNotes") and row["CancelStatus"] == "csNo":
        name = "OpenOrdersBalance" if entity_set == "Orders" else "OpenDeliveryNotesBalance"
        amount = _open_gross(row)
    if name and amount:
        add_to_balance(company, row["CardCode"], name, sign * amount)


def add_to_balance(company: Company, card_code: str, name: str, amount: Decimal) -> None:
    table = company.table("BusinessPartners")
    row = table.get(card_code)
    if row is not None:
        table.change((card_code,), **{name: number(row, name) + amount})


def _open_gross(row: Row) -> Decimal:
    total = Decimal(0)
    for line in row["DocumentLines"]:
        if line["Quantity"] and line["LineStatus"] == "bost_Open":
            total += line["GrossTotal"] * number(line, "RemainingOpenQuantity") / line["Quantity"]
    return total.quantize(Decimal("0.000001"))


OBJECT_TYPES = {name: each.object_type for name, each in SETS.items()}
