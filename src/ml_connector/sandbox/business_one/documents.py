"""Marketing documents: posting with everything that follows from it, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.business_one import basing, checks
from ml_connector.sandbox.business_one.balances import open_amount, partner_balances, settle, zero_is_closed
from ml_connector.sandbox.business_one.company import Asked, Company, number
from ml_connector.sandbox.business_one.downpayments import draw, with_percentage
from ml_connector.sandbox.business_one.errors import B1Error, business, missing_reference, refused
from ml_connector.sandbox.business_one.fields import SETS, Row, words
from ml_connector.sandbox.business_one.pricing import PRICE_FIELDS, price_expense, price_line, terms_of, total_up
from ml_connector.sandbox.business_one.stock import Move, apply_moves, quantities

OBJECT_NAMES: Mapping[str, str] = {
    "Orders": "oOrders",
    "Invoices": "oInvoices",
    "DeliveryNotes": "oDeliveryNotes",
    "CreditNotes": "oCreditNotes",
    "Returns": "oReturns",
    "DownPayments": "oDownPayments",
    "Quotations": "oQuotations",
}
SET_OF_OBJECT = {name: entity_set for entity_set, name in OBJECT_NAMES.items()}
SOFT = frozenset(
    words(
        "Comments NumAtCard JournalMemo TrackingNumber TransportationCode DocDueDate ShipToCode PayToCode PickRemark "
        "OpeningRemarks ClosingRemarks SalesPersonCode Reference1 Reference2 Indicator Project AddressExtension "
        "DocumentReferences Confirmed PaymentMethod"
    )
)
"""What can still be changed of a posted document."""


@dataclass
class Documents:
    company: Company

    def post(self, entity_set: str, given: Row, asked: Asked, *, approved: bool = False) -> Row:
        """Raises ``B1Error``. A document caught for approval leaves a draft and is refused with -2028."""
        built = self.build(entity_set, given, asked)
        if not approved and self._needs_approval(entity_set, built, asked):
            self._store_draft(entity_set, built, given, "dasPending", asked)
            raise B1Error(400, -2028, "No matching records found (ODBC -2028)", keep=True)
        if "stock_refused" in asked.faults:
            raise business("Quantity falls into negative inventory  [INV1.ItemCode][line: 1]")
        if "veto" in asked.faults:
            raise B1Error(400, -1116, str(asked.faults["veto"].get("text", "(1000) document with same key exists")))
        key = (self._entry(entity_set, asked),)
        row: Row = {**built, "DocEntry": key[0], **self._numbered(entity_set, built)}
        row["DocumentLines"] = [{**line, "DocEntry": key[0]} for line in row["DocumentLines"]]
        row = {**row, **self._book(entity_set, row)}
        self.company.table(entity_set).put(key, zero_is_closed(row))
        partner_balances(self.company, entity_set, row, 1)
        basing.draw_bases(self.company, row)
        settle_with_base(self.company, entity_set, row)
        draw(self.company, row, 1)
        self.company.tell(entity_set, key, "Created")
        return self.company.table(entity_set).rows[key]

    def save_draft(self, given: Row, asked: Asked) -> Row:
        """``POST /Drafts``: computed, nothing moved."""
        entity_set = SET_OF_OBJECT.get(str(given.get("DocObjectCode")))
        if entity_set is None:
            raise refused("Specify DocObjectCode of the draft")
        return self._store_draft(entity_set, self.build(entity_set, given, asked), given, "dasWithout", asked)

    def preview(self, entity_set: str, given: Row, asked: Asked) -> Row:
        """As it would be posted, with no key; nothing is kept."""
        return {**self.build(entity_set, given, asked), "DocEntry": None, "DocNum": None}

    def build(self, entity_set: str, given: Row, asked: Asked) -> Row:
        """Header and lines with all that is computed, checked against master data; nothing is written."""
        company = self.company
        header = self._header(entity_set, given)
        checks.posting_date(company, header["DocDate"], closed="closed_period" in asked.faults)
        card = checks.partner(company, header.get("CardCode"))
        checks.header(company, entity_set, header, given)
        terms = terms_of(company, card, header, rate_missing="rate_missing" in asked.faults)
        header = {**header, "DocCurrency": terms.currency, "DocRate": terms.rate, "CardName": header.get("CardName")}
        header["CardName"] = header["CardName"] or card.get("CardName")
        if header.get("DiscountPercent") is None and header.get("DocTotal") is None and card.get("DiscountPercent"):
            header["DiscountPercent"] = card["DiscountPercent"]
        lines: list[Row] = []
        for index, line in enumerate(given.get("DocumentLines") or ()):
            inherited = basing.inherit(company, entity_set, header, line)
            item = checks.line(company, header, inherited, index, frozen="item_frozen" in asked.faults)
            numbered = {**inherited, "LineNum": index, "VisualOrder": index}
            lines.append(price_line(company, terms, self._line_defaults(numbered, item), item))
        if not lines:
            raise refused("The document has no lines")
        expenses = [
            {**price_expense(company, terms, basing.inherit_expense(company, each)), "LineNum": index}
            for index, each in enumerate(given.get("DocumentAdditionalExpenses") or ())
        ]
        header = with_percentage(entity_set, header)
        drawn = self._drawn(header, card)
        header, lines, expenses = total_up(company, terms, header, lines, expenses, drawn)
        if "total_off" in asked.faults:
            header = _off(header, Decimal(str(asked.faults["total_off"].get("by", "0.01"))), foreign=terms.foreign)
        return {**header, "DocumentLines": lines, "DocumentAdditionalExpenses": expenses}

    def patch(self, entity_set: str, row: Row, given: Row, asked: Asked, *, replace: bool) -> Row:
        """Texts of any document; lines, dates and discount of an open order, quotation or draft.

        What a posted document no longer lets change is silently ignored.
        """
        key = (row["DocEntry"],)
        soft = {name: value for name, value in given.items() if name in SOFT or name.startswith("U_")}
        changed = {**row, **soft}
        open_row = row.get("DocumentStatus") == "bost_Open" and entity_set in ("Orders", "Quotations", "Drafts")
        if open_row:
            hard = {name: value for name, value in given.items() if name not in soft and name != "DocumentLines"}
            if "DocumentLines" in given or hard:
                merged = {**changed, **hard}
                lines = _merged_lines(row["DocumentLines"], given.get("DocumentLines") or [], replace=replace)
                changed = self._rebuilt(entity_set, row, {**merged, "DocumentLines": lines}, asked)
            if entity_set == "Drafts":
                changed["_given"] = _given_again(row["_given"], given, changed["DocumentLines"])
        elif given.get("DocumentLines"):
            changed["DocumentLines"] = _soft_lines(row["DocumentLines"], given["DocumentLines"])
        changed.update(self.company.stamp(), DataVersion=row["DataVersion"] + 1)
        self.company.table(entity_set).put(key, changed)
        self.company.tell(entity_set, key, "Updated")
        return changed

    def approve(self, draft: Row, asked: Asked) -> Row:
        """The approver's yes: a new document with what the draft carries."""
        entity_set = SET_OF_OBJECT[str(draft["DocObjectCode"])]
        posted = self.post(entity_set, draft["_given"], asked, approved=True)
        posted = self.company.table(entity_set).change((posted["DocEntry"],), DraftKey=draft["DocEntry"])
        self.company.table("Drafts").change(
            (draft["DocEntry"],),
            AuthorizationStatus="dasGenerated",
            DocumentStatus="bost_Close",
            DataVersion=draft["DataVersion"] + 1,
            **self.company.stamp(),
        )
        return posted

    def _rebuilt(self, entity_set: str, row: Row, merged: Row, asked: Asked) -> Row:
        """An open order computed anew; quantities that are drawn already stay so."""
        plain = {name: value for name, value in merged.items() if name not in ("DocTotal", "DocTotalFc")}
        target = SET_OF_OBJECT[str(row["DocObjectCode"])]
        built = self.build(target, plain, asked)
        before = {line["LineNum"]: line for line in row["DocumentLines"]}
        moves: list[Move] = []
        lines: list[Row] = []
        for old, new in zip(merged["DocumentLines"], built["DocumentLines"], strict=True):
            earlier = before.pop(old.get("LineNum"), None)
            drawn = Decimal(0) if earlier is None else earlier["Quantity"] - number(earlier, "RemainingOpenQuantity")
            left = new["Quantity"] - drawn
            if left < 0:
                raise refused("The quantity is less than what was copied to other documents")
            line_number = old["LineNum"] if earlier is not None else max(before, default=-1) + len(lines) + 1
            was = number(earlier, "RemainingOpenQuantity") if earlier is not None else Decimal(0)
            if entity_set == "Orders" and new.get("ItemCode"):
                moves.append(Move(new["ItemCode"], new["WarehouseCode"], committed=left - was))
            lines.append({**new, **_open_quantity(new, left), "LineNum": line_number, "DocEntry": row["DocEntry"]})
        if entity_set == "Orders":
            moves += [
                Move(each["ItemCode"], each["WarehouseCode"], committed=-number(each, "RemainingOpenQuantity"))
                for each in before.values()
                if each.get("ItemCode")
            ]
        apply_moves(self.company, moves)
        kept = {name: row[name] for name in ("CreationDate", "DocTime", "AuthorizationStatus", "DataVersion")}
        changed = {**row, **built, **kept, "DocumentLines": lines}
        partner_balances(self.company, entity_set, row, -1)
        partner_balances(self.company, entity_set, changed, 1)
        return changed

    def _header(self, entity_set: str, given: Row) -> Row:
        today = self.company.today()
        now = self.company.now().time().replace(microsecond=0, tzinfo=None)
        day = given.get("DocDate") or today
        return {
            "DocType": "dDocument_Items",
            "TaxDate": day,
            "DocDueDate": day,
            "PaymentGroupCode": -1,
            "SalesPersonCode": -1,
            "TransportationCode": -1,
            "Confirmed": "tYES",
            "HandWritten": "tNO",
            "Rounding": "tNO",
            "ReserveInvoice": "tNO",
            "PriceMode": "pmdNet",
            "DocumentSubType": "bod_None",
            **{name: value for name, value in given.items() if value is not None or name.startswith("U_")},
            "DocDate": day,
            "DocTime": now,
            "DocObjectCode": OBJECT_NAMES[entity_set],
            "CreationDate": today,
            "DocumentStatus": "bost_Open",
            "Cancelled": "tNO",
            "CancelStatus": "csNo",
            "AuthorizationStatus": "dasWithout",
            "PaidToDate": Decimal(0),
            "PaidToDateFC": Decimal(0),
            "PaidToDateSys": Decimal(0),
            "DataVersion": 1,
            **self.company.stamp(),
        }

    def _line_defaults(self, line: Row, item: Row | None) -> Row:
        found = {**line, "LineStatus": "bost_Open", "LineType": "dlt_Regular"}
        if item is None:
            return found
        found["ItemDescription"] = line.get("ItemDescription") or item.get("ItemName")
        default = item.get("DefaultWarehouse") or self.company.settings.default_warehouse
        found["WarehouseCode"] = line.get("WarehouseCode") or default
        found["ItemType"] = "dit_Item"
        checks.warehouse(self.company, found["WarehouseCode"])
        return found

    def _drawn(self, header: Row, card: Row) -> Decimal:
        from_payments = header.get("DownPaymentsToDraw") or ()
        return sum((each["_gross"] for each in checks.down_payments(self.company, from_payments, card)), Decimal(0))

    def _needs_approval(self, entity_set: str, built: Row, asked: Asked) -> bool:
        if "approval" in asked.faults:
            return True
        return any(
            rule.entity_set == entity_set and rule.user in (None, asked.user) and built["DocTotal"] >= rule.min_total
            for rule in self.company.settings.approvals
        )

    def _store_draft(self, entity_set: str, built: Row, given: Row, status: str, asked: Asked) -> Row:
        entry = self.company.next_number("Drafts")
        row = {
            **built,
            "DocEntry": entry,
            "DocNum": entry,
            "DocObjectCode": OBJECT_NAMES[entity_set],
            "AuthorizationStatus": status,
            "DocumentLines": [{**line, **_open_quantity(line, line["Quantity"])} for line in built["DocumentLines"]],
            "_given": given,
        }
        self.company.table("Drafts").put((entry,), row)
        self.company.tell("Drafts", (entry,), "Created")
        return row

    def _entry(self, entity_set: str, asked: Asked) -> int:
        return asked.reserved_entry or self.company.next_number(entity_set)

    def _numbered(self, entity_set: str, built: Row) -> Row:
        series = checks.series(self.company, SETS[entity_set].object_type, built)
        number_ = self.company.next_number(f"series/{series['Series']}") + int(series["InitialNumber"]) - 1
        booked = entity_set in ("Invoices", "CreditNotes", "DeliveryNotes", "Returns", "DownPayments")
        journal = self.company.next_number("JournalEntries") if booked else None
        if built.get("HandWritten") == "tYES":
            number_ = built.get("DocNum") or number_
            if any(row.get("DocNum") == number_ for row in self.company.table(entity_set).rows.values()):
                raise business("Document number already exists")
        return {"DocNum": number_, "Series": series["Series"], "TransNum": journal, "PeriodIndicator": "Default"}

    def _book(self, entity_set: str, row: Row) -> Row:
        """Stock moves, remembered for a cancellation; open quantities."""
        moves = basing.moves_of(self.company, entity_set, row)
        apply_moves(self.company, moves)
        lines = [{**line, **_open_quantity(line, line["Quantity"])} for line in row["DocumentLines"]]
        return {"DocumentLines": lines, "_moves": moves}


