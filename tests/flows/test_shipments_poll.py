"""Coarse stamps: a change in the same minute is not missed, and what stands is not read again for ever."""

from datetime import UTC, datetime

from ml_connector.connectors.base import Change, ChangePage
from ml_connector.flows.shipments_poll import SETTLED_S, news_of

MINUTE = datetime(2026, 3, 7, 14, 5, tzinfo=UTC)


def page(stamp: datetime | None = MINUTE) -> ChangePage:
    return ChangePage((Change("DeliveryNotes/918", stamp),), MINUTE)


def test_a_stamp_is_marked_until_it_has_stood_for_long_and_once_more_then() -> None:
    seen, news = news_of(page(), {}, 1000)
    assert news
    for now in (1001, 1000 + SETTLED_S - 1, 1000 + SETTLED_S):
        seen, news = news_of(page(), seen, now)
        assert news, now
    seen, news = news_of(page(), seen, 1001 + SETTLED_S)
    assert not news


def test_rare_polls_look_a_second_time() -> None:
    """The note may have changed once more in that very minute, after it was read."""
    seen, _ = news_of(page(), {}, 1000)
    seen, news = news_of(page(), seen, 90_000)
    assert news
    assert not news_of(page(), seen, 180_000)[1]


def test_another_stamp_begins_anew_also_an_earlier_one() -> None:
    """In autumn the server's clock goes back."""
    seen, _ = news_of(page(), {}, 1000)
    seen, _ = news_of(page(), seen, 2000)
    assert not news_of(page(), seen, 3000)[1]
    for other in (MINUTE.replace(minute=6), MINUTE.replace(hour=13), None):
        again, news = news_of(page(other), seen, 3000)
        assert news
        assert news_of(page(other), again, 3001)[1]
