"""Logs: one JSON object a line, or readable lines on a terminal; with the correlation, without secrets.

Lines of libraries that use the standard `logging` take the same way. Masking comes last, after exceptions are written
out, so that a secret inside a traceback is masked too.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ml_connector.engine.correlation import correlation
from ml_connector.engine.masking import MASK, KnownSecrets, known_secrets, looks_secret

_QUIET = ("asyncio", "aiohttp.access", "uvicorn.access", "sqlalchemy.engine", "alembic")


def configure(
    *,
    json: bool | None = None,
    level: str = "INFO",
    stream: TextIO | None = None,
    secrets: KnownSecrets = known_secrets,
) -> None:
    """Sets logging up for this process. `json` unset: JSON unless `stream` (standard error) is a terminal."""
    out = stream or sys.stderr
    as_json = not out.isatty() if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_correlation,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        masking(secrets),
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=out.isatty()),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def add_correlation(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Adds what the correlation knows and the line does not say."""
    now = correlation.get()
    facts: dict[str, Any] = {
        "correlation": now.id, "integration": now.integration, "flow": now.flow, "key": now.key, "token": now.token,
    }  # fmt: skip
    for name, value in facts.items():
        if value:
            event.setdefault(name, value)
    return event


def masking(secrets: KnownSecrets) -> Processor:
    """A processor that masks known secrets anywhere, and whatever stands under a name that sounds like a secret."""

    def mask(logger: WrappedLogger, method: str, event: EventDict) -> MutableMapping[str, Any]:
        return {name: _masked(value, secrets, name) for name, value in event.items()}

    return mask


def _masked(value: Any, secrets: KnownSecrets, name: str = "") -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {str(key): _masked(item, secrets, str(key)) for key, item in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case list() | tuple() | set():
            return [_masked(item, secrets, name) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return MASK if looks_secret(name) else secrets.mask(value if isinstance(value, str) else repr(value))
