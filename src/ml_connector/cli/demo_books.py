"""Both sides of the demo as an outsider sees them: the store's and the ERP's state, read over HTTP from the sandbox."""

import asyncio
import json
import urllib.request
from decimal import Decimal
from typing import Any

from ml_connector.connectors.bigcommerce.wire import snapshot_from
from ml_connector.domain.orders import OrderSnapshot

PAGE = 500


async def get(url: str) -> Any:
    """A JSON answer; numbers with a fraction are `Decimal`."""
    return await asyncio.to_thread(_exchange, url, None)


async def post(url: str, body: object) -> Any:
    return await asyncio.to_thread(_exchange, url, body)


def _exchange(url: str, body: object | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method="GET" if body is None else "POST")  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null", parse_float=Decimal)


async def orders_of(control_url: str) -> list[OrderSnapshot]:
    """Every order of the store with all that belongs to it."""
    found: list[OrderSnapshot] = []
    after = 0
    while True:
        page = await get(f"{control_url}/state/orders?after={after}&limit={PAGE}")
        found += [snapshot_from(item) for item in page["items"]]
        if len(page["items"]) < PAGE:
            return found
        after = page["items"][-1]["order"]["id"]
