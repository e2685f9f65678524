"""Which choices of a policy ask for documents that a connection to an ERP cannot post."""

from collections.abc import Iterator, Mapping

from ml_connector.connectors.base import System
from ml_connector.domain.policy import Policy
from ml_connector.planning.families import asked_kinds


def unserved_choices(system: System, settings: Mapping[str, object], policy: Policy) -> Iterator[tuple[str, str]]:
    """The policy key, empty where no choice helps, and what is asked for in vain."""
    served = system.kinds(settings)
    for kind, key in asked_kinds(system.style or "journal", system.name, policy).items():
        if kind not in served:
            asked = f"{key} asks for a {kind.value}" if key else f"orders become a {kind.value}"
            yield key, f"{asked}, and {system.title} posts none"
