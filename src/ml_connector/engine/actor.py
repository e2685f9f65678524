"""Who does it: the person, token, command or worker in whose name something happens.

Whoever lets a person in (a request, a command) sets the actor; audit entries carry it as `who`. The value is
`user:NAME`, `token:NAME`, `cli:NAME` (of the account on that machine), `worker` for what nobody asked for just now, or
`nobody` for who was not let in.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

WORKER = "worker"
NOBODY = "nobody"

actor: ContextVar[str] = ContextVar("actor", default=WORKER)


@contextmanager
def acting(who: str) -> Generator[str]:
    """Within the block, everything is done in the name of `who`."""
    reset = actor.set(who)
    try:
        yield who
    finally:
        actor.reset(reset)
