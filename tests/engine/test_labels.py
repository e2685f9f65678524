"""What a record is called, and how it is found again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from ml_connector.engine import labels
from ml_connector.engine.database import Database
from ml_connector.engine.labels import Label

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
_FIND = text("SELECT key FROM labels WHERE integration = 1 AND terms @@ CAST(:query AS tsquery) ORDER BY key")


def _order(key: str, party: str, *words: str, stamp: datetime = NOW) -> Label:
    return Label(key, key, party, "", Decimal("12.50"), "USD", NOW, stamp, words)


async def _found(database: Database, asked: str) -> list[str]:
    async with database.connect() as connection:
        return list((await connection.execute(_FIND, {"query": labels.query_of(asked)})).scalars())


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("moreau", ["10471"]),
        ("MÖREAU", ["10471"]),
        ("sim mor", ["10471"]),
        ("10471", ["10471"]),
        ("hp-lant-02", ["10472"]),
        ("lant", ["10472"]),
        ("dana@example", ["10472"]),
        ("o'brien", ["10473"]),
        ("nobody", []),
    ],
)
async def test_what_a_person_types_finds_the_order(database: Database, asked: str, found: list[str]) -> None:
    rows = [
        _order("10471", "Simone Möreau"),
        _order("10472", "Dana Ortiz", "dana@example.test", "HP-LANT-02"),
        _order("10473", "O'Brien & Söhne"),
    ]
    async with database.connect() as connection:
        await labels.note(connection, 1, "orders", rows)
    assert await _found(database, asked) == found


async def test_an_older_snapshot_does_not_take_back_what_a_later_one_said(database: Database) -> None:
    async with database.connect() as connection:
        await labels.note(connection, 1, "orders", [_order("1", "After")])
        await labels.note(connection, 1, "orders", [_order("1", "Before", stamp=NOW - timedelta(seconds=1))])
    assert await _found(database, "after") == ["1"]
    assert await _found(database, "before") == []


@given(st.text(max_size=80))
def test_no_text_makes_terms_or_a_query_that_cannot_be_asked(asked: str) -> None:
    for term in labels.terms_of([asked]):
        assert term
        assert len(term) <= labels.TERM_LIMIT
        assert not {"\x00", "\x1f"} & set(term)
    assert "\x00" not in labels.query_of(asked)


async def test_what_looks_like_an_operator_is_a_word(database: Database) -> None:
    async with database.connect() as connection:
        await labels.note(connection, 1, "orders", [_order("1", "a & b | !c <-> 'd' \\ e")])
    for asked in ("a & b", "| !c", "<->", "\\", "'", "':*", "!"):
        await _found(database, asked)
