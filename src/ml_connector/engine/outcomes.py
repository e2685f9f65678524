"""What became of a document, and of a record's plan: closed sets that flows turn into outcomes of records."""

from collections.abc import Mapping
from dataclasses import dataclass

from ml_connector.engine.postings import Posting

EARLY_LOOKS_S = (5.0, 30.0, 120.0)
"""Presence is proof at any time, so an unknown outcome is looked up early and often, then at H."""


@dataclass(frozen=True, slots=True)
class Stands:
    """The document stands in the target under `number`."""

    number: str


@dataclass(frozen=True, slots=True)
class Applied:
    """Every document of the plan stands. Reference -> number of those that this run made or found."""

    numbers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Waits:
    """Look again after `after_s`.

    `reference`: of a posting in flight, whose outcome wakes who waits for it. Empty where time alone helps: who waits
    for something that is not in flight would be woken at once, again and again. `why`: said to a person.
    """

    reference: str
    after_s: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A person must act: hold `kind` for `key`, with the words to show."""

    kind: str
    key: str
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The target could not be used now; nothing was written."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Changed:
    """What the plan was made from has moved: plan again."""

    why: str


Stop = Waits | Stopped | Failed | Changed
"""Why a record cannot go on in this run."""

Result = Applied | Stop


def next_look_s(posting: Posting) -> float:
    """Seconds from `posting.read_at` until the next look-up of an open posting is worth making."""
    if posting.sent_at is None or posting.resolve_at is None:
        return EARLY_LOOKS_S[0]
    age_s = (posting.read_at - posting.sent_at).total_seconds()
    horizon_s = (posting.resolve_at - posting.sent_at).total_seconds()
    for look_s in EARLY_LOOKS_S:
        if age_s < look_s < horizon_s:
            return look_s - age_s
    return max(0.05, horizon_s - age_s)
