"""The systems that are installed, found through the entry point group `ml_connector.systems`.

A third party ships a connector as a package with such an entry point; nothing here names a system.
"""

from functools import cache
from importlib.metadata import entry_points

from ml_connector.connectors.base import System

GROUP = "ml_connector.systems"


class UnknownSystem(LookupError):
    """No installed package offers a system of that name; the message lists those that are installed."""


def system_names() -> tuple[str, ...]:
    """Names of the installed systems, sorted. Loads none of them."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


@cache
def find_system(name: str) -> System:
    """The declaration of an installed system. Raises `UnknownSystem`."""
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            found = entry.load()
            if not isinstance(found, System):
                raise UnknownSystem(f"the package behind {name!r} declares no System: {entry.value}")
            return found
    raise UnknownSystem(f"no system is called {name!r}; installed are: {', '.join(system_names()) or 'none'}")


def systems() -> dict[str, System]:
    """All installed systems by name."""
    return {name: find_system(name) for name in system_names()}
