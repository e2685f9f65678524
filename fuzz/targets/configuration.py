"""Configuration files: whatever is in them, every problem is told with file, line and column."""

from pathlib import Path

from fuzz.target import Target
from ml_connector.config.load import load_text
from ml_connector.config.problems import ConfigError
from ml_connector.connectors.systems import systems

SYSTEMS = systems()
PLACE = Path(__file__).parent


def run(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    try:
        loaded = load_text(text, "fuzz.yaml", SYSTEMS, folder=PLACE)
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.line >= 1
            assert problem.column >= 1
            assert problem.message
        raise
    assert loaded.config.version == 1


TARGET = Target("configuration", "configuration files", "text", run, (ConfigError,))
