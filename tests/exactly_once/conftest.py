"""A desk with an empty ERP."""

import pytest

from ml_connector.engine.database import Database
from tests.exactly_once.desk import Books, Desk


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def desk(database: Database, books: Books) -> Desk:
    return Desk(database, books)
