"""A refund's tax over the codes: in proportion, never more than a code holds, and to zero in the end."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_connector.domain.money import ZERO
from ml_connector.planning.tax import split

D = Decimal


def parts(*amounts: str) -> dict[str, Decimal]:
    return {f"C{number}": D(amount) for number, amount in enumerate(amounts)}


@pytest.mark.parametrize(
    ("total", "weights", "left", "expected"),
    [
        ("3.00", ("1.00", "2.00"), ("5.00", "5.00"), ("1.00", "2.00")),
        ("0.01", ("1.00", "2.00"), ("5.00", "5.00"), ("0.00", "0.01")),
        # The first code has 0.50 left only.
        ("3.00", ("1.00", "2.00"), ("0.50", "5.00"), ("0.50", "2.50")),
        # Everything that is left goes, whatever the proportion.
        ("1.50", ("9.00", "0.00"), ("0.50", "1.00"), ("0.50", "1.00")),
        ("-2.00", ("1.00", "1.00"), ("5.00", "5.00"), ("-1.00", "-1.00")),
    ],
)
def test_the_split(total: str, weights: tuple[str, ...], left: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert split(D(total), parts(*weights), parts(*left), "USD") == parts(*expected)


cents = st.integers(0, 5000).map(lambda number: D(number) / 100)


@given(cents, st.lists(st.tuples(cents, cents), min_size=1, max_size=4))
def test_it_adds_up_and_takes_no_more_than_there_is(total: Decimal, codes: list[tuple[Decimal, Decimal]]) -> None:
    weights = {f"C{number}": weight + D("0.01") for number, (weight, _) in enumerate(codes)}
    left = {f"C{number}": amount for number, (_, amount) in enumerate(codes)}
    found = split(total, weights, left, "USD")
    assert sum(found.values(), ZERO) == total
    if total <= sum(left.values(), ZERO):
        assert all(found[code] <= left[code] for code in left)
