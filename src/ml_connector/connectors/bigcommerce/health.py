"""What is missing between us and the store, in words that the store's administrator can act on.

Rights are probed with the cheapest reads that need them ("API Accounts and OAuth Scopes"); a right to write is seen
only when something is written.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ml_connector.connectors.base import Check
from ml_connector.connectors.bigcommerce.answers import failure
from ml_connector.connectors.bigcommerce.client import Client, Json, object_of, whole_of
from ml_connector.connectors.bigcommerce.hooks import SCOPES, admin_facts, rows_of, switched_off
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.errors import ConnectorError
from ml_connector.connectors.http import Response

CLOCK_TOLERANCE_S = 60.0
_NEW_ACCOUNT = "Scopes cannot be added to an account: create a new store-level API account and enter its token here."


@dataclass(frozen=True, slots=True)
class Probe:
    """A read that only works with a right. `known`: statuses that prove the right although nothing was found."""

    name: str
    scope: str
    path: str
    known: tuple[int, ...] = (200, 204)
    needed: bool = True


PROBES: tuple[Probe, ...] = (
    Probe("store information", "Information & settings: read-only", "/v2/store"),
    Probe("orders", "Orders: modify", "/v2/orders?limit=1"),
    Probe("transactions", "Order transactions: read-only", "/v3/orders/{order}/transactions", (200, 204, 404)),
    Probe("refunds", "Orders: modify", "/v3/orders/payment_actions/refunds?limit=1"),
    Probe("customers", "Customers: read-only", "/v3/customers?limit=1"),
)
STOCK: tuple[Probe, ...] = (
    Probe("stock", "Store inventory: modify (for the flow `stock`)", "/v3/inventory/items?limit=1", needed=False),
    Probe("locations", "Store locations: read-only (for the flow `stock`)", "/v3/inventory/locations", needed=False),
)
CATEGORIES = Probe("product categories", "Products: read-only", "/v3/catalog/products?limit=1")


async def ping(client: Client, settings: StoreSettings) -> Sequence[Check]:
    """Every check. Never raises for what a check can say; stops early where nothing else can be asked."""
    first = await _said(lambda: _time(client))
    if not all(check.ok for check in first):
        return first
    checks = list(first)
    order = await _an_order(client)
    for probe in (*PROBES, *STOCK, *((CATEGORIES,) if settings.read_categories else ())):
        checks += await _said(lambda probe=probe: _right(client, probe, order))
    checks += await _said(lambda: _hooks(client))
    checks += [_secret(settings), *_scheme(settings), *_write_back(settings), *_b2b(settings)]
    return (*checks, _quota(client))


async def _said(check: Callable[[], Awaitable[Sequence[Check]]]) -> Sequence[Check]:
    try:
        return await check()
    except ConnectorError as error:
        return (Check("connection", ok=False, message=str(error), fix="Check base URL, proxy and network."),)


async def _time(client: Client) -> Sequence[Check]:
    before = time.time()
    answer = await client.probe("/v2/time")
    refused = _error(answer, "/v2/time")
    if refused is not None:
        fix = "Copy access token and store hash (API path) once more from the store-level API account."
        kind = "credentials" if answer.status in (401, 403, 404) else "connection"
        return (Check("token and store hash", ok=False, message=str(refused), fix=fix, kind=kind),)
    told = _object(answer)
    if not isinstance(told.get("time"), int):
        message = "the address answers, but not with the store's time: it is not the API"
        return (Check("connection", ok=False, message=message, fix="Check the base URL of the connection."),)
    skew_s = float(told["time"]) - (before + time.time()) / 2
    in_step = abs(skew_s) <= CLOCK_TOLERANCE_S
    clock = Check(
        "clock",
        ok=in_step,
        message=f"our clock and the store's differ by {abs(skew_s):.0f} s",
        fix="" if in_step else "Set this machine's clock by NTP: webhooks more than 300 s off are refused.",
        kind="clock",
    )
    return (Check("token and store hash", ok=True, message="accepted", kind="credentials"), clock)


async def _an_order(client: Client) -> int:
    try:
        rows = await client.v2_page("/v2/orders", {"limit": 1, "sort": "id:desc"}, priority="background")
    except ConnectorError:
        return 1  # an order that need not exist: 404 proves the right as well
    return whole_of(rows[0], "id", 1) if rows else 1


async def _right(client: Client, probe: Probe, order: int) -> Sequence[Check]:
    path = probe.path.format(order=order)
    answer = await client.probe(path)
    if answer.status in probe.known:
        return (Check(probe.name, ok=True, message="can be read", kind="right", needed=probe.needed),)
    refused = _error(answer, path)
    fix = f"Needs the scope {probe.scope}. {_NEW_ACCOUNT}" if answer.status in (401, 403) else "Try again later."
    kind = "right" if answer.status in (401, 403) else "connection"
    return (Check(probe.name, ok=False, message=str(refused), fix=fix, kind=kind, needed=probe.needed),)


async def _hooks(client: Client) -> Sequence[Check]:
    hooks = await client.v3_list("/v3/hooks")
    told = await client.get("/v3/hooks/admin", priority="background")
    off = switched_off(told)
    active = {
        str(hook.get("scope")) for hook in hooks if hook.get("is_active") is True and whole_of(hook, "id") not in off
    }
    missing = [scope for scope in SCOPES if scope not in active]
    if missing:
        message = f"{len(missing)} of {len(SCOPES)} webhooks are not active: {', '.join(missing)}"
        fix = "They are registered when the service runs with a public address; until then polls find the changes."
        hooks_check = Check("webhooks", ok=False, message=message, fix=fix, kind="setting", needed=False)
    else:
        hooks_check = Check("webhooks", ok=True, message=f"all {len(SCOPES)} are active", kind="setting")
    return (hooks_check, *(_blocked(told)))


def _blocked(told: Any) -> Sequence[Check]:
    names = [str(domain.get("destination")) for domain in rows_of(admin_facts(told), "blocked_domains")]
    if not names:
        return ()
    return (
        Check(
            "webhook delivery",
            ok=False,
            message=f"the store has blocked deliveries to {', '.join(names)} after too many failures",
            fix="Make sure that the service answers there; the store tries again by itself after three minutes.",
            kind="setting",
            needed=False,
        ),
    )


def _secret(settings: StoreSettings) -> Check:
    given = bool(settings.webhook_secret)
    message = "set" if given else "webhook_secret is not set, so every webhook is refused"
    fix = "" if given else "Set webhook_secret to any long random text (32 characters or more)."
    return Check("webhook secret", ok=given, message=message, fix=fix, kind="credentials")


def _scheme(settings: StoreSettings) -> Sequence[Check]:
    if settings.client_secret or settings.webhook_scheme == "secret_header":
        return ()
    message = f"client_secret is not set, and webhook_scheme {settings.webhook_scheme} verifies signatures with it"
    fix = "Enter the client secret of the API account, or choose webhook_scheme secret_header."
    return (Check("webhook signature", ok=False, message=message, fix=fix, kind="credentials"),)


def _write_back(settings: StoreSettings) -> Sequence[Check]:
    if not settings.write_back:
        return ()
    message = "document numbers are written to orders; whether the account may do so shows at the first one"
    return (Check("write back", ok=True, message=message, fix="Needs the scope Orders: modify.", kind="right"),)


def _b2b(settings: StoreSettings) -> Sequence[Check]:
    if not settings.b2b:
        return ()
    message = "b2b is on, and the B2B Edition cannot be read yet: every order is held as b2b_unknown"
    fix = "Switch b2b off if no company buys on account in this store."
    return (Check("B2B Edition", ok=False, message=message, fix=fix, kind="setting", needed=False),)


def _quota(client: Client) -> Check:
    quota = client.quota
    if quota is None:
        return Check("quota", ok=True, message="the store states none", kind="connection", needed=False)
    message = f"{quota.left} of {quota.limit} calls left for {quota.reset_s:.0f} s"
    ample = quota.left * 10 >= quota.limit
    fix = "" if ample else "Another app uses up the store's quota; orders will be slow while it does."
    return Check("quota", ok=ample, message=message, fix=fix, kind="connection", needed=False)


def _error(answer: Response, path: str) -> ConnectorError | None:
    return failure(
        answer.status, answer.headers, answer.body, what=f"GET {path.split('?')[0]}", request_id=answer.request_id
    )


def _object(answer: Response) -> Json:
    try:
        return object_of(answer.json())
    except ValueError:
        return {}
