"""Field types of BigCommerce payloads, as lenient as the API is loose.

The v2 API writes amounts as strings with four decimals, the v3 API as JSON numbers, sample orders as either; absent
sub-objects come as `{}`, `null` or `""`; moments are RFC 2822 in v2 and ISO 8601 in v3 (Orders v2 and v3 reference).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from ml_connector.domain.money import amount_from


class WireError(ValueError):
    """The store sent data that cannot be used. `path` names the record and field, e.g. `order 10250/total_inc_tax`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class Payload(BaseModel):
    """A part of a payload: unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


P = TypeVar("P", bound=Payload)


def parsed(model: type[P], data: object, path: str) -> P:
    """`data` as `model`. Raises `WireError` that names the field under `path`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(step) for step in first["loc"])
        raise WireError(f"{path}/{where}" if where else path, first["msg"].removeprefix("Value error, ")) from error


def _empty(value: object) -> bool:
    return value is None or value in ("", {}, [])


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool | float):
        raise ValueError(f"{value!r} is not a decimal; parse JSON numbers as decimals")  # noqa: TRY004 pydantic asks for it
    return amount_from(str(value))


def number_in(value: object) -> Decimal | None:
    """The number that `value` is or spells; None when it is none."""
    try:
        return _decimal(value)
    except ValueError:
        return None


def _amount_or_zero(value: object) -> Decimal:
    return Decimal(0) if _empty(value) else _decimal(value)


def _amount_or_none(value: object) -> Decimal | None:
    return None if _empty(value) else _decimal(value)


def _whole(value: object) -> int:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")  # noqa: TRY004 pydantic asks for it
    number = Decimal(0) if _empty(value) else _decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"{value!r} is not a whole number")
    return int(number)


def _whole_or_none(value: object) -> int | None:
    return None if _empty(value) else _whole(value)


def _text(value: object) -> str:
    if _empty(value):
        return ""
    if isinstance(value, Mapping | list | tuple):
        raise ValueError(f"{value!r} is not a text")  # noqa: TRY004 pydantic asks for it
    return str(value)


def _flag(value: object) -> bool:
    return str(value).strip().lower() in ("1", "true", "yes") if not _empty(value) else False


def moment(value: object) -> datetime:
    """RFC 2822, ISO 8601 or Unix seconds as an aware moment in UTC. A moment without zone is UTC."""
    if isinstance(value, datetime):
        parsed_moment = value
    elif isinstance(value, int) and not isinstance(value, bool):
        parsed_moment = _moment_of_seconds(value)
    else:
        parsed_moment = _moment_of_text(str(value).strip())
    if parsed_moment.tzinfo is None:
        parsed_moment = parsed_moment.replace(tzinfo=UTC)
    try:
        return parsed_moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{value!r} is outside the calendar") from error


def _moment_of_seconds(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{seconds} seconds are outside the calendar") from error


def _moment_of_text(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date (RFC 2822 or ISO 8601)") from error


def _moment_or_none(value: object) -> datetime | None:
    # An order that was never shipped has an empty date, and some have a year 0.
    return None if _empty(value) or str(value).startswith("0000") else moment(value)


def _rows(value: object) -> list[Any]:
    """A list; an absent one is empty. `{"fees": [...]}` and `{"data": [...]}` are unwrapped."""
    if _empty(value):
        return []
    if isinstance(value, Mapping):
        inner = [cast(list[Any], part) for part in cast(Mapping[str, Any], value).values() if isinstance(part, list)]
        if len(inner) != 1:
            raise ValueError("is not a list")
        return inner[0]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(cast(Sequence[Any], value))
    raise ValueError("is not a list")


def _object(value: object) -> Any:
    return {} if _empty(value) else value


Amount = Annotated[Decimal, BeforeValidator(_amount_or_zero)]
RequiredAmount = Annotated[Decimal, BeforeValidator(_decimal)]
AmountOrNone = Annotated[Decimal | None, BeforeValidator(_amount_or_none)]
Whole = Annotated[int, BeforeValidator(_whole)]
WholeOrNone = Annotated[int | None, BeforeValidator(_whole_or_none)]
Text = Annotated[str, BeforeValidator(_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Moment = Annotated[datetime, BeforeValidator(moment)]
MomentOrNone = Annotated[datetime | None, BeforeValidator(_moment_or_none)]
Rows = BeforeValidator(_rows)
Object = BeforeValidator(_object)
