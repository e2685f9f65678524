"""What the gate is made of."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from jinja2 import Environment
from starlette.requests import HTTPConnection

from ml_connector.engine.access.passwords import Passwords
from ml_connector.engine.database import Database
from ml_connector.engine.vault import Vault
from ml_connector.web.access.settings import Settings


@dataclass(slots=True)
class Outage:
    """Since when this process finds the database away, so that a page can say it."""

    since: datetime | None = None

    def goes_on(self) -> datetime:
        """It does not answer; since when."""
        self.since = self.since or datetime.now(UTC)
        return self.since

    def over(self) -> None:
        """It has answered."""
        self.since = None


@dataclass(frozen=True, slots=True)
class Access:
    """What the gate needs; at `app.state.access`. `templates`: of the console."""

    database: Database
    vault: Vault
    templates: Environment
    settings: Settings = field(default_factory=Settings)
    passwords: Passwords = field(default_factory=Passwords)
    outage: Outage = field(default_factory=Outage)


def access_of(connection: HTTPConnection) -> Access:
    """The gate of the application that was called."""
    return connection.app.state.access
