"""Runs a command: its exit status, and every failure as one plain sentence (a traceback only with `--debug`)."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any, NoReturn, cast

import typer
from alembic.util import CommandError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ml_connector.cli.exits import DEBUG, CliError, Exit
from ml_connector.cli.output import Output
from ml_connector.cli.settling import user
from ml_connector.config.problems import ConfigError
from ml_connector.connectors.errors import ConnectorError, Unreachable
from ml_connector.connectors.systems import UnknownSystem
from ml_connector.engine.access.values import AccessRefused
from ml_connector.engine.actor import acting
from ml_connector.engine.database import is_outage
from ml_connector.engine.embedded import EmbeddedError
from ml_connector.engine.masking import known_secrets
from ml_connector.engine.master_keys import VaultError
from ml_connector.engine.registry import UnknownName


def run(out: Output, work: Callable[[], Coroutine[Any, Any, int | None]]) -> NoReturn:
    """Runs `work` to its end; its result is the exit status (None: fine). Always ends the command."""
    try:
        with acting(f"cli:{user()}"):
            status = asyncio.run(work())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(0) from None
    except Exception as error:
        found = explain(error)
        if found is None or os.environ.get(DEBUG):
            if os.environ.get(DEBUG):
                raise
            found = (
                f"This should not have happened ({type(error).__name__}: {error}). Run it again with "
                "`ml-connector --debug ...` and report what it prints.",
                Exit.USAGE,
            )
        message, code = found
        out.problem(known_secrets.mask(message), int(code), details_of(error))
        raise typer.Exit(int(code)) from None
    raise typer.Exit(int(status or Exit.FINE))


def explain(error: BaseException) -> tuple[str, Exit] | None:
    """The sentence for a person and the exit status; None for an error that only a developer can explain."""
    if isinstance(error, BaseExceptionGroup):
        return explain(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    if isinstance(error, CliError):
        return str(error), error.status
    if isinstance(error, ConnectorError):
        return str(error), Exit.UNREACHABLE if isinstance(error, Unreachable) else Exit.FOUND
    if isinstance(error, AccessRefused):
        return str(error), Exit.USAGE
    if isinstance(error, ConfigError):
        return str(error), Exit.USAGE
    if isinstance(error, UnknownName | UnknownSystem | VaultError):
        return _sentence(str(error)), Exit.USAGE
    if isinstance(error, EmbeddedError):
        return f"The embedded PostgreSQL did not start: {error}", Exit.UNREACHABLE
    if isinstance(error, CommandError):
        return (
            f"The database was made by another version of this program ({error}). Use that version, or a newer one.",
            Exit.USAGE,
        )
    if isinstance(error, SQLAlchemyError) and is_outage(error):
        words = str(getattr(error, "orig", error)).strip().splitlines()
        return (
            f"The database at {database_place()} cannot be used: {words[0] if words else 'no answer'}. "
            "Check that it runs and that DATABASE_URL is right.",
            Exit.UNREACHABLE,
        )
    return None


def details_of(error: BaseException) -> dict[str, Any]:
    """What a script is told besides the sentence."""
    if isinstance(error, ConfigError):
        return {"problems": [asdict(problem) for problem in error.problems]}
    return {}


def database_place() -> str:
    """Host, port and database of `DATABASE_URL`, without user and password."""
    try:
        url = make_url(os.environ.get("DATABASE_URL", ""))
    except ArgumentError:
        return "DATABASE_URL"
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
