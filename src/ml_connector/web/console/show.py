"""How numbers, money, moments and states are written on pages (`docs/console.md`): as filters of the templates.

Zero is grey, absent is a dash, unknown is a question mark: three things, never one glyph.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from markupsafe import Markup, escape

from ml_connector.connectors.base import StoredDocument
from ml_connector.desk import formats
from ml_connector.domain.money import decimals, round_half_up

DASH: Final = "–"
MINUS: Final = "−"
THIN: Final = "\u202f"


@dataclass(frozen=True, slots=True)
class State:
    """A state as a page shows it: a silhouette, a token of colour (both by `shape`) and a word."""

    shape: str
    word: str


STATES: Final[Mapping[str, State]] = {
    "running": State("run", "Running"),
    "waiting": State("wait", "Waiting"),
    "uncertain": State("unsure", "Uncertain"),
    "held": State("hold", "Held"),
    "dead": State("dead", "Dead"),
    "excluded": State("out", "Excluded"),
    "synced": State("ok", "Synced"),
}


def number(value: float | None) -> Markup:
    """Whole numbers with commas; zero in grey, None as a dash."""
    if value is None:
        return Markup(f'<span class="faint">{DASH}</span>')
    text = formats.written(f"{value:,}").replace("-", MINUS)
    return Markup('<span class="{}">{}</span>').format("number zero" if value == 0 else "number", text)


def amount(value: Decimal | None, currency: str = "", *, plain: bool = False) -> str:
    """`1,204.00`: with the decimals of the currency, never rounded for looks."""
    if value is None:
        return DASH
    rounded = round_half_up(value, currency)
    if rounded != value:  # an ERP or a store may hold more decimals than the currency has
        text = f"{value.normalize():,f}"
    else:
        text = f"{rounded:,.{decimals(currency)}f}"
    return text if plain else formats.written(text).replace("-", MINUS)


def money(value: Decimal | None, currency: str | None = "") -> Markup:
    """`1,204.00 USD`, the code small; a dash where there is no amount."""
    if value is None:
        return Markup(f'<span class="faint">{DASH}</span>')
    shown = Markup('<span class="number">{}</span>').format(amount(value, currency or ""))
    return shown + Markup('<span class="currency">{}</span>').format(currency) if currency else shown


def difference(value: Decimal | None, currency: str = "") -> Markup:
    """Red where it is not nothing; 0.00 in grey."""
    if value is None:
        return Markup(f'<span class="faint">{DASH}</span>')
    kind = "number dead-ink strong" if value else "number zero"
    return Markup('<span class="{}">{}</span>').format(kind, amount(value, currency))


def sums(by_currency: Mapping[str, Decimal]) -> Markup:
    """One sum for each currency, the largest first; never added across."""
    ordered = sorted(by_currency.items(), key=lambda item: -abs(item[1]))
    return Markup(" · ").join(money(value, currency) for currency, value in ordered) or Markup(DASH)


def plural(count: int, one: str, many: str = "") -> str:
    """`1 order`, `14 orders`."""
    return f"{formats.grouped(count)} {one if count == 1 else many or one + 's'}"


_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")


def spelled(count: int) -> str:
    """Numbers that begin a heading: words up to twelve."""
    return _WORDS[count] if 0 <= count < len(_WORDS) else formats.grouped(count)


def zone(name: str) -> ZoneInfo:
    """The zone of that name; UTC where it is not known."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def moment(at: datetime | None, where: str = "UTC", *, now: datetime | None = None) -> Markup:
    """Today `09:14:31`; this year `Nov 20, 09:13`; else with the year. Exact in the title, with zone and UTC."""
    if at is None:
        return Markup(f'<span class="faint">{DASH}</span>')
    local, today = at.astimezone(zone(where)), (now or datetime.now(UTC)).astimezone(zone(where))
    if local.date() == today.date():
        text = f"{local:%H:%M:%S}"
    elif local.year == today.year:
        text = f"{formats.month_day(local)}, {local:%H:%M}"
    else:
        text = f"{formats.month_day(local)}{_before_year()}{local:%Y}"
    return _timed(at, local, text)


