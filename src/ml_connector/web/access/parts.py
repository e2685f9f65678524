"""What the gate is made of."""

from dataclasses import dataclass, field

from jinja2 import Environment
from starlette.requests import HTTPConnection

from ml_connector.engine.access.passwords import Passwords
from ml_connector.engine.database import Database
from ml_connector.engine.vault import Vault
from ml_connector.web.access.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """What the gate needs; at `app.state.access`. `templates`: of the console."""

    database: Database
    vault: Vault
    templates: Environment
    settings: Settings = field(default_factory=Settings)
    passwords: Passwords = field(default_factory=Passwords)


def access_of(connection: HTTPConnection) -> Access:
    """The gate of the application that was called."""
    return connection.app.state.access
