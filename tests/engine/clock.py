"""A database whose clock stands still until a test moves it: every statement of ours asks `statement_timestamp()`.

A function of that name in a schema that is searched first takes the place of the server's own. So H, V, leases and
back-offs are passed in an instant and to the microsecond, and the clock of this process is visibly another one. Chance
stands still as well (`random()`), so that a back-off is the mean of its jitter and an example can be repeated.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.engine import make_url

from ml_connector.engine.database import Database

START = datetime(2031, 5, 5, 12, tzinfo=UTC)
"""Years ahead of any clock of a machine that runs the tests."""

_SETUP = """
CREATE SCHEMA steered;
CREATE TABLE steered.clock (now timestamptz NOT NULL);
INSERT INTO steered.clock VALUES ('{start}');
CREATE FUNCTION steered.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql
  AS 'SELECT now FROM steered.clock';
CREATE FUNCTION steered.random() RETURNS float8 VOLATILE LANGUAGE sql AS 'SELECT 0.5::float8';
ALTER DATABASE "{name}" SET search_path = steered, pg_catalog, public;
"""


async def steer(url: str, start: datetime = START) -> None:
    """From now on, connections that are opened to this database see the steered clock."""
    database = Database(url)
    async with database.transaction() as connection:
        name = make_url(url).database
        for statement in _SETUP.format(start=start.isoformat(), name=name).split(";\n"):
            if statement.strip():
                await connection.execute(text(statement))
    await database.close()


async def pass_time(database: Database, seconds: float) -> None:
    """The database's clock goes on, or back."""
    async with database.connect() as connection:
        await connection.execute(text("UPDATE steered.clock SET now = now + :by"), {"by": timedelta(seconds=seconds)})
