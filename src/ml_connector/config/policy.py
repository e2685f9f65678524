"""The policy of one integration as it is written: dotted keys, as documented in `docs/policy.md`.

One table says which keys exist, what they accept and where they go; parsing, dumping, the JSON schema and the
documentation test all read that table.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from typing import Any, cast, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ml_connector.domain.policy import Policy

TAG_PATTERN = r"^[A-Z][A-Z0-9]{1,2}$"
OFFLINE_WAYS = ("wait", "paid_by_status", "on_account")

# Keys that must not change once something is posted: the first names every document, the second its accounts.
FROZEN_ONCE_POSTED = ("reference.tag", "posting.settlement")


class PolicyError(ValueError):
    """A policy key or value that is not allowed. `key` is the dotted key."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"policy {key}: {message}")
        self.key = key
        self.message = message


@dataclass(frozen=True, slots=True)
class Key:
    """One policy key. `parse` raises ValueError with what is allowed; `schema` is its JSON schema."""

    name: str
    attribute: str
    parse: Callable[[object], Any]
    dump: Callable[[Any], object]
    schema: Mapping[str, Any]
    default: object  # as written; None: required


def policy_from(data: Mapping[str, object]) -> Policy:
    """The policy that `data` writes; keys that are absent have their defaults. Raises `PolicyError`."""
    values: dict[str, Any] = {}
    for name, written in data.items():
        key = KEYS.get(name)
        if key is None:
            raise PolicyError(name, f"is unknown; the keys are {', '.join(KEYS)}")
        try:
            values[key.attribute] = key.parse(written)
        except ValueError as error:
            raise PolicyError(name, str(error)) from error
    if "reference_tag" not in values:
        raise PolicyError("reference.tag", "is required: 2 or 3 characters, unique per store and ERP company")
    return Policy(**values)


def policy_to_dict(policy: Policy) -> dict[str, object]:
    """Every key with its value, as `policy_from` reads it."""
    return {key.name: key.dump(getattr(policy, key.attribute)) for key in KEYS.values()}


def policy_schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a policy as it is written."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["reference.tag"],
        "properties": {
            key.name: {**key.schema, **({} if key.default is None else {"default": key.default})}
            for key in KEYS.values()
        },
    }


def frozen_changes(before: Policy, after: Policy) -> tuple[str, ...]:
    """The keys that differ although they must not once something is posted."""
    return tuple(
        name
        for name in FROZEN_ONCE_POSTED
        if getattr(before, KEYS[name].attribute) != getattr(after, KEYS[name].attribute)
    )


def _same(value: object) -> object:
    return value


def _choice(allowed: tuple[str, ...]) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"{value!r} is not one of {', '.join(allowed)}")
        return value

    return parse


def _minor_units(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a whole number of minor units (5 means 0.05 USD, 5 JPY, 0.005 KWD)")
    return value


def _units(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a whole number of units, 0 or more")
    return value


def _minutes(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is not a whole number of minutes, 1 or more")
    return value


def _statuses(value: object) -> tuple[int, ...]:
    items = cast(list[object], value) if isinstance(value, list | tuple) else None
    if items is None or not all(isinstance(item, int) and not isinstance(item, bool) for item in items):
        raise ValueError(f"{value!r} is not a list of order status IDs, e.g. [12]")
    return tuple(cast(list[int], items))


def _cut_over(value: object) -> date | None:
    if value is None or value == "":
        return None
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not a date (YYYY-MM-DD) or empty") from error


def _time_zone(value: object) -> str:
    if value == "store":
        return "store"
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is neither `store` nor an IANA time zone such as Europe/Berlin") from error
    return str(value)


def _tag(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch(TAG_PATTERN, value) is None:
        raise ValueError(f"{value!r} is not a tag: a capital letter and 1 or 2 capital letters or digits, e.g. S1")
    return value


def _offline(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a table of payment method to {', '.join(OFFLINE_WAYS)}")  # noqa: TRY004 one error type
    table = {str(name): way for name, way in cast(Mapping[object, object], value).items()}
    for name, way in table.items():
        if way not in OFFLINE_WAYS:
            raise ValueError(f"{way!r} for {name!r} is not one of {', '.join(OFFLINE_WAYS)}")
    return cast(dict[str, str], table)


_SPECIAL: dict[str, tuple[Callable[[object], Any], Callable[[Any], object], dict[str, Any]]] = {
    "reference_tag": (_tag, _same, {"type": "string", "pattern": TAG_PATTERN}),
    "posting_cut_over": (
        _cut_over,
        lambda day: day.isoformat() if day else "",
        {"anyOf": [{"type": "string", "format": "date"}, {"const": ""}]},
    ),
    "posting_held_statuses": (_statuses, list, {"type": "array", "items": {"type": "integer"}}),
    "rounding_tolerance_minor": (_minor_units, _same, {"type": "integer", "minimum": 0}),
    "tax_tolerance_minor": (_minor_units, _same, {"type": "integer", "minimum": 0}),
    "stock_safety": (_units, _same, {"type": "integer", "minimum": 0}),
    "stock_staleness_minutes": (_minutes, _same, {"type": "integer", "minimum": 1}),
    "dates_time_zone": (_time_zone, _same, {"type": "string"}),
    "offline_methods": (
        _offline,
        dict,
        {"type": "object", "additionalProperties": {"enum": list(OFFLINE_WAYS)}},
    ),
}

# The first part of a key; what follows is its name, with underscores.
_GROUPS = (
    "gift_certificates",
    "posting",
    "discounts",
    "rounding",
    "tax",
    "refunds",
    "cancel",
    "customers",
    "dates",
    "fx",
    "reference",
    "sales",
    "stock",
    "shipments",
)


def _dotted(attribute: str) -> str:
    for group in _GROUPS:
        if attribute.startswith(f"{group}_"):
            return f"{group}.{attribute.removeprefix(f'{group}_')}"
    return attribute


def _keys() -> dict[str, Key]:
    hints = get_type_hints(Policy)
    keys: dict[str, Key] = {}
    for field in fields(Policy):
        if field.name == "version":
            continue
        if field.name in _SPECIAL:
            parse, dump, schema = _SPECIAL[field.name]
        else:
            assert "Literal" in str(get_origin(hints[field.name])), field.name
            allowed = cast(tuple[str, ...], get_args(hints[field.name]))
            parse, dump, schema = _choice(allowed), _same, {"enum": list(allowed)}
        if field.default is not MISSING:
            default: object = dump(field.default)
        else:
            default = {} if field.default_factory is not MISSING else None
        name = _dotted(field.name)
        keys[name] = Key(name, field.name, parse, dump, schema, default)
    return keys


KEYS: Mapping[str, Key] = _keys()
