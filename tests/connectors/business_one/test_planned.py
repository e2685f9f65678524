"""Orders as the planner books them, posted: what the ERP computes is what the plan foresaw, to the cent."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from ml_connector.connectors.base import Earlier, Lookup, Outgoing, Posted
from ml_connector.domain.documents import Kind
from ml_connector.domain.orders import OrderSnapshot
from tests.connectors.business_one.conftest import connect
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit
from tests.planning.store import D, Item, StoreOrder, a_mapping, a_policy, captured, documents, due, plan
from tests.planning.test_properties import full_refunds

ORDERS = 8
FREIGHT = {"shipping_income": 1, "handling_income": 2, "wrapping_income": 3, "fee_income": 4}
MAPPING = a_mapping(
    accounts={
        "receivable": "121000",
        "customer_deposit": "217300",
        "revenue": "410000",
        **dict.fromkeys(("shipping_income", "handling_income", "wrapping_income", "fee_income"), "411000"),
        "gift_certificate_liability": "217100",
        "store_credit_liability": "217200",
        "refund_adjustment": "443000",
        "rounding": "469000",
    },
    taxes=[
        {"name": "low", "rate": "7", "tax_code": "A7", "account": "220000"},
        {"name": "high", "rate": "19", "tax_code": "A19", "account": "220000"},
        {"name": "state", "rate": "8.25", "tax_code": "O825", "account": "220000"},
    ],
    untaxed_code="X0",
    payment_methods=[{"gateway": "braintree", "account": "113100", "text": "Card"}],
    customers={"one_time": "WEB-GUEST"},
    items={"SKU-0": "MUG-BLUE", "SKU-1": "BOOK-7", "SKU-2": "MUG-BLUE"},
    default_warehouse="01",
)


def an_order(rng: random.Random, number: int) -> OrderSnapshot:
    """With whatever makes cents: rates, discounts in fractions, inclusive prices, charges, store credit."""
    items: list[Item] = []
    for _ in range(rng.randint(1, 3)):
        price, quantity = D(rng.randint(1, 9999)) / 100, rng.randint(1, 5)
        off = (price * quantity * rng.randint(0, 4000) / 10000).quantize(D("0.0001"))
        items.append(
            Item(
                price,
                quantity,
                rng.choice(("none", "low", "high", "state")),
                (("coupon", "TEN", off),) if rng.random() < 0.6 else (),
                D(rng.choice((0, 0, 2))),
            )
        )
    order = StoreOrder(
        items=tuple(items),
        inclusive=rng.random() < 0.5,
        shipping=tuple(D(rng.randint(0, 2500)) / 100 for _ in range(rng.randint(1, 2))),
        handling=D(rng.choice((0, 3))),
        charge_rate=rng.choice(("none", "low", "high", "state")),
        fee=D(rng.choice((0, 1))),
        id=20000 + number,
        customer=0,
    )
    credit = (order.snapshot().order.total.inc_tax / 4).quantize(D("0.01")) if rng.random() < 0.4 else D(0)
    paid = captured(replace(order, store_credit=credit).snapshot(), number=number)
    assert due(paid) > 0
    refunds = full_refunds(paid, rng.randint)
    serials = {refund.id: 1000 * number + index for index, refund in enumerate(refunds)}
    return replace(
        paid,
        refunds=tuple(
            replace(
                refund,
                id=serials[refund.id],
                payments=tuple(
                    replace(part, id=serials[refund.id] * 10 + place) for place, part in enumerate(refund.payments)
                ),
            )
            for refund in refunds
        ),
    )


@pytest.mark.parametrize(("rounding", "in_erp"), [("per_code", "document"), ("per_line", "line")])
async def test_what_the_erp_makes_of_planned_orders_is_what_was_planned(erp: Erp, rounding: str, in_erp: str) -> None:
    erp.settings(tax_rounding=in_erp)
    connector = connect(erp, LocalServices(), freight=FREIGHT)
    policy = a_policy(sales__erp_tax_rounding=rounding, rounding__tolerance_minor=40)
    rng = random.Random(20260504)
    wanted: dict[str, Decimal] = {}
    for number in range(1, ORDERS + 1):
        found = documents(
            plan(
                an_order(rng, number), policy, MAPPING, style="sales", family="business_one", reference_form="long"
            )
        )  # fmt: skip
        kept: dict[str, Earlier] = {}
        for document in found:
            assert await connector.check([document]) == {}
            (result,) = await connector.post([Outgoing(document, kept)], TestPermit())
            assert isinstance(result, Posted), (document, result)
            kept[document.reference] = Earlier(result.number, document)
            if document.kind in (Kind.SALES_INVOICE, Kind.CREDIT_MEMO):
                wanted[document.reference] = document.total
        stored = await connector.find([Lookup(document) for document in found])
        for document in found:
            (there,) = stored[document.reference]
            assert connector.differences(document, there) == []
    await connector.close()
    rows = [*erp.state("Invoices"), *erp.state("CreditNotes")]
    totals = {row["U_MLC_REF"]: Decimal(str(row["DocTotal"])) for row in rows if row.get("U_MLC_REF") in wanted}
    assert totals == wanted


OPEN = StoreOrder(customer=0)
PAID = captured(OPEN.snapshot())
TENDERED = replace(OPEN, store_credit=OPEN.snapshot().order.total.inc_tax).snapshot()
EDITED = replace(replace(OPEN, items=(Item(quantity=2),)).snapshot(), transactions=PAID.transactions)


@pytest.mark.parametrize(
    ("document", "before", "after", "new"),
    [
        ("invoice", OPEN.snapshot(), "cancelled", ["XI"]),
        ("invoice", TENDERED, "cancelled", ["XT", "XI"]),
        ("order", PAID, "cancelled", ["XO"]),
        ("delivery", PAID, "cancelled", ["XL"]),
        ("order", PAID, EDITED, ["O-2"]),
    ],
    ids=["unpaid", "tendered", "order", "delivery", "edited"],
)
async def test_what_changes_afterwards_is_taken_by_the_erp(
    erp: Erp, document: str, before: OrderSnapshot, after: OrderSnapshot | str, new: list[str]
) -> None:
    connector = connect(erp, LocalServices(), freight=FREIGHT)
    policy = a_policy(
        sales__document=document, sales__erp_tax_rounding="per_line", posting__trigger="placement"
    )  # fmt: skip
    if isinstance(after, str):
        after = replace(before, order=replace(before.order, status_id=5))
    kept: dict[str, Earlier] = {}
    for snapshot in (before, after):
        posted = tuple(each.document for each in kept.values() if each.document is not None)
        found = documents(
            plan(snapshot, policy, MAPPING, posted, style="sales", family="business_one", reference_form="long")
        )
        for each in (each for each in found if not each.already):
            (result,) = await connector.post([Outgoing(each, kept)], TestPermit())
            assert isinstance(result, Posted), (each, result)
            kept[each.reference] = Earlier(result.number, each)
    await connector.close()
    assert [name[12:] for name in kept][-len(new) :] == new
