"""Our webhooks at the store: that each scope has one, active, at our address, with our secret in its headers.

Sources: "Webhooks Overview" and the Webhooks v3 reference. The store deactivates a hook after 90 days without events
and after its last unsuccessful delivery; nothing but a look finds that out.
"""

import json
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from ml_connector.connectors.base import Hook
from ml_connector.connectors.bigcommerce.answers import SYSTEM, words_of
from ml_connector.connectors.bigcommerce.client import Client, Json, object_of, whole_of
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.bigcommerce.webhooks import SECRET_HEADER
from ml_connector.connectors.errors import Conflict, Rejected, Unauthorized

SCOPES: tuple[str, ...] = (
    "store/order/created",
    "store/order/updated",
    "store/order/archived",
    "store/order/statusUpdated",
    "store/order/refund/created",
    "store/order/transaction/created",
    "store/order/transaction/updated",
    "store/customer/created",
    "store/customer/updated",
    "store/customer/deleted",
    "store/customer/address/created",
    "store/customer/address/updated",
    "store/customer/address/deleted",
)


async def ensure_hooks(
    client: Client, settings: StoreSettings, destination: str, *, remove_others: bool = False
) -> Sequence[str]:
    """Makes every scope's hook exist and active at `destination`; says in words what was changed (nothing: empty).

    `remove_others`: hooks of this API account at other destinations are deleted. A scope that the account has no
    right for is said and left out; `Unauthorized` when that is all of them. Raises `Rejected` for an address that the
    store cannot deliver to, and for a connection without `webhook_secret`.
    """
    _check_destination(settings, destination)
    if not settings.webhook_secret:
        raise Rejected(
            "webhook_secret is not set: without it deliveries cannot be told from forgeries; set any long random text",
            system=SYSTEM,
        )
    hooks = await client.v3_list("/v3/hooks")
    off = switched_off(await client.get("/v3/hooks/admin"))
    done: list[str] = []
    refused: list[Unauthorized] = []
    for scope in SCOPES:
        ours = [hook for hook in hooks if hook.get("scope") == scope and hook.get("destination") == destination]
        try:
            if not ours:
                done.append(await _create(client, settings, scope, destination))
            for hook in ours[:1]:
                done += await _repair(client, settings, hook, whole_of(hook, "id") in off)
        except Unauthorized as error:
            if error.status != 403:
                raise
            # One scope without its right must not keep the others, e.g. orders where customers may not be read.
            refused.append(error)
            done.append(f"{scope} could not be registered: {error.message}")
    if len(refused) == len(SCOPES):
        raise refused[0]
    if remove_others:
        for hook in hooks:
            if hook.get("destination") != destination:
                await client.delete(f"/v3/hooks/{whole_of(hook, 'id')}")
                done.append(f"removed {hook.get('scope')} at {hook.get('destination')}")
    return done


async def known_hooks(client: Client) -> Sequence[Hook]:
    """Every hook of this API account."""
    off = switched_off(await client.get("/v3/hooks/admin"))
    return [
        Hook(
            str(hook.get("scope", "")),
            str(hook.get("destination", "")),
            hook.get("is_active") is True and whole_of(hook, "id") not in off,
        )
        for hook in await client.v3_list("/v3/hooks")
    ]


def admin_facts(told: Any) -> Json:
    """`hooks_list` and `blocked_domains` of an answer of `/v3/hooks/admin`, with or without the v3 envelope."""
    facts = object_of(told)
    return object_of(facts.get("data")) or facts


def switched_off(told: Any) -> frozenset[int]:
    """IDs of the hooks that the store has deactivated, in an answer of `/v3/hooks/admin`."""
    return frozenset(
        whole_of(hook, "id")
        for hook in rows_of(admin_facts(told), "hooks_list")
        if hook.get("status", "active") != "active"
    )


def rows_of(facts: Json, name: str) -> list[Json]:
    """The objects in the list under `name`; empty when there is none."""
    told = facts.get(name)
    return [cast(Json, row) for row in cast(list[Any], told) if isinstance(row, dict)] if isinstance(told, list) else []


async def _create(client: Client, settings: StoreSettings, scope: str, destination: str) -> str:
    body = {"scope": scope, "destination": destination, "is_active": True, "headers": _headers(settings)}
    try:
        answer = await client.put_absolute("POST", "/v3/hooks", body)
    except Rejected as error:
        return await _adopt(client, settings, scope, destination, error)
    if answer.status == 409:
        refused = Conflict(words_of(answer.body) or "the hook exists already", system=SYSTEM, status=409)
        return await _adopt(client, settings, scope, destination, refused)
    return f"created {scope}"


async def _adopt(
    client: Client, settings: StoreSettings, scope: str, destination: str, refused: Rejected | Conflict
) -> str:
    """A create was refused: another process may have been first. Raises `refused` when it was not."""
    for hook in await client.v3_list("/v3/hooks", {"scope": scope}):
        if hook.get("destination") == destination and hook.get("scope") == scope:
            await _repair(client, settings, hook, deactivated=True)
            return f"found {scope}, created meanwhile"
    raise refused


async def _repair(client: Client, settings: StoreSettings, hook: Json, deactivated: bool) -> list[str]:
    inactive = deactivated or hook.get("is_active") is not True
    told = object_of(hook.get("headers"))
    foreign = {name.lower(): value for name, value in told.items()} != {
        name.lower(): value for name, value in _headers(settings).items()
    }
    if not inactive and not foreign:
        return []
    body = {
        "scope": hook["scope"],
        "destination": hook["destination"],
        "is_active": True,
        "headers": _headers(settings),
    }
    await client.put_absolute("PUT", f"/v3/hooks/{whole_of(hook, 'id')}", body)
    what = " and ".join(
        words for words, true in (("switched on again", inactive), ("given our secret header", foreign)) if true
    )
    return [f"{hook['scope']}: {what}"]


def _headers(settings: StoreSettings) -> dict[str, str]:
    return {SECRET_HEADER: settings.webhook_secret}


def _check_destination(settings: StoreSettings, destination: str) -> None:
    parts = urlsplit(destination)
    if settings.sandbox:
        return
    if parts.scheme != "https" or parts.port not in (None, 443) or not parts.hostname:
        raise Rejected(
            f"webhooks cannot be delivered to {json.dumps(destination)}: the store calls HTTPS on port 443 only",
            system=SYSTEM,
        )
