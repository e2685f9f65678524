"""`ml-connector plan --from-files`: the journal entries that exported orders would make, without any connection."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.order_files import OrderFile, read_orders
from ml_connector.cli.output import Output
from ml_connector.cli.plan_output import plan_json, say_plan
from ml_connector.config.load import load_file
from ml_connector.config.mapping import MappingError, mapping_from
from ml_connector.config.policy import PolicyError, policy_from
from ml_connector.connectors.systems import systems
from ml_connector.domain.documents import Documents, Plan
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.policy import OpenPeriods, Policy
from ml_connector.planning.facts import Facts
from ml_connector.planning.plan import plan_order

EXAMPLE = Path(__file__).parents[1] / "config" / "store-to-s4hana.yaml"


@dataclass(frozen=True, slots=True)
class _Rules:
    mapping: Tables
    policy: Policy
    facts: Facts


def plan_files(out: Output, folder: Path, config: Path | None, integration: str, *, why: bool, backfill: bool) -> int:
    """Prints the plans. Exit status 1 when an order cannot be read, or is held."""
    common = _rules_of(config or EXAMPLE, integration)
    if config is None:
        out.say(f"Mapping and policy of the example ({EXAMPLE.name}); --config names yours.", style="dim")
    results = [_planned(each, common, own=config is None, backfill=backfill) for each in read_orders(folder)]
    for order, plan in results:
        if plan is None:
            out.say(f"\n{order.problem}", style="red")
        elif order.snapshot is not None:
            out.say(f"\nOrder {order.snapshot.order.id}  ({order.path})", style="bold")
            if order.absent:
                out.say(f"Not exported, and taken for empty: {', '.join(order.absent)}.", style="yellow")
            say_plan(out, plan, why=why)
    documents = sum(len(plan.documents) for _, plan in results if isinstance(plan, Documents))
    waiting = sum(1 for _, plan in results if not isinstance(plan, Documents))
    out.say(f"\n{len(results)} orders, {documents} documents, {waiting} orders without any.")
    out.result(
        {
            "orders": [
                {
                    "file": str(order.path),
                    **(
                        {"outcome": "unreadable", "message": order.problem}
                        if plan is None or order.snapshot is None
                        else {"order": str(order.snapshot.order.id), "absent": list(order.absent), **plan_json(plan)}
                    ),
                }
                for order, plan in results
            ]
        }
    )
    return Exit.FOUND if waiting else Exit.FINE


def _rules_of(path: Path, name: str) -> _Rules:
    """The named integration of a file, or its only one. Raises `ConfigError`, `CliError`."""
    config = load_file(path, systems()).config
    names = ", ".join(config.integrations)
    if not name and len(config.integrations) != 1:
        raise CliError(f"{path} has the integrations {names or '(none)'}: choose one with --integration.")
    entry = config.integrations.get(name or names)
    if entry is None:
        raise CliError(f"{path} has no integration {name!r}; it has: {names or 'none'}.")
    erp = config.connections[entry.erp]
    periods = {"open_from": erp.settings.get("open_from"), "open_to": erp.settings.get("open_to")}
    system = systems()[erp.system]
    return _Rules(
        mapping_from(entry.mapping.model_dump(mode="json", by_alias=True, exclude_defaults=True)),
        policy_from(entry.policy),
        Facts(
            periods=_periods(periods),
            reference_form="long" if system.reference_form == "long" else "short",
            style="sales" if system.style == "sales" else "journal",
            family=system.name,
            kinds=system.kinds(erp.settings),
        ),
    )


def _planned(order: OrderFile, rules: _Rules, *, own: bool, backfill: bool) -> tuple[OrderFile, Plan | None]:
    if order.snapshot is None:
        return order, None
    try:
        used = _of_the_file(order.tables, rules) if own else rules
    except (MappingError, PolicyError) as error:
        return replace(order, problem=f"{order.path}: {error}"), None
    facts = replace(used.facts, backfilled=backfill)
    return order, plan_order(order.snapshot, used.mapping, used.policy, facts)


def _of_the_file(tables: Mapping[str, Any], rules: _Rules) -> _Rules:
    """A file may bring its own mapping, policy and periods; what it does not bring is the configuration's."""
    periods = tables.get("periods")
    return _Rules(
        mapping_from(tables["mapping"]) if "mapping" in tables else rules.mapping,
        policy_from(tables["policy"]) if "policy" in tables else rules.policy,
        replace(rules.facts, periods=_periods(periods)) if periods else rules.facts,
    )


def _periods(given: Mapping[str, Any]) -> OpenPeriods:
    def day(value: Any) -> date | None:
        return date.fromisoformat(str(value)) if value else None

    return OpenPeriods(day(given.get("open_from")), day(given.get("open_to")))
