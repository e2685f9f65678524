"""Who may do what: four roles, nine rights. Each role has all that the one before it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal


class Role(StrEnum):
    """In rising order."""

    viewer = "viewer"
    clerk = "clerk"
    operator = "operator"
    administrator = "administrator"


class Right(StrEnum):
    """What a page or an action asks for."""

    look = "look"
    """See every page; personal data stay hidden."""
    decide = "decide"
    """Holds, replay, exclusion, explanations."""
    map = "map"
    """The mapping."""
    plan = "plan"
    """Make plans."""
    apply = "apply"
    """Apply plans."""
    connect = "connect"
    """Connections and their credentials."""
    rule = "rule"
    """Policy and alerts."""
    administer = "administer"
    """Users, tokens of others, retention."""
    personal = "personal"
    """Reveal personal data; each look is kept in the audit."""


_VIEWER = frozenset({Right.look})
_CLERK = _VIEWER | {Right.decide, Right.map, Right.plan}
_OPERATOR = _CLERK | {Right.apply, Right.connect, Right.rule, Right.personal}

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = MappingProxyType(
    {
        Role.viewer: _VIEWER,
        Role.clerk: _CLERK,
        Role.operator: _OPERATOR,
        Role.administrator: frozenset(Right),
    }
)

WORDS: Final[Mapping[Right, str]] = MappingProxyType(
    {
        Right.look: "see every page",
        Right.decide: "decide about holds and records",
        Right.map: "change the mapping",
        Right.plan: "make plans",
        Right.apply: "apply plans",
        Right.connect: "change connections",
        Right.rule: "change policy and alerts",
        Right.administer: "administer users, tokens and retention",
        Right.personal: "see personal data",
    }
)
"""As in "You may not ..."."""


def level(role: Role) -> int:
    """Higher may more: every right of a lower role is one of a higher."""
    return list(Role).index(role)


def lowest(right: Right) -> Role:
    """The least role that has `right`."""
    return next(role for role in Role if right in RIGHTS[role])


Via = Literal["session", "token", "cli"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is let in. `name`: of the user, or of the token. `locale`, `zone`, `theme`: how pages are shown to
    them; empty: as the browser says."""

    id: int
    name: str
    role: Role
    via: Via = "session"
    locale: str = ""
    zone: str = ""
    theme: str = ""

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]

    @property
    def who(self) -> str:
        """As the audit writes it."""
        return f"{'user' if self.via == 'session' else self.via}:{self.name}"
