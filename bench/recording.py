"""What a worker really called, from its audit, held against the sandbox's own log of requests."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import psycopg

from bench.world import World, control

Side = Literal["store", "erp"]


@dataclass(frozen=True, slots=True)
class Made:
    """One call of a worker. `start_s`, `end_s`: seconds since the epoch. `run`: token of the run that made it.
    `status`: 0 where no answer was waited for. `body`: as the audit keeps it."""

    side: Side
    flow: str
    run: int
    start_s: float
    end_s: float
    method: str
    target: str
    status: int
    references: tuple[str, ...]
    kind: str
    body: str


# side, method, part of the path, kind; the first that fits
_RULES: Sequence[tuple[Side, str, str, str]] = (
    ("store", "GET", "/v2/store", "store"),
    ("store", "", "/metafields", "note"),
    ("store", "GET", "/taxes", "parts"),
    ("store", "GET", "/transactions", "parts"),
    ("store", "GET", "/coupons", "parts"),
    ("store", "GET", "/products", "parts"),
    ("store", "GET", "/shipping_addresses", "parts"),
    ("store", "GET", "/fees", "parts"),
    ("store", "GET", "/payment_actions/refunds", "parts"),
    ("store", "GET", "/v3/customers", "parts"),
    ("store", "GET", "/v3/catalog", "categories"),
    ("store", "GET", "/v2/orders", "orders"),
    ("erp", "POST", "/oauth2/token", "token"),
    ("erp", "GET", "/API_OPLACCTGDOCITEMCUBE_SRV/", "look-up"),
    ("erp", "GET", "/API_BUSINESS_PARTNER/A_", "look-up"),
    ("erp", "HEAD", "/API_BUSINESS_PARTNER", "session"),
    ("erp", "GET", "/API_BUSINESS_PARTNER", "session"),
    ("erp", "", "/API_BUSINESS_PARTNER/", "post"),
    ("erp", "POST", "/journalentrycreaterequestconfi", "post"),
    ("erp", "GET", "/sap/opu/odata", "master data"),
    ("erp", "POST", "/Login", "session"),
    ("erp", "POST", "/Logout", "session"),
    ("erp", "GET", "/BusinessPartners", "look-up"),
    ("erp", "GET", "/PaymentDrafts", "master data"),  # a set that older versions lack: asked once, to know
    ("erp", "GET", "/Drafts", "look-up"),
    *(
        (side, method, f"/{name}", kind)
        for name in ("Invoices", "CreditNotes", "DeliveryNotes", "Orders", "IncomingPayments", "VendorPayments")
        for side, method, kind in (("erp", "GET", "look-up"), ("erp", "", "post"))
    ),
    ("erp", "", "/BusinessPartners", "post"),
    ("erp", "", "/b1s/", "master data"),
)


def kind_of(side: Side, method: str, path: str) -> str:
    """What a call is for. Raises `LookupError` for one that no rule knows: the bench would count it wrong."""
    for rule_side, rule_method, part, kind in _RULES:
        if side == rule_side and rule_method in ("", method) and part in path:
            return kind
    raise LookupError(f"no rule for {side} {method} {path}")


@dataclass(frozen=True, slots=True)
class Since:
    """A moment: seconds since the epoch, and the ID of the latest request in each sandbox log."""

    at_s: float
    requests: Mapping[Side, int]


async def now(world: World) -> Since:
    """The present moment; the worker must be idle."""
    latest: dict[Side, int] = {}
    for side, system in _systems(world):
        log = await control(system, "state/requests")
        latest[side] = max((entry["id"] for entry in log["items"]), default=0)
    return Since(time.time(), latest)


async def recorded(world: World, database_url: str, since: Since) -> list[Made]:
    """Every call of the worker that the sandbox saw after `since`, in the order in which they started.

    Raises `RuntimeError` when audit and sandbox do not tell the same calls.
    """
    calls = [call for call in _audited(world, database_url) if call.start_s >= since.at_s]
    made = [call for call in calls if call.status]
    for side, system in _systems(world):
        log = await control(system, f"state/requests?after={since.requests[side]}")
        # The log has paths and queries decoded; the audit masks whom we log in as, who stands in some look-ups.
        user = str(system.credentials.get("client_id") or system.credentials.get("user"))
        seen = Counter(
            f"{each['method']} {_target(unquote(each['path']), unquote(each['query']))}".replace(f"'{user}'", "'***'")
            for each in log["items"]
        )
        told = Counter(map(_words, (call for call in made if call.side == side)))
        for call in calls:  # a read that was cancelled beside a refused one may have come as far as the sandbox
            if call.side == side and not call.status and seen[_words(call)] > told[_words(call)]:
                told[_words(call)] += 1
                made.append(call)
        if told != seen:
            more, less = list((told - seen).elements()), list((seen - told).elements())
            raise RuntimeError(
                f"audit and sandbox differ at the {side}: {len(more)} calls only in the audit, {len(less)} only at the "
                f"sandbox, as {(more + less)[0][:300]}; the worker says: {world.words_of('worker')}"
            )
    return sorted(made, key=lambda call: call.start_s)


def _words(call: Made) -> str:
    return f"{call.method} {unquote(call.target)}"


def _audited(world: World, database_url: str) -> list[Made]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT c.name, a.flow, a.token, a.data, a.refs, extract(epoch FROM a.at)::float8"
            "  FROM audit a JOIN connections c ON c.connection = a.connection"
            # What was given up before its first byte, as a write whose document another run had in hand, was no call.
            " WHERE a.kind = 'call' AND a.data ->> 'sent' IS DISTINCT FROM 'false' ORDER BY a.at"
        ).fetchall()
    return [_made(world, *row) for row in rows]


def _made(
    world: World, name: str, flow: str | None, token: int | None, data: Any, refs: Sequence[str], at: float
) -> Made:
    side: Side = "store" if name == "web-store" else "erp"
    url = urlsplit(data["url"])
    path = url.path
    return Made(
        side=side,
        flow=flow or "",
        run=token or 0,
        start_s=at - float(data["duration_s"]),
        end_s=at,
        method=data["method"],
        target=_target(path, url.query),
        status=int(data.get("status") or 0),
        references=tuple(refs),
        kind=kind_of(side, data["method"], path),
        body=data.get("request_body", ""),
    )


def _target(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _systems(world: World) -> Iterable[tuple[Side, Any]]:
    return (("store", world.store), ("erp", world.erp))
