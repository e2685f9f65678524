"""What a system's package declares, how a connection to it is opened, and what a ping says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from ml_connector.connectors.base.services import Services
from ml_connector.domain.documents import Kind


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of a ping, in words that the system's administrator can act on.

    `kind`: `connection`, `credentials`, `right`, `guard`, `clock`, `setting`. `needed` false: nice to have.
    """

    name: str
    ok: bool
    message: str
    fix: str = ""
    kind: str = "connection"
    needed: bool = True


@runtime_checkable
class Pings(Protocol):
    async def ping(self) -> Sequence[Check]:
        """Every check, never raising for what a check can say."""
        ...


@runtime_checkable
class TellsBooks(Protocol):
    async def books(self) -> str:
        """The system's own name of the books that this connection opens (system and client, installation and company),
        the same by whatever address it was reached. Empty while it tells none."""
        ...


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One thing that has to be made in the system, in the words of its administrator. `needed` false: nice to have, or
    for a setting that is off. `after`: what the administrator has to do once it was made."""

    name: str
    description: str
    done: bool
    needed: bool = True
    after: str = ""


@runtime_checkable
class SetsUp(Protocol):
    """For systems in which something has to be made (fields, tables) before documents can go there."""

    async def plan_setup(self) -> Sequence[SetupStep]:
        """Every step, done or not; changes nothing."""
        ...

    async def set_up(self, steps: Sequence[SetupStep]) -> Sequence[SetupStep]:
        """Does those of `steps` that are not done, in order; how they stand then. Safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class Field:
    """One setting or credential of a connection, enough for a form, a schema and a documentation row.

    `identity`: it says which books, or which shop, the connection is; with documents posted it cannot change.
    `where`: where the other system shows it. `example`: as it is written. `usual`: a form shows it at once although it
    can be left out. `when`: it matters only with that value of another field, (name, value). `generated`: a secret of
    our own making, made at random where none is given.
    """

    name: str
    title: str
    help: str = ""
    secret: bool = False
    required: bool = True
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    type: Literal["text", "integer", "boolean", "date", "table"] = "text"
    identity: bool = False
    where: str = ""
    example: str = ""
    usual: bool = False
    when: tuple[str, str] | None = None
    generated: bool = False


class Connector(Protocol):
    """A live connection. It has the capabilities of its system besides these."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """A connection's settings and credentials, both checked against the system's fields. `sandbox` permits plain HTTP,
    loopback addresses and shortened timing."""

    name: str
    base_url: str
    settings: Mapping[str, object]
    credentials: Mapping[str, str]
    sandbox: bool = False


def _no_kinds(settings: Mapping[str, object]) -> frozenset[Kind]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class System:
    """What a system's package declares; found through the entry point group `ml_connector.systems`.

    `kinds`: the documents that a connection with these settings can post. What a policy asks for beside them is said
    when the configuration is read, and an order that would need it is held before anything of it is sent.
    `concurrency`, `calls_per_minute`: what the system takes at most from one connection, over all our processes, where
    it tells no quota by itself; a connection may be configured to less at once, or more. `address`: the base URL that
    all have, `address_example` one of those that each has of its own; `guide`: the page of the documentation.
    """

    name: str
    title: str
    side: Literal["store", "erp"]
    fields: tuple[Field, ...]
    connect: Callable[[Settings, Services], Connector]
    style: Literal["journal", "sales", ""] = ""
    reference_form: Literal["short", "long", ""] = ""
    kinds: Callable[[Mapping[str, object]], frozenset[Kind]] = _no_kinds
    concurrency: int | None = None
    calls_per_minute: int | None = None
    address: str = ""
    address_example: str = ""
    guide: str = ""
