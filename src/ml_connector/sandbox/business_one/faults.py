"""Faults of this system beside the generic ones.

| name | what happens | args |
|---|---|---|
| gateway_timeout_after_commit | handler runs, the balancer answers its 504 page | |
| empty_500_after_commit | handler runs, 500 with an empty body | |
| bad_gateway | 502 page of the proxy, nothing done | |
| proxy_400 | 400 with a page of the proxy, nothing done | |
| late_smaller_entry | a key is drawn now, committed late, after larger ones | as late_commit; ``entity_set`` |

``entity_set`` names what a batch posts.

Handler faults: ``session_lost`` (301, nothing done; in a batch ``part``: before that operation), ``node_switch``,
``sld_flap`` (Login answers -304), ``session_cap`` (Login), ``slow_login`` (``delay_s``), ``slow_core`` (inside the
session's queue: ``delay_s``; ``hold``: until the control action releases it), ``duplicate_row``, ``missing_row``
(across pages), ``udf_missing``, ``closed_period``, ``rate_missing``, ``total_off`` (``by``), ``item_frozen``,
``stock_refused``, ``approval``, ``veto`` (``text``), ``etag_conflict`` (412), ``row_conflict`` (400, -2039),
``other_language``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from ml_connector.sandbox.core.faults import Fault, FaultContext
from ml_connector.sandbox.core.generic_faults import late_commit

HANDLER_FAULTS = frozenset(
    {
        *("session_lost", "node_switch", "sld_flap", "session_cap", "slow_login", "slow_core"),
        *("duplicate_row", "missing_row", "udf_missing", "closed_period", "rate_missing", "total_off"),
        *("item_frozen", "stock_refused", "approval", "veto", "etag_conflict", "row_conflict", "other_language"),
    }
)
RESERVED = "business_one_reserved_entry"
PAGES: Mapping[int, str] = {
    400: "<html><head><title>400 Bad Request</title></head><body><h1>Bad Request</h1></body></html>",
    502: "<!DOCTYPE HTML><html><head><title>502 Proxy Error</title></head><body><h1>Proxy Error</h1></body></html>",
    504: "<html><head><title>504 Gateway Time-out</title></head><body><h1>Gateway Time-out</h1></body></html>",
}


def _page(status: int) -> web.Response:
    return web.Response(status=status, text=PAGES[status], content_type="text/html")


async def gateway_timeout_after_commit(context: FaultContext) -> web.StreamResponse:
    await context.proceed()
    return _page(504)


async def empty_500_after_commit(context: FaultContext) -> web.StreamResponse:
    await context.proceed()
    return web.Response(status=500)


async def bad_gateway(context: FaultContext) -> web.StreamResponse:
    return _page(502)


async def proxy_400(context: FaultContext) -> web.StreamResponse:
    return _page(400)


def late_smaller_entry(reserve: Callable[[str], int | None]) -> Fault:
    """``reserve`` draws the next key of the entity set that a path names."""

    async def fault(context: FaultContext) -> web.StreamResponse:
        asked_for = context.args.get("entity_set")
        context.request[RESERVED] = reserve(f"/b1s/v1/{asked_for}" if asked_for else context.request.path)
        return await late_commit(context)

    return fault


FAULTS: Mapping[str, Fault] = {
    "gateway_timeout_after_commit": gateway_timeout_after_commit,
    "empty_500_after_commit": empty_500_after_commit,
    "bad_gateway": bad_gateway,
    "proxy_400": proxy_400,
}
