"""Reading a batch so that one unusable thing does not stop the others."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from ml_connector.connectors.errors import ConnectorError, Rejected, Transient

Thing = TypeVar("Thing")

ALONE_AT_MOST = 3
"""Transient failures in a row that say: it is the system, not the thing. The rest is not asked for."""


async def each_by_itself(
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, Thing]]], keys: Sequence[str]
) -> tuple[dict[str, Thing], dict[str, ConnectorError]]:
    """The batch in as few calls as the system allows; where that is refused, each key alone.

    Returns what was read and, by key, what went wrong. Errors that concern the connection are raised.
    """
    if not keys:
        return {}, {}
    try:
        return dict(await read(keys)), {}
    except (Rejected, Transient) as error:
        if len(keys) == 1:
            return {}, {keys[0]: error}
    found: dict[str, Thing] = {}
    failures: dict[str, ConnectorError] = {}
    in_a_row = 0
    for place, key in enumerate(keys):
        try:
            found |= await read([key])
            in_a_row = 0
        except (Rejected, Transient) as error:
            failures[key] = error
            in_a_row = in_a_row + 1 if isinstance(error, Transient) else 0
            if in_a_row == ALONE_AT_MOST:
                failures |= dict.fromkeys(keys[place + 1 :], error)
                break
    return found, failures
