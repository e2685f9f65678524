"""A process whose clock is wrong by `TEST_CLOCK_SKEW_S`: first on the path of the process that is to believe it.

Moves what Python says of the time of day (`time.time`, `datetime.now`); monotonic clocks stay, as on a real machine.
"""

import datetime as module
import os
import time
from typing import Any

SKEW_S = float(os.environ.get("TEST_CLOCK_SKEW_S", "0"))

_time, _time_ns, _datetime = time.time, time.time_ns, module.datetime


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _datetime)


class _Skewed(_datetime, metaclass=_Kind):
    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return _datetime(*arguments, **named)

    @classmethod
    def now(cls, tz: module.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + module.timedelta(seconds=SKEW_S)

    @classmethod
    def utcnow(cls) -> Any:
        return _datetime.now(module.UTC).replace(tzinfo=None) + module.timedelta(seconds=SKEW_S)


if SKEW_S:
    time.time = lambda: _time() + SKEW_S
    time.time_ns = lambda: _time_ns() + int(SKEW_S * 1e9)
    module.datetime = _Skewed  # type: ignore[misc]
