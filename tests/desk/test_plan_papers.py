"""Documents of a plan as a person reads them: what is new, what goes, what stays, and what it comes to."""

from dataclasses import replace
from decimal import Decimal

from ml_connector.desk.plan_papers import Shown, shown
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document
from ml_connector.engine.plans import Order, Paper, counts_of, sums_of
from tests.planning.store import Item, StoreOrder, a_policy, captured, documents, plan
from tests.planning.test_sales import sold

PAID = captured(StoreOrder().snapshot())
EDITED = replace(StoreOrder(items=(Item(quantity=2),)).snapshot(), transactions=PAID.transactions)


def paper(document: Document, act: str = "create", **facts: object) -> Paper:
    return Paper(act, document_to_json(document), **facts)  # type: ignore[arg-type]


def read(made: Paper, **names: str) -> Shown:
    found = shown(made, names)
    assert found is not None
    return found


def test_a_journal_entry_has_debits_and_credits_that_balance() -> None:
    entry = documents(plan(PAID))[0]
    found = read(paper(entry), **{entry.lines[0].account: "Trade receivables"})
    assert {row.sign for row in found.rows} == {"added"}
    debit, credit = (sum(getattr(row, side) or 0 for row in found.rows) for side in ("debit", "credit"))
    assert debit == credit == found.total == PAID.order.total.inc_tax
    assert found.balanced
    assert found.stands == "not in the ERP"
    assert found.rows[0].called == "Trade receivables"
    assert found.rows[1].called == entry.lines[1].role.value  # a name that is not known: what the account is for


def test_a_sales_order_that_is_changed_shows_what_goes_and_what_comes() -> None:
    policy = a_policy(sales__document="order")
    first = documents(sold(PAID, policy))
    change = next(each for each in documents(sold(EDITED, policy, posted=first)) if each.updates)
    found = read(paper(change, "update", before=document_to_json(first[0]), stands="4711"))
    assert found.stands == "changes 4711 in the ERP"
    assert found.itemised
    assert found.was == PAID.order.total.inc_tax
    assert found.total == EDITED.order.total.inc_tax
    gone = [row for row in found.rows if row.sign == "removed"]
    come = [row for row in found.rows if row.sign == "added"]
    assert [row.quantity for row in gone if row.quantity] == [Decimal(3)]
    assert [row.quantity for row in come if row.quantity] == [Decimal(2)]
    stays = [row for row in found.rows if not row.sign]
    assert stays, "what both have is shown without a sign"
    after = [row for row in found.rows if row.sign != "removed"]
    assert len(after) == len(change.lines)
    order = [row.sign for row in found.rows if row.sign]
    assert order == sorted(order, reverse=True), "what goes stands before what comes"


def test_the_same_line_twice_is_two_lines() -> None:
    entry = documents(plan(PAID))[0]
    doubled = replace(entry, lines=(*entry.lines, entry.lines[1]))
    found = read(paper(doubled, before=document_to_json(entry), stands="4711"))
    assert [row.sign for row in found.rows].count("added") == 1
    assert [row.sign for row in found.rows].count("removed") == 0
    fewer = read(paper(entry, before=document_to_json(doubled), stands="4711"))
    assert [row.sign for row in fewer.rows].count("removed") == 1


def test_what_stands_is_shown_without_signs() -> None:
    entry = documents(plan(PAID))[0]
    found = read(paper(entry, "right", number="0100004711"))
    assert {row.sign for row in found.rows} == {""}
    assert found.stands == "0100004711 in the ERP"


def test_a_document_of_another_version_is_not_guessed() -> None:
    entry = documents(plan(PAID))[0]
    made = paper(entry)
    assert shown(replace(made, content={**made.content, "kind": "of_tomorrow"}), {}) is None


def test_figures_count_a_shared_customer_once_and_never_add_across_currencies() -> None:
    found = documents(plan(captured(StoreOrder(customer=4711).snapshot())))
    customer, *others = [paper(document) for document in found]
    assert customer.content["kind"] == "customer"
    orders = [
        Order("1", "1", "documents", "d", total=Decimal("10.10"), currency="USD", papers=[customer, others[0]]),
        Order("2", "2", "documents", "d", total=Decimal(900), currency="JPY", papers=[customer, *others[1:]]),
        Order("3", "3", "documents", "d", total=Decimal(7), currency="USD", papers=[replace(others[0], act="right")]),
        Order("4", "4", "held", "d", total=Decimal(5), currency="USD"),
    ]
    counts = counts_of(orders)
    assert (counts["orders"], counts["to_post"], counts["held"]) == (4, 2, 1)
    assert counts["create"] == len(found)
    assert sums_of(orders) == {"USD": Decimal("10.10"), "JPY": Decimal(900)}
