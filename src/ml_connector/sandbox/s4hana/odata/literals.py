"""Values between Python, JSON payloads and URL literals.

In a row: ``str``, ``bool``, ``Decimal``, naive UTC ``datetime`` (Edm.DateTime), aware ``datetime``
(Edm.DateTimeOffset), ``timedelta`` (Edm.Time), ``str`` (Edm.Guid) or None.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from ml_connector.sandbox.s4hana.odata.errors import bad_request
from ml_connector.sandbox.s4hana.odata.fields import Field

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - Edm.DateTime has no zone
JSON_DATE = re.compile(r"/Date\((-?\d+)(?:([+-])(\d{4}))?\)/")
DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def to_json(field: Field, value: Any) -> Any:
    """As the service writes it: strings for decimals, ``/Date(ms)/``, numbers without padding."""
    if value is None:
        return None
    match field.edm:
        case "Edm.String":
            return shown(field, value)
        case "Edm.Decimal":
            return format(value, "f")
        case "Edm.DateTime":
            return f"/Date({_milliseconds(value)})/"
        case "Edm.DateTimeOffset":
            return f"/Date({_milliseconds(value.astimezone(UTC).replace(tzinfo=None))}+0000)/"
        case "Edm.Time":
            return duration(value)
        case _:
            return value


def shown(field: Field, text: str) -> str:
    """Without the zeros that the database pads with."""
    if (field.alpha or field.numeric) and text.isdigit():
        return text.lstrip("0") or ("" if field.alpha or not text else "0")
    return text


def stored(field: Field, text: str) -> str:
    """The one form in which equal values are equal: upper case, digits padded."""
    if field.upper:
        text = text.upper()
    if field.max_length and text.isdigit() and (field.alpha or field.numeric):
        return text.zfill(field.max_length)
    return text


def from_json(field: Field, value: Any) -> Any:
    """A payload's value as it is stored. Raises ``ODataError`` 400 for a wrong type or a text that is too long."""
    if value is None:
        return "" if field.edm == "Edm.String" else None
    if field.edm == "Edm.Boolean":
        if not isinstance(value, bool):
            raise _conversion(field, value)
        return value
    if not isinstance(value, str):
        # numbers in JSON are read as text by the gateway only for decimals
        if field.edm == "Edm.Decimal" and isinstance(value, int | Decimal) and not isinstance(value, bool):
            return _decimal(field, str(value))
        raise _conversion(field, value)
    match field.edm:
        case "Edm.String":
            return _text(field, value)
        case "Edm.Decimal":
            return _decimal(field, value)
        case "Edm.DateTime" | "Edm.DateTimeOffset":
            return _moment(field, value)
        case "Edm.Time":
            return _duration(field, value)
        case _:
            if not GUID.fullmatch(value):
                raise _conversion(field, value)
            return value.lower()


def duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    return f"PT{seconds // 3600:02}H{seconds // 60 % 60:02}M{seconds % 60:02}S"


def _text(field: Field, value: str) -> str:
    if field.max_length is not None and len(value) > field.max_length:
        raise bad_request(
            f"Property '{field.name}' has value '{value}' that exceeds the maximum length {field.max_length}"
        )
    if field.numeric and value and not value.isdigit():
        raise _conversion(field, value)
    return stored(field, value)


def _decimal(field: Field, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise _conversion(field, text) from error
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or (field.scale is not None and -exponent > field.scale):
        raise _conversion(field, text)
    return number


def _moment(field: Field, text: str) -> datetime:
    if match := JSON_DATE.fullmatch(text):
        moment = EPOCH + timedelta(milliseconds=int(match[1]))
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise _conversion(field, text) from error
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(tzinfo=UTC) if field.edm == "Edm.DateTimeOffset" else moment


def _duration(field: Field, text: str) -> timedelta:
    match = DURATION.fullmatch(text)
    if match is None:
        raise _conversion(field, text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _conversion(field: Field, value: Any) -> Exception:
    return bad_request(f"Failed to read property '{field.name}' at offset '0': invalid value {value!r}")