def exactly(at: datetime | None, where: str = "UTC") -> Markup:
    """`Tue, Nov 17, 2026, 23:41`."""
    if at is None:
        return Markup(DASH)
    local = at.astimezone(zone(where))
    return _timed(at, local, f"{local:%a}, {formats.month_day(local)}{_before_year()}{local:%Y, %H:%M}")


def clock(at: datetime, where: str = "UTC") -> Markup:
    """`09:14:31`, whatever the day."""
    local = at.astimezone(zone(where))
    return _timed(at, local, f"{local:%H:%M:%S}")


def _timed(at: datetime, local: datetime, text: str) -> Markup:
    title = f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z} ({at.astimezone(UTC):%H:%M:%S} UTC)"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.astimezone(UTC).isoformat(), title, text)


def day(of: date | None, *, weekday: bool = False) -> str:
    """`Nov 17` or `Tue, Nov 17`: dates are dates, and are never shifted by a zone."""
    if of is None:
        return DASH
    return f"{of:%a}, {formats.month_day(of)}" if weekday else formats.month_day(of)


def span(seconds: float | None) -> str:
    """`184 ms`, `1.1 s`, `21 s`, `4 min`, `2 h`, `3 d`."""
    if seconds is None:
        return DASH
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds > 0 else "0 s"
    if seconds < 10:
        return formats.written(f"{seconds:.1f} s".replace(".0 s", " s"))
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86_400:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} d"


def age(at: datetime | None, *, now: datetime | None = None) -> Markup:
    """How long ago: `4 s`, `11 min`, `1 h`, `2 d`."""
    if at is None:
        return Markup(f'<span class="faint">{DASH}</span>')
    seconds = max(timedelta(0), (now or datetime.now(UTC)) - at).total_seconds()
    words = span(seconds) if seconds >= 1 else "now"
    title = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.astimezone(UTC).isoformat(), title, words)


def rate(each_second: float) -> str:
    """`3.2`, `0.05`, `12`: calls a second."""
    if each_second >= 10:
        return f"{each_second:.0f}"
    return formats.written(f"{each_second:.1f}" if each_second >= 0.95 or each_second == 0 else f"{each_second:.2f}")


def percent(part: float) -> str:
    return f"{part:.0f}{THIN}%"


def stored_amount(document: StoredDocument) -> Decimal:
    """What a document comes to as an ERP shows it: the customer's side, or without a customer one side of its lines."""
    customer = sum((line.amount for line in document.lines if line.customer), Decimal(0))
    return abs(customer) or sum((line.amount for line in document.lines if line.amount > 0), Decimal(0))


def begun(text: str) -> str:
    """With its first letter large, and the others as they are."""
    return text[:1].upper() + text[1:]


def marked(text: str, asked: str) -> Markup:
    """`text` with what was searched for marked, at the beginnings of its words."""
    words = [word for word in asked.casefold().split() if word]
    found = text.split(" ")
    shown = [
        Markup("<mark>{}</mark>{}").format(part[: len(hit)], part[len(hit) :])
        if (hit := next((word for word in words if part.casefold().startswith(word)), ""))
        else escape(part)
        for part in found
    ]
    return Markup(" ").join(shown)


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def initials(name: str) -> str:
    """Two letters for a person's mark."""
    parts = [part for part in name.replace(".", " ").replace("@", " ").replace("_", " ").split() if part]
    return "".join(part[0] for part in parts[:2]).upper() or "?"


def _before_year() -> str:
    return " " if formats.way().day_first else ", "


FILTERS = {
    "number": number, "amount": amount, "money": money, "difference": difference, "sums": sums, "plural": plural,
    "spelled": spelled, "moment": moment, "exactly": exactly, "clock": clock, "day": day, "span": span, "age": age,
    "percent": percent, "rate": rate,
    "grouped": formats.grouped, "marked": marked, "initials": initials, "stored_amount": stored_amount,
    "sentence": sentence, "begun": begun, "decimal": Decimal,
}  # fmt: skip