def settle_with_base(company: Company, entity_set: str, row: Row) -> None:
    """A credit memo for an open invoice closes as much of it, and of itself."""
    if entity_set != "CreditNotes":
        return
    for line in row["DocumentLines"]:
        if line.get("BaseType") != 13:
            continue
        invoice = company.table("Invoices").get(line["BaseEntry"])
        credit = company.table("CreditNotes").rows[row["DocEntry"],]
        if invoice is None:
            continue
        amount = min(open_amount(invoice), open_amount(credit))
        if amount > 0:
            settle(company, "Invoices", invoice["DocEntry"], amount)
            settle(company, "CreditNotes", row["DocEntry"], amount)
            credit = company.table("CreditNotes").rows[row["DocEntry"],]
            settled = [*credit.get("_settled", ()), (invoice["DocEntry"], amount)]
            company.table("CreditNotes").change((row["DocEntry"],), _settled=settled)


def available(company: Company, item: str, warehouse: str) -> Decimal:
    """Raises ``B1Error`` for an unknown item."""
    row = company.table("Items").get(item)
    if row is None:
        raise missing_reference()
    found = quantities(row, warehouse)
    return number(found, "InStock") - number(found, "Committed")


def _open_quantity(line: Row, left: Decimal) -> Row:
    return {
        "RemainingOpenQuantity": left,
        "RemainingOpenInventoryQuantity": left,
        "InventoryQuantity": line["Quantity"],
        "BaseOpenQuantity": line["Quantity"],
        "LineStatus": "bost_Open" if left else "bost_Close",
    }


