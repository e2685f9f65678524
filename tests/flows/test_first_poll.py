"""Where the first poll of a new integration starts."""

from datetime import UTC, date, datetime

from ml_connector.flows.polls import first_since

NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def test_without_a_cut_over_it_looks_one_day_back() -> None:
    assert first_since(None, NOW) == datetime(2026, 11, 19, 20, 0, tzinfo=UTC)


def test_it_starts_early_enough_for_stores_east_of_greenwich() -> None:
    """The first of November begins in Tokyo on 31 October, 15:00 UTC."""
    assert first_since(date(2026, 11, 1), NOW) <= datetime(2026, 10, 31, 15, 0, tzinfo=UTC)


def test_a_cut_over_that_lies_ahead_does_not_make_it_deaf_until_then() -> None:
    assert first_since(date(2026, 12, 1), NOW) < NOW
