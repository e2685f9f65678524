"""Documents as the Service Layer takes them. Amounts as texts, which it accepts for numbers: no float touches them.

Sources: Service Layer guide and metadata; `docs/protocol/business-one.md`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ml_connector.connectors.base import Earlier, Outgoing
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.business_one.tables import BY_SET, INVOICES, REFERENCE, TARGETS, Target, cut
from ml_connector.domain.documents import Document, Kind, Line, LineType, Role
from ml_connector.domain.money import ZERO, round_half_up
from ml_connector.domain.orders import Address

PRICE_DECIMALS = 6
_MICRO = Decimal(1).scaleb(-PRICE_DECIMALS)
SEVERAL = "; several addresses, see the lines"


class FieldError(ValueError):
    """A document cannot be written for this ERP; the message says which field and why."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What writing needs of the master data: B1's code of a currency, whether it is foreign, an account's key."""

    currency: str = ""
    foreign: bool = False
    accounts: Mapping[str, str] | None = None
    invoice: int | None = None  # key of an ERP invoice that a payment names by its number

    def account(self, number: str) -> str:
        return (self.accounts or {}).get(number, number)


def body_of(outgoing: Outgoing, settings: B1Settings, facts: Facts) -> dict[str, Any]:
    """Raises `FieldError`."""
    target = TARGETS.get(outgoing.document.kind)
    if target is None:
        raise FieldError(f"Business One gets no document of kind {outgoing.document.kind}")
    if target.payment:
        return payment(outgoing, settings, facts)
    return sales_document(outgoing, settings, facts)


# ------------------------------------------------------------------ marketing documents


def sales_document(outgoing: Outgoing, settings: B1Settings, facts: Facts) -> dict[str, Any]:
    document = outgoing.document
    if not document.customer:
        raise FieldError(f"{document.reference} names no customer")
    base = base_of(outgoing, settings)
    lines = [
        item_line(line, document, settings, facts) | (base[place] if base else {})
        for place, line in enumerate(written_lines(document, settings))
    ]
    if not lines:
        raise FieldError(f"{document.reference} has no lines")
    body: dict[str, Any] = {
        "CardCode": document.customer,
        "NumAtCard": cut("NumAtCard", document.customer_reference or document.long_reference or document.reference),
        "DocDate": document.posting_date.isoformat(),
        "DocDueDate": (document.posting_date + timedelta(days=settings.due_days)).isoformat(),
        "TaxDate": document.document_date.isoformat(),
        "DocType": "dDocument_Service" if is_service(document, settings) else "dDocument_Items",
        "DocCurrency": facts.currency or document.currency,
        "Comments": cut("Comments", document.text + (SEVERAL if goes_elsewhere(document) else "")),
        "JournalMemo": cut("JournalMemo", document.text),
        REFERENCE: document.reference,
        "DocumentLines": lines,
    }
    if expenses := [freight_line(line, document, settings) for line in freight_lines(document, settings)]:
        body["DocumentAdditionalExpenses"] = expenses
    if rounding := rounding_of(document):
        body |= {"Rounding": "tYES", "RoundingDiffAmount": text(rounding)}
    if document.exchange_rate is not None and facts.foreign:
        body["DocRate"] = text(document.exchange_rate)
    if document.ship_to is not None:
        body["AddressExtension"] = ship_to(document.ship_to)
    if settings.branch is not None:
        body["BPL_IDAssignedToInvoice"] = settings.branch
    if document.kind in settings.series:
        body["Series"] = settings.series[document.kind]
    if document.kind is Kind.SALES_INVOICE and settings.reserve_invoice:
        body["ReserveInvoice"] = "tYES"
    return body


def written_lines(document: Document, settings: B1Settings) -> list[Line]:
    """Lines that go into `DocumentLines`, in their order: items, what stands on an account of its own, and freight
    where it stands alone (shipping given back): a document without lines is refused."""
    expenses = freight_lines(document, settings)
    return [line for line in document.lines if _is_written(line) and line not in expenses]