def _off(header: Row, by: Decimal, *, foreign: bool) -> Row:
    names = ("DocTotalFc", "VatSumFc") if foreign else ("DocTotal", "VatSum")
    return {**header, **{name: header[name] + by for name in names}}


def _merged_lines(old: Sequence[Row], given: Sequence[Row], *, replace: bool) -> list[Row]:
    """By LineNum: matched ones are merged, others added; what is not named stays unless it is replaced."""
    named = {line["LineNum"]: line for line in given if line.get("LineNum") is not None}
    kept = [line for line in old if not replace or line["LineNum"] in named]
    known = {line["LineNum"] for line in old}
    merged = [_merged(line, named[line["LineNum"]]) if line["LineNum"] in named else _as_given(line) for line in kept]
    return merged + [line for line in given if line.get("LineNum") not in known]


def _as_given(line: Row) -> Row:
    """Computed again from the price before discount."""
    return {name: value for name, value in line.items() if name == "UnitPrice" or name not in PRICE_FIELDS}


def _merged(line: Row, change: Row) -> Row:
    priced = any(name in change for name in PRICE_FIELDS)
    kept: dict[str, Any] = {
        name: value for name, value in _as_given(line).items() if not (priced and name == "UnitPrice")
    }
    return {**kept, **change}


def _soft_lines(old: Sequence[Row], given: Sequence[Row]) -> list[Row]:
    named = {line.get("LineNum"): line for line in given}
    soft = ("FreeText", "ShipDate", "ItemDetails")
    return [
        {
            **line,
            **{
                name: value
                for name, value in named.get(line["LineNum"], {}).items()
                if name in soft or name.startswith("U_")
            },
        }
        for line in old
    ]


def _given_again(before: Row, change: Row, lines: Sequence[Row]) -> Row:
    """What a changed draft will be posted with."""
    again = {**before, **change}
    if "DocumentLines" in change:
        again["DocumentLines"] = [_as_given(line) for line in lines]
    return again
