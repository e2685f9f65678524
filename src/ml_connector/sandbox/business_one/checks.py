"""What a document is checked against before it is computed. All raise ``B1Error``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from ml_connector.sandbox.business_one.company import Company, number
from ml_connector.sandbox.business_one.errors import business, missing_reference, refused
from ml_connector.sandbox.business_one.fields import Row

CENTERS = ("CostingCode", "CostingCode2", "CostingCode3", "CostingCode4", "CostingCode5")


def posting_date(company: Company, day: date, *, closed: bool) -> None:
    if closed or not company.period_is_open(day):
        raise business("Date deviates from permissible range or posting period locked; specify another date")


def partner(company: Company, card_code: str | None) -> Row:
    if not card_code:
        raise refused("Specify a business partner [CardCode]")
    row = company.table("BusinessPartners").get(card_code)
    if row is None:
        raise missing_reference()
    if row.get("Frozen") == "tYES" or row.get("Valid") == "tNO":
        raise business(f"Business partner '{card_code}' is inactive")
    return row


def header(company: Company, entity_set: str, row: Row, given: Row) -> None:
    if entity_set == "Orders" and given.get("DocDueDate") is None:
        raise refused("Specify the delivery date [ORDR.DocDueDate]")
    if company.settings.branches:
        branch(company, row.get("BPL_IDAssignedToInvoice"))
    if row.get("DocObjectCode") == "oDownPayments" and row.get("DownPaymentType") is None:
        raise refused("Specify DownPaymentType")
    for name, table in (("PaymentGroupCode", "PaymentTermsTypes"), ("TransportationCode", "ShippingTypes")):
        code = row.get(name)
        if code not in (None, -1) and company.table(table).get(code) is None:
            raise missing_reference()


def branch(company: Company, number_: int | None) -> None:
    row = None if number_ is None else company.table("BusinessPlaces").get(number_)
    if row is None or row.get("Disabled") == "tYES":
        raise missing_reference()


def line(company: Company, document: Row, row: Row, index: int, *, frozen: bool) -> Row | None:
    """The item of an item line."""
    for position, name in enumerate(CENTERS, start=1):
        if row.get(name):
            rule = company.table("DistributionRules").get(row[name])
            if rule is None or rule.get("Active") == "tNO" or rule.get("InWhichDimension") != position:
                raise missing_reference()
    if row.get("ProjectCode") and company.table("Projects").get(row["ProjectCode"]) is None:
        raise missing_reference()
    if document["DocType"] == "dDocument_Service":
        if not row.get("AccountCode"):
            raise refused(f"Specify the G/L account [line: {index + 1}]")
        account(company, row["AccountCode"])
        return None
    if not row.get("ItemCode"):
        raise refused(f"Item number is missing [line: {index + 1}]")
    item = company.table("Items").get(row["ItemCode"])
    if item is None:
        raise missing_reference()
    if frozen or item.get("Frozen") == "tYES" or item.get("Valid") == "tNO":
        raise business(f"Item '{row['ItemCode']}' is inactive")
    if item.get("SalesItem") == "tNO":
        raise business(f"Item '{row['ItemCode']}' is not a sales item")
    for name, rows in (("ManageBatchNumbers", "BatchNumbers"), ("ManageSerialNumbers", "SerialNumbers")):
        if item.get(name) == "tYES" and document["DocObjectCode"] in ("oInvoices", "oDeliveryNotes"):
            given = sum((number(each, "Quantity") or Decimal(1) for each in row.get(rows) or ()), Decimal(0))
            if given != (row.get("Quantity") or 1) and not row.get("BaseType") == 15:
                raise business("Cannot add row without complete selection of batch/serial numbers")
    return item


def warehouse(company: Company, code: str) -> None:
    row = company.table("Warehouses").get(code)
    if row is None:
        raise missing_reference()
    if row.get("Inactive") == "tYES":
        raise business(f"Warehouse '{code}' is inactive")


def account(company: Company, code: str) -> Row:
    row = company.table("ChartOfAccounts").get(code)
    if row is None:
        raise missing_reference()
    if row.get("ActiveAccount") == "tNO":
        raise business(f"Account '{code}' is a title account")
    if row.get("FrozenFor") == "tYES":
        raise business(f"Account '{code}' is inactive")
    return row


def series(company: Company, object_type: int, row: Row) -> Row:
    """The wanted numbering series, or the default one of the object (and branch)."""
    known = [each for each in company.series if each["Document"] == str(object_type)]
    if row.get("Series") is not None:
        found = next((each for each in known if each["Series"] == row["Series"]), None)
    else:
        branch_ = row.get("BPL_IDAssignedToInvoice") or row.get("BPLID")
        found = next((each for each in known if each.get("BPLID") in (None, branch_)), None)
    if found is None:
        raise missing_reference()
    if found.get("Locked") == "tYES":
        raise business(f"Numbering series '{found['Name']}' is locked")
    return found


def down_payments(company: Company, wanted: Iterable[Row], card: Row) -> list[Row]:
    """What is drawn of each, with its gross amount."""
    found: list[Row] = []
    for each in wanted:
        row = company.table("DownPayments").get(each.get("DocEntry"))
        if row is None:
            raise missing_reference()
        if row["CardCode"] != card["CardCode"]:
            raise refused("Base document card and target document card do not match.")
        if row["DocumentStatus"] != "bost_Close" or row["CancelStatus"] != "csNo":
            raise refused("A down payment that is not paid cannot be drawn")
        net = row["DocTotal"] - row["VatSum"]
        gross = each.get("GrossAmountToDraw")
        if gross is None:
            gross = number(each, "AmountToDraw") * row["DocTotal"] / net if net else number(each, "AmountToDraw")
        gross = company.round_total(Decimal(gross), row["DocCurrency"])
        left = row["DocTotal"] - row.get("_drawn_gross", Decimal(0))
        unit = Decimal(1).scaleb(-company.decimals(row["DocCurrency"]))
        if left < gross <= left + unit:
            gross = left  # a net amount, half of which was rounded up before
        if gross > left:
            raise refused("The amount to draw is greater than what is left of the down payment")
        found.append({**each, "_gross": gross})
    return found