def freight_lines(document: Document, settings: B1Settings) -> list[Line]:
    """Lines that become additional expenses."""
    coded = [line for line in document.lines if _type(line) is LineType.FREIGHT and _code(line, settings)]
    alone = all(line in coded for line in document.lines if _is_written(line))
    return [] if alone else coded


def _is_written(line: Line) -> bool:
    return _type(line) in (LineType.ITEM, LineType.CHARGE, LineType.FREIGHT)


def is_service(document: Document, settings: B1Settings) -> bool:
    """A document without items may name accounts in its lines; one with items may not."""
    return not settings.charge_item and all(
        _type(line) is not LineType.ITEM for line in written_lines(document, settings)
    )


def value_of(line: Line, document: Document) -> Decimal:
    """What the line adds to the document's total: positive for goods, negative for a discount."""
    return line.signed if document.kind is Kind.CREDIT_MEMO else -line.signed


def rounding_of(document: Document) -> Decimal:
    """What the ERP is to add to its own sum."""
    return sum((value_of(line, document) for line in document.lines if _type(line) is LineType.ROUNDING), ZERO)


def tax_of(document: Document) -> Decimal:
    """Tax that the ERP is to compute."""
    return sum((value_of(line, document) for line in document.lines if _type(line) is LineType.TAX), ZERO)


def item_line(line: Line, document: Document, settings: B1Settings, facts: Facts) -> dict[str, Any]:
    """One price field and no discount: the ERP must not apply its own price lists and discount groups."""
    sold = line.itemised
    amount = value_of(line, document)
    body: dict[str, Any] = {"ItemDescription": cut("ItemDescription", line.text)} if line.text else {}
    if sold is not None and sold.type is LineType.ITEM:
        if not sold.item:
            raise FieldError(f"a line of {document.reference} ({line.text}) names no item")
        body["ItemCode"] = sold.item
        quantity = sold.quantity or Decimal(1)  # of the price alone
        body |= {"Quantity": text(quantity), "UnitPrice": text(unit_price(line, amount, quantity, document.currency))}
        if line.account:  # the mapping's, in place of the ERP's own determination: the plan tells where revenue goes
            body["AccountCode"] = facts.account(line.account)
        if sold.warehouse:
            body["WarehouseCode"] = sold.warehouse
        if sold.ship_to is not None:
            body["FreeText"] = cut("FreeText", place(sold.ship_to))
        if document.kind is Kind.CREDIT_MEMO and (not settings.restock or not sold.quantity):
            body["WithoutInventoryMovement"] = "tYES"
    elif is_service(document, settings):
        body |= {"AccountCode": facts.account(line.account), "LineTotal": text(amount)}
    else:
        # A negative price is not taken everywhere; a negative quantity of a positive price is.
        quantity = Decimal(1) if amount >= 0 else Decimal(-1)
        body |= {
            "ItemCode": settings.charge_item,
            "AccountCode": facts.account(line.account),
            "Quantity": text(quantity),
            "UnitPrice": text(abs(amount)),
        }
    body["DiscountPercent"] = "0"
    if line.tax_code:
        body[settings.tax_field] = tax_code(line, settings)
    return body | dimensions(line, settings)


def unit_price(line: Line, amount: Decimal, quantity: Decimal, currency: str) -> Decimal:
    """The store's price where it gives the line's amount, else one that does: price x quantity is rounded by the ERP.
    Raises `FieldError` where none of six decimals does."""
    sold = line.itemised
    assert sold is not None
    exact = (amount / quantity).quantize(_MICRO, ROUND_HALF_UP)
    for price in (sold.unit_price, exact):
        if gives(price, quantity, amount, currency):
            return price
    raise FieldError(f"no price of {PRICE_DECIMALS} decimals gives {amount} for {quantity} of {sold.item}")


def gives(price: Decimal, quantity: Decimal, amount: Decimal, currency: str) -> bool:
    return round_half_up(price * quantity, currency) == amount


