"""Days: the store's zone, the event that triggers, the open period."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from ml_connector.domain.policy import OpenPeriods
from tests.planning.store import (
    CREATED,
    StoreOrder,
    a_policy,
    a_refund,
    a_transaction,
    an_item,
    captured,
    documents,
    due,
    held,
    plan,
)

PAID = captured(StoreOrder().snapshot(), created=CREATED + timedelta(days=3))


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("America/Chicago", datetime(2026, 3, 8, 5, 30, tzinfo=UTC), date(2026, 3, 7)),
        ("America/Chicago", datetime(2026, 3, 9, 4, 30, tzinfo=UTC), date(2026, 3, 8)),  # summer time began
        ("America/Chicago", datetime(2026, 3, 9, 5, 30, tzinfo=UTC), date(2026, 3, 9)),
        ("Asia/Tokyo", datetime(2026, 3, 31, 16, 30, tzinfo=UTC), date(2026, 4, 1)),
        ("UTC", datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), date(2026, 3, 31)),
    ],
)
def test_a_day_is_the_stores_day_with_its_summer_time(zone: str, moment: datetime, day: date) -> None:
    snapshot = replace(PAID, store=replace(PAID.store, time_zone=zone), order=replace(PAID.order, created=moment))
    assert documents(plan(snapshot))[0].document_date == day
    other = replace(PAID, order=replace(PAID.order, created=moment))
    assert documents(plan(other, a_policy(dates__time_zone=zone)))[0].document_date == day


def test_the_order_posts_on_its_own_day_or_on_that_of_the_first_capture() -> None:
    assert documents(plan(PAID))[0].posting_date == date(2026, 3, 4)
    later = a_transaction("1.00", 2, created=CREATED + timedelta(days=9))
    twice = replace(PAID, transactions=(later, *PAID.transactions))
    found = documents(plan(twice, a_policy(dates__posting="trigger_date")))
    assert found[0].posting_date == date(2026, 3, 7)
    assert found[0].document_date == date(2026, 3, 4)


def test_each_payment_and_refund_has_its_own_day() -> None:
    snapshot = StoreOrder().snapshot()
    rows = (
        a_transaction("10.00", created=CREATED + timedelta(days=1)),
        a_transaction(due(snapshot) - 10, 2, created=CREATED + timedelta(days=4)),
    )
    refund = a_refund("8.66", "0.66", an_item("SHIPPING", 61, amount="8.66"))
    found = documents(plan(replace(snapshot, transactions=rows, refunds=(refund,))))
    assert [one.posting_date.day for one in found] == [4, 5, 8, 9, 9]


def test_a_closed_period_holds_or_moves_the_posting_date_alone() -> None:
    periods = OpenPeriods(date(2026, 4, 1), None)
    result = held(plan(PAID, periods=periods))
    assert (result.code, result.key) == ("closed_period", "2026-03-04")
    found = documents(plan(PAID, a_policy(closed_period="first_open_day"), periods=periods))
    assert {one.posting_date for one in found} == {date(2026, 4, 1)}
    assert [one.document_date for one in found] == [date(2026, 3, 4), date(2026, 3, 7)]


def test_only_what_is_new_needs_an_open_period() -> None:
    posted = documents(plan(PAID))
    refund = a_refund("8.66", "0.66", an_item("SHIPPING", 61, amount="8.66"), created=datetime(2026, 4, 9, tzinfo=UTC))
    found = documents(plan(replace(PAID, refunds=(refund,)), posted=posted, periods=OpenPeriods(date(2026, 4, 1))))
    assert [one.already for one in found] == [True, True, False, False]


def test_a_day_in_a_hole_goes_to_the_first_day_behind_it() -> None:
    hole = ((date(2026, 3, 1), date(2026, 3, 31)),)
    periods = OpenPeriods(date(2026, 1, 1), date(2026, 6, 30), hole)
    assert held(plan(PAID, periods=periods)).code == "closed_period"
    moved = documents(plan(PAID, a_policy(closed_period="first_open_day"), periods=periods))
    assert {document.posting_date for document in moved} == {date(2026, 4, 1)}
    late = OpenPeriods(date(2026, 1, 1), date(2026, 3, 31), hole)
    assert held(plan(PAID, a_policy(closed_period="first_open_day"), periods=late)).code == "closed_period"
