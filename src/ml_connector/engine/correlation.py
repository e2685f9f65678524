"""On whose behalf something happens: the thread from a webhook to the document in the ERP.

Whoever starts a piece of work (a run, a command, a request) sets the correlation; audit and logs read it.
"""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Correlation:
    """`id` is equal for everything done by one run or request. `key` is empty where several records share a call."""

    id: str = ""
    integration: int = 0
    flow: str = ""
    key: str = ""
    token: int | None = None


correlation: ContextVar[Correlation] = ContextVar("correlation", default=Correlation())  # noqa: B039 - frozen


def new_id() -> str:
    """A fresh correlation ID, 16 characters."""
    return secrets.token_hex(8)


@contextmanager
def correlated(
    *,
    id: str | None = None,
    integration: int | None = None,
    flow: str | None = None,
    key: str | None = None,
    token: int | None = None,
) -> Generator[Correlation]:
    """Within the block, what is not given stays as it was; an ID is made where there is none."""
    known = correlation.get()
    current = replace(
        known,
        id=known.id if id is None else id,
        integration=known.integration if integration is None else integration,
        flow=known.flow if flow is None else flow,
        key=known.key if key is None else key,
        token=known.token if token is None else token,
    )
    if not current.id:
        current = replace(current, id=new_id())
    reset = correlation.set(current)
    try:
        yield current
    finally:
        correlation.reset(reset)
