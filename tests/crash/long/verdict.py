"""The count at the end, in the sandbox's own state over HTTP; our own tables say only whether anything is open."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ml_connector.connectors.base import Settings, StoredDocument
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.reconcile.tie_out import tie_out
from tests.crash import books
from tests.crash.long.scene import LongCase

MOST_ATTEMPTS = 40
"""Sends of one document before somebody should ask why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`difference`: the largest of any currency. `complaints`: all that is wrong, in words. `unsettled`: what our own
    tables say is still moving, held, dead or unknown; `waiting`: orders held because their money is not captured."""

    orders: int
    documents: int
    partners: int
    duplicates: int
    missing: int
    difference: Decimal
    complaints: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    waiting: int = 0

    @property
    def clean(self) -> bool:
        return not (self.duplicates or self.missing or self.difference or self.complaints or self.unsettled)


def verdict_on(case: LongCase) -> Verdict:
    """As both systems and our tables are now."""
    orders = books.orders_in(case.store)
    documents = books.documents_in(case.erp)
    partners = books.partners_in(case.erp)
    stage = case.stage
    return counted(
        orders, documents, partners,
        mapping=stage.mapping, policy=stage.policy, settings=stage.erp_settings(),
        complaints=tuple(_wrong_requests(case)),
        unsettled=tuple(case.unsettled()),
        waiting=case.waiting_for_money(),
    )  # fmt: skip


def counted(
    orders: list[OrderSnapshot],
    documents: list[StoredDocument],
    partners: Mapping[str, list[str]],
    *,
    mapping: Tables,
    policy: Policy,
    settings: Settings,
    complaints: tuple[str, ...] = (),
    unsettled: tuple[str, ...] = (),
    waiting: int = 0,
) -> Verdict:
    """One document per reference, every live document line by line what a plan from nothing says, both sides tied."""
    tied = tie_out(orders, documents, policy=policy, tables=mapping, held={})
    found = books.found_wrong(orders, documents, partners, mapping=mapping, policy=policy, settings=settings)
    names = [document.reference for document in documents]
    doubled = len(names) - len(set(names)) + sum(len(numbers) - 1 for numbers in partners.values())
    return Verdict(
        orders=len(orders),
        documents=len(documents),
        partners=len(partners),
        duplicates=max(doubled, tied.duplicates),
        missing=tied.missing,
        difference=tied.difference,
        complaints=(*found, *complaints),
        unsettled=unsettled,
        waiting=waiting,
    )


def _wrong_requests(case: LongCase) -> Iterator[str]:
    """Every request that could have made a document was licensed by an attempt, and none left twice."""
    executed = [entry for entry in books.posts_in(case.erp) if "throttle" not in entry["faults"]]
    [row] = case.query("SELECT coalesce(sum(attempt), 0)::int AS attempts, max(attempt) AS most FROM postings")
    if len(executed) > row["attempts"]:
        yield f"{len(executed)} requests left for {row['attempts']} licensed attempts"
    if len({entry["connection"] for entry in executed}) != len(executed):
        yield "two writes shared a connection"
    if len({entry["body_sha256"] for entry in executed}) != len(executed):
        yield "one request was sent twice"
    if (row["most"] or 0) > MOST_ATTEMPTS:
        yield f"a document was attempted {row['most']} times"


@dataclass(frozen=True, slots=True)
class Looked:
    """What our own rows tell of look-ups for unknown outcomes. An audit row may die with its process: at least so
    many."""

    found: int = 0
    absent: int = 0

    @property
    def resolved(self) -> int:
        return self.found + self.absent


def looked_up(case: LongCase) -> Looked:
    [row] = case.query(
        "SELECT count(*) FILTER (WHERE kind = 'absent')::int AS absent,"
        " count(*) FILTER (WHERE kind = 'stored' AND data ->> 'by' = 'look-up'"
        "   AND NOT coalesce((data ->> 'adopted')::boolean, false))::int AS found FROM audit"
    )
    return Looked(found=row["found"], absent=row["absent"])


@dataclass(frozen=True, slots=True)
class Struck:
    """Faults that the sandbox really did, by system and kind, out of so many requests."""

    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    hits: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])

    @property
    def total(self) -> int:
        return sum(sum(kinds.values()) for kinds in self.hits.values())


def faults_done(case: LongCase) -> Struck:
    """From the rules' own counters; throttles are told apart by whether they said when to come again."""
    requests: dict[str, int] = {}
    hits: dict[str, dict[str, int]] = {}
    for system, control in (("store", case.store), ("erp", case.erp)):
        rules: list[dict[str, Any]] = books.call(f"{control}/faults")["faults"]
        kinds = hits.setdefault(system, {})
        for rule in rules:
            name = str(rule["fault"])
            if name == "throttle":
                silent = rule["args"].get("retry_after") == "none" and not rule["args"].get("headers")
                name = "throttled, without a time" if silent else "throttled, with a time to come again"
            kinds[name] = kinds.get(name, 0) + int(rule["hits"])
            requests[system] = max(requests.get(system, 0), int(rule["seen"]))
    return Struck(requests, hits)
