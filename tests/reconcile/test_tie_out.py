"""The tie-out finds each planted fault, by its order, and cries about nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import OpenPeriods
from tests.planning.store import (
    D,
    Item,
    StoreOrder,
    a_policy,
    a_refund,
    a_transaction,
    an_item,
    captured,
    due,
)
from tests.reconcile.books import Books, causes

SALE = captured(StoreOrder(id=10250).snapshot())
EDITED = replace(StoreOrder(id=10250, items=(Item(quantity=2),)).snapshot(), transactions=SALE.transactions)
LINE = SALE.lines[0]


def other(number: int = 10251, **changes: object) -> OrderSnapshot:
    """A second order, whose payment has an ID of its own."""
    order = StoreOrder(id=number, **changes).snapshot()
    payment = a_transaction(due(order), number, currency=order.order.currency)
    return replace(order, transactions=(payment,))


def refunded(snapshot: OrderSnapshot, *, declined: bool = False, provider: str = "braintree") -> OrderSnapshot:
    """One of the three pieces is given back."""
    share = (LINE.totals.inc_tax / 3).quantize(D("0.01"))
    tax = (LINE.totals.tax / 3).quantize(D("0.01"))
    refund = a_refund(share, tax, an_item("PRODUCT", LINE.id, 1), provider=provider)
    if declined:
        refund = replace(refund, payments=tuple(replace(p, is_declined=True) for p in refund.payments))
    return replace(snapshot, refunds=(refund,))


@pytest.fixture
def books() -> Books:
    """Two orders, one of them refunded in part, everything posted."""
    books = Books()
    books.post(refunded(SALE))
    books.post(other())
    assert books.tie().clean, books.tie().found
    return books


def test_what_is_right_is_clean_and_counted(books: Books) -> None:
    result = books.tie()
    assert (result.orders, result.documents, result.missing, result.duplicates) == (2, 6, 0, 0)
    assert result.differences == {"USD": Decimal("0.00")}
    assert result.found == []
    kinds = {"orders", "captures", "refunds", "refund payments", "tax", "shipping"}
    assert {row.kind for row in result.rows} == kinds
    assert sum(row.documents for row in result.rows) == 6
    [orders] = [row for row in result.rows if row.kind == "orders"]
    assert orders.store == orders.erp == 2 * SALE.order.total.inc_tax


# ------------------------------------------------------------------ each fault, by itself

REFERENCES = ("S1-O10250", "S1-P90100001", "S1-R31", "S1-M77")
FAULTS: dict[str, tuple[Callable[[Books, str], None], str]] = {
    "missing": (lambda books, name: books.drop(name), "missing"),
    "reversed by a person": (lambda books, name: books.change(name, reversed_by="0100009999/1710/2026"), "missing"),
    "posted twice": (lambda books, name: books.double(name), "duplicate"),
    "two generations live": (lambda books, name: books.double(name, reference=f"{name}-2"), "duplicate"),
    "another amount": (lambda books, name: books.shift(name, "0.01", tax=False), "amount"),
    "the wrong way round": (
        lambda books, name: books.change(
            name, lines=tuple(replace(line, amount=-line.amount) for line in books.of(name).lines)
        ),
        "amount",
    ),
    "another currency": (lambda books, name: books.change(name, currency="EUR"), "currency"),
}


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_with_its_order(books: Books, fault: str, reference: str) -> None:
    plant, cause = FAULTS[fault]
    plant(books, reference)
    result = books.tie()
    assert not result.clean
    named = [found for found in result.found if found.cause == cause]
    assert [found.order_id for found in named] == [10250], causes(result.found)
    assert named[0].reference.removeprefix("S1-") == reference.removeprefix("S1-")
    assert (result.missing, result.duplicates) == (int(cause == "missing"), int(cause == "duplicate"))
    assert all(found.order_id == 10250 for found in result.found), "another order was accused"
    if cause in ("missing", "duplicate", "amount"):
        assert result.difference > 0


@pytest.mark.parametrize("reference", ["S1-O10250", "S1-R31"])
def test_tax_that_differs_is_found_where_the_total_ties(books: Books, reference: str) -> None:
    books.shift(reference, "0.01", tax=True)
    result = books.tie()
    assert causes(result.found) == [("tax", reference)]
    assert result.difference == 0  # the sums agree to the cent: only the tax tells
    assert not result.clean


def test_tax_with_the_wrong_sign_is_found(books: Books) -> None:
    document = books.of("S1-O10250")
    turned = tuple(replace(line, amount=-line.amount) if not line.account else line for line in document.lines)
    books.change("S1-O10250", lines=turned)
    assert ("tax", "S1-O10250") in causes(books.tie().found)


def test_a_document_of_no_order_is_found(books: Books) -> None:
    books.stored.append(replace(books.of("S1-O10250"), reference="S1-O99999", number="0100000777/1710/2026"))
    result = books.tie()
    [found] = result.found
    assert (found.cause, found.reference, found.erp) == ("unknown", "S1-O99999", SALE.order.total.inc_tax)
    assert "0100000777" in found.text
    assert result.difference == SALE.order.total.inc_tax


def test_opposite_errors_of_two_orders_do_not_hide_each_other(books: Books) -> None:
    books.shift("S1-O10250", "1.00", tax=False)
    books.shift("S1-O10251", "-1.00", tax=False)
    result = books.tie()
    assert causes(result.found) == [("amount", "S1-O10250"), ("amount", "S1-O10251")]
    assert not result.clean


def test_an_error_in_one_currency_is_no_error_in_another(books: Books) -> None:
    books.post(other(10252, currency="JPY", items=(Item(price=D(2000)),), shipping=(D(500),)))
    assert books.tie().clean, books.tie().found
    books.drop("S1-O10252")
    result = books.tie()
    assert result.differences["USD"] == 0
    assert result.difference == result.differences["JPY"] > 0


def test_documents_under_another_tag_are_not_ours(books: Books) -> None:
    for name in ("S2-O10250", "S1X-O1", "INVOICE 77", "S1-C77"):
        books.stored.append(replace(books.of("S1-O10250"), reference=name))
    assert books.tie().clean


# ------------------------------------------------------------------ orders that change


def test_an_edit_leaves_a_reversed_pair_that_counts_nothing() -> None:
    books = Books()
    books.post(SALE)
    new = books.post(EDITED)
    assert [document.reference for document in new] == ["S1-XO10250", "S1-O10250-2"]
    result = books.tie()
    assert result.clean, result.found
    assert result.documents == 2  # the second generation and the payment


def test_an_edit_that_was_not_posted_yet_is_found_as_an_amount() -> None:
    books = Books()
    books.post(SALE)
    books.see(EDITED)
    assert causes(books.tie().found) == [("amount", "S1-O10250"), ("tax", "S1-O10250")]


def test_a_reversal_without_its_successor_is_missing() -> None:
    books = Books()
    books.post(SALE)
    books.post(EDITED)
    books.drop("S1-O10250-2")
    assert causes(books.tie().found) == [("missing", "S1-O10250")]


def test_an_adjustment_counts_with_its_order() -> None:
    books = Books(policy=a_policy(amendment="adjust"))
    books.post(SALE)
    new = books.post(EDITED)
    assert [document.reference for document in new] == ["S1-D10250"]
    assert books.tie().clean, books.tie().found
    books.drop("S1-D10250")
    assert causes(books.tie().found) == [("amount", "S1-O10250"), ("tax", "S1-O10250")]


def test_an_adjustment_of_no_order_is_found() -> None:
    books = Books(policy=a_policy(amendment="adjust"))
    books.post(SALE)
    books.post(EDITED)
    books.change("S1-D10250", reference="S1-D77777")
    assert ("unknown", "S1-D77777") in causes(books.tie().found)


def test_a_cancelled_order_has_nothing_live() -> None:
    unpaid = StoreOrder(id=10260, changes={"payment_method": "Cash on Delivery"}).snapshot()
    books = Books(policy=a_policy(offline_methods={"Cash on Delivery": "on_account"}))
    books.post(unpaid)
    cancelled = replace(unpaid, order=replace(unpaid.order, status_id=5))
    books.see(cancelled)
    assert causes(books.tie().found) == [("unknown", "S1-O10260")], "posted and cancelled: it must not stand"
    books.post(cancelled)
    assert books.tie().clean, books.tie().found
    assert books.tie().documents == 0


@pytest.mark.parametrize("status", [0, 6], ids=["incomplete", "declined"])
def test_what_is_no_sale_must_not_be_booked(status: int) -> None:
    books = Books()
    books.post(SALE)
    books.see(replace(SALE, order=replace(SALE.order, status_id=status)))
    assert {cause for cause, _ in causes(books.tie().found)} == {"unknown"}


def test_nothing_is_expected_of_orders_before_the_cut_over() -> None:
    books = Books(policy=a_policy(posting__cut_over="2026-04-01"))
    books.see(SALE)
    assert books.tie().clean
    assert books.tie().orders == 1


def test_an_order_that_waits_for_its_capture_is_not_missing() -> None:
    books = Books()
    books.see(replace(SALE, transactions=()))
    assert books.tie().clean


# ------------------------------------------------------------------ held orders, refunds


def test_what_a_held_order_lacks_is_not_missing_and_what_it_has_still_counts() -> None:
    books = Books()
    books.post(SALE)
    books.see(other())
    held = {"10251": "unmapped payment_method"}
    assert causes(books.tie().found) == [("missing", "S1-O10251"), ("missing", "S1-P90110251")]
    result = books.tie(held)
    assert result.clean, result.found
    assert result.held == held
    books.shift("S1-O10250", "0.01", tax=False)
    assert causes(books.tie({**held, "10250": "amended_after_posting"}).found) == [("amount", "S1-O10250")]


@pytest.mark.parametrize("reason", ["posting_held S1-O10250: the ERP shows 0 documents", "reversed_in_erp"])
def test_a_hold_because_somebody_touched_the_books_excuses_nothing(reason: str) -> None:
    books = Books()
    books.post(SALE)
    books.drop("S1-O10250")
    result = books.tie({"10250": reason})
    assert causes(result.found) == [("missing", "S1-O10250")]
    assert result.missing == 1


def test_a_declined_refund_is_not_expected() -> None:
    books = Books()
    books.post(SALE)
    books.see(refunded(SALE, declined=True))
    assert books.tie().clean, books.tie().found


def test_a_refund_that_is_not_posted_is_missing_with_its_money() -> None:
    books = Books()
    books.post(SALE)
    books.see(refunded(SALE))
    assert causes(books.tie().found) == [("missing", "S1-M77"), ("missing", "S1-R31")]


def test_a_refund_to_store_credit_ties() -> None:
    books = Books()
    books.post(refunded(SALE, provider="storecredit"))
    assert books.tie().clean, books.tie().found


def test_one_step_settlement_ties_and_shows_its_faults() -> None:
    books = Books(policy=a_policy(posting__settlement="one_step"))
    books.post(refunded(SALE))
    assert books.tie().clean, books.tie().found
    assert books.tie().documents == 2
    books.drop("S1-R31")
    assert causes(books.tie().found) == [("missing", "S1-R31")]


def test_the_tie_out_follows_the_day_of_the_store() -> None:
    """A sale late at night counts on the day that the store's clock showed."""
    books = Books()
    books.post(captured(StoreOrder(id=10250, changes={"created": SALE.order.created.replace(hour=3)}).snapshot()))
    [orders] = [row for row in books.tie().rows if row.kind == "orders"]
    assert orders.day == date(2026, 3, 3)  # 21:00 the evening before in Chicago


def test_periods_move_the_posting_date_not_the_comparison() -> None:
    books = Books(policy=a_policy(closed_period="first_open_day"))
    books.post(SALE, OpenPeriods(date(2026, 5, 1), date(2026, 5, 31)))
    assert books.of("S1-O10250").posting_date == date(2026, 5, 1)
    assert books.tie().clean, books.tie().found