def freight_line(line: Line, document: Document, settings: B1Settings) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ExpenseCode": settings.freight[line.role],
        "LineTotal": text(value_of(line, document)),
        "DistributionMethod": "aedm_None",
    }
    if line.tax_code:
        body[settings.tax_field] = tax_code(line, settings)
    return body


def tax_code(line: Line, settings: B1Settings) -> str:
    """Several taxes of one part are one code here, whose rate is their sum."""
    return settings.tax_groups.get(line.tax_code, line.tax_code)


def dimensions(line: Line, settings: B1Settings) -> dict[str, str]:
    values = {
        "profit_center": line.dimension.profit_center,
        "cost_center": line.dimension.cost_center,
        "segment": line.dimension.segment,
    }
    return {
        settings.dimensions[name]: value for name, value in values.items() if value and settings.dimensions.get(name)
    }


def ship_to(address: Address) -> dict[str, str]:
    fields = {
        "ShipToStreet": cut("ShipToStreet", address.street_1),
        "ShipToBuilding": cut("ShipToBuilding", address.street_2),
        "ShipToCity": cut("ShipToCity", address.city),
        "ShipToZipCode": cut("ShipToZipCode", address.zip),
        "ShipToState": state_code(address.state),
        "ShipToCountry": address.country_iso2.upper(),
    }
    return {name: value for name, value in fields.items() if value}


def goes_elsewhere(document: Document) -> bool:
    """Some lines go to another address than the document, which has room for one."""
    return any(line.itemised is not None and line.itemised.ship_to is not None for line in document.lines)


def place(address: Address) -> str:
    """An address in a line's free text: who packs it reads it there, on the pick list too."""
    name = " ".join(filter(None, (address.first_name, address.last_name)))
    city = " ".join(filter(None, (address.zip, address.city)))
    parts = (address.street_1, address.street_2, city, address.state, address.country_iso2, name, address.company)
    return "To: " + ", ".join(filter(None, parts))


def state_code(state: str) -> str:
    """B1 keeps states as codes; a name is left out."""
    return state.upper() if re.fullmatch(r"[A-Za-z0-9]{1,3}", state) else ""


# ------------------------------------------------------------------ based on another document


def base_of(outgoing: Outgoing, settings: B1Settings) -> list[dict[str, int]]:
    """Per written line, the line of the earlier document that it is copied from; empty where one of them has none.

    A credit memo is based on its invoice, an invoice on its order or delivery: the base's lines are the ones that we
    wrote, in our order.
    """
    document = outgoing.document
    earlier = outgoing.earlier.get(document.applies_to)
    target = target_of(earlier)
    if target is None or earlier is None or earlier.document is None or target.payment:
        return []
    if document.kind is Kind.CREDIT_MEMO and (target is not INVOICES or not settings.credit_base):
        return []
    free = dict(enumerate(written_lines(earlier.document, settings)))
    based: list[dict[str, int]] = []
    for line in written_lines(document, settings):
        place = _match(line, free)
        if place is None:
            return []
        del free[place]
        based.append({"BaseType": target.type, "BaseEntry": entry_of(earlier.number), "BaseLine": place})
    return based


def _match(line: Line, free: Mapping[int, Line]) -> int | None:
    """The line of the base that sold the same: by the store's line where the plan tells it, for one order may sell an
    item in two lines; else by item and warehouse."""
    wanted = line.itemised
    if wanted is None or wanted.type is not LineType.ITEM or not wanted.quantity:
        return None
    for place, other in free.items():
        sold = other.itemised
        if (
            sold is not None
            and (sold.type, sold.item, sold.warehouse) == (wanted.type, wanted.item, wanted.warehouse)
            and sold.quantity >= wanted.quantity
            and _same_source(line, other)
        ):
            return place
    return None


def _same_source(line: Line, other: Line) -> bool:
    ours, theirs = ({part.key for part in each.parts} for each in (line, other))
    return not ours or not theirs or not ours.isdisjoint(theirs)


