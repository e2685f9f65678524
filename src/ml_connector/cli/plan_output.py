"""A plan on the screen and as JSON."""

from typing import Any

from ml_connector.cli.output import Output
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Documents, Excluded, Plan
from ml_connector.planning.render import render_plan


def say_plan(out: Output, plan: Plan, *, why: bool) -> None:
    """Every document with its lines, or why there is none."""
    out.say(render_plan(plan, why=why), style=None if isinstance(plan, Documents) else "yellow")


def plan_json(plan: Plan) -> dict[str, Any]:
    """`outcome` is `documents`, `hold` or `excluded`; amounts are strings."""
    if isinstance(plan, Documents):
        return {
            "outcome": "documents",
            "documents": [document_to_json(document) for document in plan.documents],
            "notes": [{"code": note.code, "about": note.about, "text": note.text} for note in plan.notes],
        }
    if isinstance(plan, Excluded):
        return {"outcome": "excluded", "code": plan.code.value, "message": plan.message}
    return {
        "outcome": "hold",
        "code": plan.code.value,
        "key": plan.key,
        "message": plan.message,
        "facts": dict(plan.facts or {}),
        "missing": [{"kind": kind, "key": key} for kind, key in plan.missing],
    }
