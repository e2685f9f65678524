"""What a person calls a record: order number, customer, amount. Written by the run that read it, for lists and search.

Terms are made here, not by PostgreSQL's parser: a search for `HP-LANT-02` must find that SKU, and `moreau` somebody
called Möreau. They hold personal data, so they are shown to whoever may see records and to nobody else; the audit
keeps none of them.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.database import dump_json

TERM_LIMIT = 64
TERMS_LIMIT = 200
"""Terms of one record at most: an order of two thousand lines is found by its first SKUs and by its number."""

_WORD = re.compile(r"[^\s,;()\[\]{}<>\"']+")
_PARTS = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True, slots=True)
class Label:
    """One record. `title`: what a person calls it, such as the order number. `total`: in major units of `currency`.
    `words`: names, mail addresses, SKUs that it can be found by. `stamp`: of the snapshot it was read from. `sums`:
    what it comes to in the source, as rows of kind, name and amount."""

    key: str
    title: str
    party: str = ""
    ship_to: str = ""
    total: Decimal | None = None
    currency: str | None = None
    placed_at: datetime | None = None
    stamp: datetime | None = None
    words: tuple[str, ...] = ()
    sums: Sequence[tuple[str, str, str]] = ()


# A run that read an older snapshot does not overwrite what a later one said; what is equal is not written again.
_NOTE = text("""
INSERT INTO labels AS l (integration, flow, key, title, party, ship_to, total, currency, placed_at, stamp, terms,
                         sums)
SELECT :integration, :flow, r.key, r.title, r.party, r.ship_to, r.total, r.currency, r.placed_at, r.stamp,
       array_to_tsvector(string_to_array(r.terms, chr(31))), CAST(r.sums AS jsonb)
  FROM unnest(CAST(:keys AS text[]), CAST(:titles AS text[]), CAST(:parties AS text[]), CAST(:ship_tos AS text[]),
              CAST(:totals AS numeric[]), CAST(:currencies AS text[]), CAST(:placed AS timestamptz[]),
              CAST(:stamps AS timestamptz[]), CAST(:terms AS text[]), CAST(:sums AS text[]))
       AS r(key, title, party, ship_to, total, currency, placed_at, stamp, terms, sums) ORDER BY r.key
ON CONFLICT (integration, flow, key) DO UPDATE
   SET title = excluded.title, party = excluded.party, ship_to = excluded.ship_to, total = excluded.total,
       currency = excluded.currency, placed_at = excluded.placed_at, stamp = excluded.stamp, terms = excluded.terms,
       sums = excluded.sums
 WHERE (l.stamp IS NULL OR excluded.stamp IS NULL OR l.stamp <= excluded.stamp)
   AND (l.title, l.party, l.ship_to, l.total, l.currency, l.placed_at, l.terms, l.sums) IS DISTINCT FROM
       (excluded.title, excluded.party, excluded.ship_to, excluded.total, excluded.currency, excluded.placed_at,
        excluded.terms, excluded.sums)
""")


async def note(connection: AsyncConnection, integration: int, flow: str, labels: Sequence[Label]) -> None:
    """Keeps what these records are called. One statement; needs no fence, for it decides nothing."""
    if not labels:
        return
    rows = sorted(labels, key=lambda label: label.key)
    await connection.execute(
        _NOTE,
        {
            "integration": integration,
            "flow": flow,
            "keys": [row.key for row in rows],
            "titles": [_plain(row.title) for row in rows],
            "parties": [_plain(row.party) for row in rows],
            "ship_tos": [_plain(row.ship_to) for row in rows],
            "totals": [row.total for row in rows],
            "currencies": [row.currency for row in rows],
            "placed": [row.placed_at for row in rows],
            "stamps": [row.stamp for row in rows],
            "terms": ["\x1f".join(terms_of((row.title, row.key, row.party, row.ship_to, *row.words))) for row in rows],
            "sums": [_plain_sums(row.sums) for row in rows],
        },
    )


def terms_of(texts: Iterable[str]) -> list[str]:
    """The terms that `texts` can be found by: every word as it is written, and its parts (`hp-lant-02`, `hp`, `lant`,
    `02`); lower case, without accents, at most `TERMS_LIMIT`."""
    terms: dict[str, None] = {}
    for written in texts:
        for word in _WORD.findall(folded(written)):
            terms.setdefault(word[:TERM_LIMIT])
            for part in _PARTS.split(word):
                if len(part) > 1:
                    terms.setdefault(part[:TERM_LIMIT])
            if len(terms) >= TERMS_LIMIT:
                return list(terms)[:TERMS_LIMIT]
    return list(terms) or ["-"]


def folded(written: str) -> str:
    """Lower case, accents gone, nothing that PostgreSQL refuses."""
    apart = unicodedata.normalize("NFKD", _plain(written)).casefold()
    return "".join(c for c in apart if not unicodedata.combining(c))


def query_of(asked: str) -> str:
    """What was typed as a `tsquery`: every word must begin a term. Empty where nothing was asked that can be found."""
    words = [word[:TERM_LIMIT] for word in _WORD.findall(folded(asked))][:8]
    return " & ".join("'" + word.replace("\\", "\\\\").replace("'", "''") + "':*" for word in words)


def _plain_sums(sums: Sequence[tuple[str, str, str]]) -> str | None:
    return dump_json([[_plain(part) for part in row] for row in sums]) if sums else None


def _plain(written: str) -> str:
    return written.replace("\x00", "").replace("\x1f", " ").encode("utf-8", "replace").decode()[:400]