def target_of(earlier: Earlier | None) -> Target | None:
    return BY_SET.get(earlier.number.partition("/")[0]) if earlier is not None else None


def entry_of(number: str) -> int:
    """`DocEntry` of the canonical key `Invoices/4107`. Raises `FieldError`."""
    parts = number.split("/")
    if len(parts) < 2 or parts[0] not in BY_SET or not parts[1].isdigit():
        raise FieldError(f"{number!r} is not a document's key such as Invoices/4107")
    return int(parts[1])


# ------------------------------------------------------------------ payments


def payment(outgoing: Outgoing, settings: B1Settings, facts: Facts) -> dict[str, Any]:
    """Money in or out by bank transfer on a clearing account: applied to what it names, else on account."""
    document = outgoing.document
    account, amount = means(document)
    day = document.posting_date.isoformat()
    body: dict[str, Any] = {
        "DocType": "rCustomer",
        "CardCode": document.customer,
        "DocDate": day,
        "TaxDate": document.document_date.isoformat(),
        "DocCurrency": facts.currency or document.currency,
        "TransferAccount": facts.account(account),
        "TransferSum": text(amount),
        "TransferDate": day,
        "TransferReference": cut("TransferReference", document.reference),
        "CounterReference": cut("CounterReference", order_number(document.reference)),
        "Remarks": cut("Remarks", document.text or document.reference),
        "JournalRemarks": cut("JournalRemarks", document.text or document.reference),
        REFERENCE: document.reference,
    }
    if (applied := applied_to(outgoing, facts)) is not None:
        row: dict[str, Any] = {"LineNum": 0, "DocEntry": applied[0], "InvoiceType": applied[1]}
        row |= {"AppliedFC": text(amount)} if facts.foreign else {"SumApplied": text(amount)}
        body["PaymentInvoices"] = [row]
    if document.exchange_rate is not None and facts.foreign:
        body["DocRate"] = text(document.exchange_rate)
    if settings.branch is not None:
        body["BPLID"] = settings.branch
    if document.kind in settings.series:
        body["Series"] = settings.series[document.kind]
    return body


def means(document: Document) -> tuple[str, Decimal]:
    """The account that the money comes to, or leaves, and how much. Raises `FieldError`."""
    sums: dict[str, Decimal] = {}
    for line in document.lines:
        if line.role not in (Role.RECEIVABLE, Role.CUSTOMER_DEPOSIT):
            sums[line.account] = sums.get(line.account, ZERO) + line.signed
    if len(sums) != 1:
        named = ", ".join(sorted(sums)) or "none"
        raise FieldError(f"{document.reference} must name one account for its money, and names {named}")
    ((account, signed),) = sums.items()
    amount = -signed if document.kind is Kind.REFUND_PAYMENT else signed
    if amount <= 0:
        raise FieldError(f"{document.reference} moves {amount}: a payment is more than nothing")
    return account, amount


def applied_to(outgoing: Outgoing, facts: Facts) -> tuple[int, str] | None:
    """Key and type of the document that is paid; None: on account."""
    document = outgoing.document
    if facts.invoice is not None:
        return facts.invoice, "it_Invoice"
    earlier = outgoing.earlier.get(document.applies_to)
    target = target_of(earlier)
    if earlier is None or target is None or document.kind is Kind.DEPOSIT:
        return None
    kinds = {"Invoices": "it_Invoice", "CreditNotes": "it_CredItnote"}
    return (entry_of(earlier.number), kinds[target.set]) if target.set in kinds else None


def order_number(reference: str) -> str:
    """For the eye: the store's order number of a long reference."""
    parts = reference.split("-")
    return parts[2] if reference.startswith("BC-") and len(parts) > 3 else reference


def text(value: Decimal) -> str:
    return format(value, "f")


def _type(line: Line) -> LineType | None:
    if line.itemised is not None:
        return line.itemised.type
    return LineType.TAX if line.role is Role.TAX_PAYABLE else LineType.CHARGE


def _code(line: Line, settings: B1Settings) -> bool:
    return line.role in settings.freight
