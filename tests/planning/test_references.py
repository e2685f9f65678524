"""One name per document: short and long form, packed IDs, generations, customers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_connector.planning.references import (
    Names,
    ReferenceOverflow,
    base36,
    customer_reference,
    guest_reference,
    serial,
)
from tests.planning.store import StoreOrder, captured, held, plan

SHORT, LONG = Names("S1", 10250), Names("S1", 10250, "long")


@pytest.mark.parametrize(
    ("letter", "source", "generation", "short", "long"),
    [
        ("O", 10250, 1, "S1-O10250", "BC-S1-10250-O"),
        ("O", 10250, 2, "S1-O10250-2", "BC-S1-10250-O-2"),
        ("P", "90100211", 1, "S1-P90100211", "BC-S1-10250-P90100211"),
        ("R", 31, 3, "S1-R31-3", "BC-S1-10250-R31-3"),
        ("S", 10250, 1, "S1-S10250", "BC-S1-10250-S"),
        ("D", 10250, 1, "S1-D10250", "BC-S1-10250-D"),
        ("P", "4294967295", 1, "S1-PZ1Z141Z3", "BC-S1-10250-P4294967295"),
    ],
)
def test_both_forms(letter: str, source: int | str, generation: int, short: str, long: str) -> None:
    assert SHORT.name(letter, source).reference(generation) == short
    assert LONG.name(letter, source).reference(generation) == long
    assert SHORT.name(letter, source).long(generation) == long


def test_a_reversal_carries_the_generation_that_it_reverses() -> None:
    name = SHORT.name("O", 10250)
    assert (name.reversal(), name.reversal(2)) == ("S1-XO10250", "S1-XO10250-2")
    assert name.long(2, reversal=True) == "BC-S1-10250-XO-2"


@pytest.mark.parametrize("source", ["abc", "12-3", "", "99999999999999999"])
def test_ids_that_do_not_fit_are_refused(source: str) -> None:
    with pytest.raises(ReferenceOverflow):
        SHORT.name("P", source).reference()


def test_generation_nine_is_the_last() -> None:
    assert SHORT.name("O", 1).reference(9) == "S1-O1-9"
    with pytest.raises(ReferenceOverflow):
        SHORT.name("O", 1).reference(10)


def test_the_longest_references_fit() -> None:
    assert len(Names("S01", 1).name("O", 36**7 - 1).reversal(9)) == 16
    assert len(Names("S01", 1234567890, "long").name("P", 999999999999).reversal(9)) == 34


@given(st.integers(0, 36**7 - 1), st.integers(0, 36**7 - 1))
def test_two_ids_never_share_a_serial(one: int, other: int) -> None:
    assert (serial(str(one), "short") == serial(str(other), "short")) == (one == other)
    assert int(base36(one), 36) == one


def test_packed_and_plain_numbers_never_meet() -> None:
    """A long ID whose base-36 form is made of decimal digits alone, beside the short ID of those digits."""
    long_id = int("1234567", 36)
    assert serial(str(long_id), "short") != serial("1234567", "short")


def test_an_overflow_holds_the_order() -> None:
    snapshot = captured(StoreOrder().snapshot(), id="txn_abc")
    assert held(plan(snapshot)).code == "reference_overflow"


def test_customers_have_their_own_references() -> None:
    assert customer_reference("S1", 77) == "S1-C77"
    guest = guest_reference("S01", "Mara@Example.org ")
    assert guest == guest_reference("S01", "mara@example.org")
    assert guest.startswith("S01-CG")
    assert len(guest) <= 20
    assert guest != guest_reference("S01", "nora@example.org")
