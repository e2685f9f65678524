"""One unusable thing does not stop its batch; a system that is down is not asked about every thing of it."""

from collections.abc import Mapping, Sequence

import pytest

from ml_connector.connectors.errors import ConnectorError, Rejected, Throttled, Transient, Unauthorized, Unreachable
from ml_connector.flows.batches import ALONE_AT_MOST, each_by_itself

KEYS = [str(number) for number in range(10)]


class Source:
    """Answers with what it was asked for; `bad` things fail, alone or in company."""

    def __init__(self, **bad: ConnectorError) -> None:
        self.bad = {key.lstrip("k"): error for key, error in bad.items()}
        self.calls: list[Sequence[str]] = []

    async def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.calls.append(list(keys))
        for key in keys:
            if key in self.bad:
                raise self.bad[key]
        return {key: f"thing {key}" for key in keys}


async def test_a_good_batch_is_one_call() -> None:
    source = Source()
    found, failures = await each_by_itself(source.read, KEYS)
    assert (len(found), failures, source.calls) == (10, {}, [KEYS])


async def test_nothing_is_asked_for_nothing() -> None:
    source = Source()
    assert await each_by_itself(source.read, []) == ({}, {})
    assert source.calls == []


@pytest.mark.parametrize("error", [Rejected("no"), Transient("not now")], ids=["refused", "not now"])
async def test_one_that_cannot_be_read_is_found_and_the_others_are_read(error: ConnectorError) -> None:
    source = Source(k4=error)
    found, failures = await each_by_itself(source.read, KEYS)
    assert found.keys() == set(KEYS) - {"4"}
    assert failures == {"4": error}


async def test_all_that_are_refused_are_asked_for_alone() -> None:
    source = Source(**{f"k{key}": Rejected(f"not {key}") for key in KEYS})
    found, failures = await each_by_itself(source.read, KEYS)
    assert found == {}
    assert {key: str(error) for key, error in failures.items()} == {key: f"not {key}" for key in KEYS}


async def test_a_system_that_is_down_is_asked_a_few_times_only() -> None:
    source = Source(**{f"k{key}": Transient("503") for key in KEYS})
    found, failures = await each_by_itself(source.read, KEYS)
    assert found == {}
    assert failures.keys() == set(KEYS)
    assert len(source.calls) == 1 + ALONE_AT_MOST


@pytest.mark.parametrize("error", [Unauthorized("no right"), Unreachable("no way"), Throttled("slowly")])
async def test_what_concerns_the_connection_is_raised(error: ConnectorError) -> None:
    source = Source(k4=error)
    with pytest.raises(type(error)):
        await each_by_itself(source.read, KEYS)
    assert len(source.calls) == 1


async def test_one_key_is_not_asked_for_twice() -> None:
    source = Source(k4=Rejected("no"))
    assert (await each_by_itself(source.read, ["4"]))[1].keys() == {"4"}
    assert source.calls == [["4"]]
