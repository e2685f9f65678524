"""Settings that every ERP's connection may carry, read and checked in one way."""

from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from ml_connector.connectors.base import Timing


def group(given: Mapping[str, object], name: str) -> Mapping[str, Any]:
    """A nested setting (`tls: {ca_file: ...}`); empty when it is not given."""
    value = given.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def day(given: Mapping[str, object], name: str) -> date | None:
    """Raises `ValueError` naming the setting."""
    value = given.get(name)
    if value is None or value == "":
        return None
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"{name} is {value!r}, not a date like 2026-01-31") from error


def timing(given: Mapping[str, object], usual: Timing, *, sandbox: bool) -> Timing:
    """`usual` unless set. T and L together stay above the ten minutes that a posting may take; shorter only in a
    sandbox, or exactly-once would be a guess. Raises `ValueError`."""
    nested = group(given, "timing")
    values = {
        name: float(str(nested[name])) if nested.get(name) is not None else getattr(usual, name)
        for name in Timing.__dataclass_fields__
    }
    wanted = Timing(**values)
    least = Timing()
    if not sandbox and (wanted.t_s + wanted.l_s < least.t_s + least.l_s or wanted.p_s > wanted.t_s):
        raise ValueError("timing: t_s + l_s below 660 s is accepted for a sandbox connection only")
    return wanted
