"""A reconciliation asks for little: whatever it calls goes after orders and catalogue."""

import asyncio

from ml_connector.connectors.base import effective, in_background


async def test_every_call_within_goes_to_the_background_also_in_tasks_of_its_own() -> None:
    async def asked() -> str:
        return effective("orders")

    with in_background():
        assert await asyncio.create_task(asked()) == "background"
    assert await asked() == "orders"
