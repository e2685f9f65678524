"""Documents as the planner makes them."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from ml_connector.domain.documents import Dimension, Document, Kind, Line, Party, Role, Side
from ml_connector.domain.orders import Address

DAY = date(2026, 3, 4)
ANN = Address("Ann", "Lee", "", "State St 1", "", "Albany", "NY", "12207", "US", "5550100", "ann@shop.example")


def line(role: Role, account: str, signed: str, tax_code: str = "", *, profit_center: str = "") -> Line:
    value = Decimal(signed)
    return Line(
        role,
        account,
        Side.DEBIT if value >= 0 else Side.CREDIT,
        abs(value),
        text=f"{role} text",
        tax_code=tax_code,
        dimension=Dimension(profit_center=profit_center),
        assignment="S1-10250" if role is Role.RECEIVABLE else "",
    )


def order(reference: str = "S1-O10250", **changes: object) -> Document:
    """Gross 72.55: nets 60.00 - 6.00 + 7.50 under O1, tax 5.05, 6.00 untaxed, no rounding."""
    document = Document(
        kind=Kind.ORDER,
        reference=reference,
        generation=1,
        posting_date=DAY,
        document_date=DAY,
        currency="USD",
        customer="100177",
        text="Web order 10250",
        lines=(
            line(Role.RECEIVABLE, "12100000", "72.55"),
            line(Role.REVENUE, "410000", "-60.00", "O1", profit_center="YB110"),
            line(Role.DISCOUNT_COUPON, "419100", "6.00", "O1"),
            line(Role.SHIPPING_INCOME, "411000", "-7.50", "O1"),
            line(Role.REVENUE, "410000", "-6.00", "O0", profit_center="YB110"),
            line(Role.TAX_PAYABLE, "220100", "-5.05", "O1"),
        ),
        long_reference="BC-S1-10250-O",
    )
    return replace(document, **changes)  # type: ignore[arg-type]


def payment(reference: str = "S1-P90100211") -> Document:
    return replace(
        order(reference),
        kind=Kind.PAYMENT,
        text="Payment order 10250",
        lines=(line(Role.CLEARING, "113100", "72.55"), line(Role.RECEIVABLE, "12100000", "-72.55")),
        applies_to="S1-O10250",
        long_reference="",
    )


def reversal(of: Document, reference: str = "S1-XO10250") -> Document:
    return replace(
        of,
        kind=Kind.REVERSAL,
        reference=reference,
        text="Reversal order 10250",
        reverses=of.reference,
        lines=tuple(each.mirrored("reversal") for each in of.lines),
    )


def customer(reference: str = "S1-C77", *, company: bool = False) -> Document:
    party = Party("77", replace(ANN, company="Lee Ltd" if company else ""), is_company=company, language="en")
    return replace(order(reference), kind=Kind.CUSTOMER, customer="", text="", lines=(), party=party)
