"""The store's date formats: RFC 2822 (v2), ISO 8601 (v3), `YYYY-MM-DD HH:MM:SS` (groups), epoch seconds (hooks)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(int(epoch_s), UTC)


def rfc2822(epoch_s: float) -> str:
    """`Thu, 01 Jan 2026 00:00:00 +0000`"""
    at = moment(epoch_s)
    return f"{_DAYS[at.weekday()]}, {at.day:02d} {_MONTHS[at.month - 1]} {at.year} {at:%H:%M:%S} +0000"


def iso_offset(epoch_s: float) -> str:
    """`2026-01-01T00:00:00+00:00` (transactions, refunds, metafields)"""
    return moment(epoch_s).isoformat()


def iso_z(epoch_s: float) -> str:
    """`2026-01-01T00:00:00Z` (customers)"""
    return f"{moment(epoch_s):%Y-%m-%dT%H:%M:%SZ}"


def sql_style(epoch_s: float) -> str:
    """`2026-01-01 00:00:00` (customer groups)"""
    return f"{moment(epoch_s):%Y-%m-%d %H:%M:%S}"


def parse_date(text: str) -> int | None:
    """Epoch seconds of an RFC 2822 or ISO 8601 date or timestamp; None if the text is neither.

    A date or timestamp without a zone is read as UTC. A `+` that was not URL-encoded arrives as a blank.
    """
    text = text.strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text if " " not in text else _restore_plus(text))
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return int(at.timestamp())


def _restore_plus(text: str) -> str:
    head, _, tail = text.rpartition(" ")
    return f"{head}+{tail}" if "T" in head and ":" in tail else text
