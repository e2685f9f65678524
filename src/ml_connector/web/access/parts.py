"""What the gate is made of."""

from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection

from ml_connector.engine.access.passwords import Passwords
from ml_connector.engine.database import Database
from ml_connector.engine.vault import Vault
from ml_connector.web.access.settings import Settings

TEMPLATES = Path(__file__).parents[1] / "console" / "templates"


def environment() -> Environment:
    """Templates of the console: everything escaped, nothing undefined passes for empty."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class Access:
    """What the gate needs; at `app.state.access`."""

    database: Database
    vault: Vault
    settings: Settings = field(default_factory=Settings)
    passwords: Passwords = field(default_factory=Passwords)
    templates: Environment = field(default_factory=environment)


def access_of(connection: HTTPConnection) -> Access:
    """The gate of the application that was called."""
    return connection.app.state.access
