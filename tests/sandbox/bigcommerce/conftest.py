from collections.abc import AsyncIterator

import pytest

from tests.sandbox.bigcommerce.shop import Receiver, Shop, open_receiver, open_shop


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver
