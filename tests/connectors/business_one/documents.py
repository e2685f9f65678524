"""Documents as the planner makes them for a sales-style ERP: the worked examples of a tax-inclusive German store."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from ml_connector.domain.documents import (
    Document,
    Itemised,
    Kind,
    Line,
    LineType,
    Party,
    Role,
    Side,
)
from ml_connector.domain.orders import Address

DAY = date(2026, 5, 4)
CUSTOMER = "WEB-GUEST"
MUG, BOOK = "MUG-BLUE", "BOOK-7"
ADDRESS = Address(
    "Dana", "Wolf", "", "Rosenweg 4", "", "Stuttgart", "BW", "70173", "DE", "0711 555", "dana.wolf@shop.example"
)


def line(
    role: Role,
    signed: str,
    tax: str = "",
    *,
    type: LineType = LineType.CHARGE,
    account: str = "",
    item: str = "",
    quantity: str = "0",
    price: str = "0",
    predicted: bool = False,
) -> Line:
    value = Decimal(signed)
    sold = Itemised(type, item, Decimal(quantity), Decimal(price), predicted=predicted)
    return Line(
        role,
        account or ACCOUNTS[role],
        Side.DEBIT if value >= 0 else Side.CREDIT,
        abs(value),
        text=f"{item or role}",
        tax_code=tax,
        itemised=sold,
    )


ACCOUNTS = {
    Role.REVENUE: "410000",
    Role.SHIPPING_INCOME: "411000",
    Role.DISCOUNT_COUPON: "440000",
    Role.TAX_PAYABLE: "220000",
    Role.ROUNDING: "469000",
    Role.CLEARING: "113100",
    Role.RECEIVABLE: "121000",
    Role.CUSTOMER_DEPOSIT: "217300",
}


def invoice(reference: str = "BC-S1-10311-I", **changes: object) -> Document:
    """63.76: three mugs at 19 %, a book at 7 %, shipping, and a cent that the store left out."""
    document = Document(
        kind=Kind.SALES_INVOICE,
        reference=reference,
        generation=1,
        posting_date=DAY,
        document_date=DAY,
        currency="USD",
        customer=CUSTOMER,
        text="Web order 10311",
        lines=(
            line(Role.REVENUE, "-32.75", "A19", type=LineType.ITEM, item=MUG, quantity="3", price="10.9160"),
            line(Role.REVENUE, "-18.60", "A7", type=LineType.ITEM, item=BOOK, quantity="1", price="18.5981"),
            line(Role.SHIPPING_INCOME, "-4.12", "A19", type=LineType.FREIGHT),
            line(Role.TAX_PAYABLE, "-7.00", "A19", type=LineType.TAX, predicted=True),
            line(Role.TAX_PAYABLE, "-1.30", "A7", type=LineType.TAX, predicted=True),
            line(Role.ROUNDING, "0.01", type=LineType.ROUNDING),
        ),
        ship_to=ADDRESS,
    )
    return replace(document, **changes)  # type: ignore[arg-type]


def money(
    kind: Kind, reference: str, amount: str, applies_to: str, *, role: Role = Role.RECEIVABLE, currency: str = "USD"
) -> Document:
    sign = "-" if kind is Kind.REFUND_PAYMENT else ""
    other = "" if kind is Kind.REFUND_PAYMENT else "-"
    lines = tuple(
        replace(each, itemised=None)
        for each in (line(Role.CLEARING, f"{sign}{amount}"), line(role, f"{other}{amount}"))
    )
    return invoice(
        reference, kind=kind, lines=lines, applies_to=applies_to, text="Payment order 10311", ship_to=None,
        currency=currency,
    )  # fmt: skip


def payment(reference: str = "BC-S1-10311-P90100300", amount: str = "63.76") -> Document:
    return money(Kind.PAYMENT, reference, amount, "BC-S1-10311-I")


def deposit(reference: str = "BC-S1-10311-P90100301", amount: str = "63.76") -> Document:
    return money(Kind.DEPOSIT, reference, amount, "BC-S1-10311-O", role=Role.CUSTOMER_DEPOSIT)


def credit_memo(reference: str = "BC-S1-10311-R32") -> Document:
    """One of the three mugs, 12.99 with tax."""
    return invoice(
        reference,
        kind=Kind.CREDIT_MEMO,
        applies_to="BC-S1-10311-I",
        text="Refund order 10311",
        lines=(
            line(Role.REVENUE, "10.92", "A19", type=LineType.ITEM, item=MUG, quantity="1", price="10.9160"),
            line(Role.TAX_PAYABLE, "2.07", "A19", type=LineType.TAX, predicted=True),
        ),
        ship_to=None,
    )


def refund_payment(reference: str = "BC-S1-10311-M78") -> Document:
    return money(Kind.REFUND_PAYMENT, reference, "12.99", "BC-S1-10311-R32")


def sales_order(reference: str = "BC-S1-10311-O") -> Document:
    return invoice(reference, kind=Kind.SALES_ORDER)


def delivery(reference: str = "BC-S1-10311-L") -> Document:
    return invoice(reference, kind=Kind.DELIVERY)


def reversal(of: Document, reference: str = "") -> Document:
    head, _, name = of.reference.rpartition("-")
    return replace(
        of,
        kind=Kind.REVERSAL,
        reference=reference or f"{head}-X{name}",
        reverses=of.reference,
        applies_to="",
        lines=tuple(each.mirrored("reversal") for each in of.lines),
    )


def customer(reference: str = "S1-C1042", **changes: object) -> Document:
    party = Party("1042", ADDRESS, is_company=False)
    document = invoice(reference, kind=Kind.CUSTOMER, customer="", text="", lines=(), ship_to=None, party=party)
    return replace(document, **changes)  # type: ignore[arg-type]
