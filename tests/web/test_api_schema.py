"""The API is as its description says: whatever is sent, no 5xx, and every answer fits."""

import asyncio
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import cycle
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import text

from ml_connector.domain.access import Role
from ml_connector.engine import alert_channels, alert_rules
from ml_connector.engine.master_keys import MasterKeys, parse_keys
from ml_connector.engine.vault import Vault
from ml_connector.reconcile import results
from ml_connector.reconcile.causes import Cause
from ml_connector.reconcile.explained import name_of as name_of_finding
from ml_connector.reconcile.stream import Cursor
from ml_connector.reconcile.totals import Totals
from ml_connector.reconcile.values import Compared, Difference
from tests.e2e.scene import Scene
from tests.web.orders import ABOUT, name_of, orders
from tests.web.selling import parts as parts
from tests.web.selling import scene as scene
from tests.web.selling import served as served
from tests.web.selling import world as world
from tests.web.serving import Served
from tests.web.test_pages2 import Hook
from tests.web.visitors import token, user

EXAMPLES = 8
DAY = date(2026, 11, 18)
LOST = Difference(Cause.DELETED, 3, "S1-O3", Decimal(9), Decimal(0), "EUR", "S1-O3 is gone", day=DAY, kind="orders")
LINE = name_of_finding(LOST)
NAMES: dict[str, dict[str, Any]] = {
    "POST /api/v1/records/release": {"flow": "orders", "keys": ["1", "2"]},
    "PUT /api/v1/connections/{connection}": {
        "system": "s4hana",
        "base_url": "https://spare.example",
        "settings": {"company_code": "1710"},
        "credentials": {"client_id": "ME", "client_secret": "a-spare-secret"},
        "proxy": "",
    },
    "POST /api/v1/alerts/mute": {"rule": "late"},
    "POST /api/v1/alerts/test": {"channel": "chat"},
    "POST /api/v1/users": {"name": "somebody.new"},
    "POST /api/v1/users/role": {"name": "somebody"},
    "POST /api/v1/users/disable": {"name": "somebody"},
    "POST /api/v1/users/enable": {"name": "somebody"},
    "POST /api/v1/tokens/revoke": {"name": "spare"},
}
"""Operation -> names in its body that are there."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


async def test_every_answer_is_as_the_description_says(scene: Scene, served: Served) -> None:
    await orders(served, "held", "1", "2")
    await orders(served, "synced", "3", booked=True)
    await orders(served, "held", "4", booked=True)
    async with served.database.connect() as sql:
        await sql.execute(text("UPDATE postings SET state = 'rejected' WHERE reference = 'S1-O4'"))
    totals = Totals()
    totals.add(Compared(3, "posted", differences=[LOST]))
    async with served.database.transaction() as sql:
        await results.conclude(sql, 1, Cursor(DAY, DAY, DAY, totals=totals), datetime.now(UTC), marked=0, held=0)
    bearer = {"Authorization": f"Bearer {await token(served, await user(served, Role.administrator))}"}
    await user(served, Role.clerk, "somebody")
    await token(served, await user(served, Role.clerk, "keeper"), "spare")
    async with served.client.get(f"{served.url}/api/v1/openapi.json", headers=bearer) as answer:
        described = json.loads(await answer.read())
    known = {"integration": await name_of(served), "flow": "orders", "key": "3"}
    known["orders"] = str(scene.place("paid"))
    body = {"integration": known["integration"], "orders": [known["orders"]]}
    async with served.client.post(f"{served.url}/api/v1/plans", json=body, headers=bearer) as answer:
        known["plan"] = str(json.loads(await answer.read())["plan"])
    known["version"] = "1"
    known["connection"] = "spare"
    for what, table in (("mapping", "mappings"), ("policy", "policies")):
        (stored,) = await served.rows(f"SELECT content FROM {table} WHERE version = 1")
        known[what] = json.dumps(stored.content)
    async with Hook() as hook:
        chat = alert_rules.Channel("chat", allow_private=True)
        vault = Vault(served.database, MasterKeys(parse_keys(scene.environment()["ML_CONNECTOR_KEY"])))
        await alert_channels.set_address(served.database, vault, chat, f"json://127.0.0.1:{hook.port}/")
        asked = await asyncio.to_thread(_ask_everything, served.url, described, bearer, known)
    assert set(asked) == {
        f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods
    }
    assert not {operation: statuses for operation, statuses in asked.items() if 200 not in statuses}


def _ask_everything(
    url: str, described: dict[str, Any], bearer: dict[str, str], known: dict[str, str]
) -> dict[str, set[int]]:
    """Operation -> the statuses that it answered with."""
    asked: dict[str, set[int]] = {}
    schema: Any = schemathesis.openapi.from_dict(described)
    with requests.Session() as session:
        for each in schema.get_all_operations():
            statuses = asked[each.ok().label] = set[int]()
            _ask(url, each.ok(), bearer, session, known, statuses)
    return asked


def _ask(
    url: str, operation: Any, bearer: dict[str, str], session: Any, known: dict[str, str], statuses: set[int]
) -> None:
    turns = cycle((True, False))  # by turns, not by chance: each call must come through at least once

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    def ask(case: Any) -> None:
        if next(turns):  # names that are there, for whoever guesses finds none
            case.path_parameters.update({name: known[name] for name in case.path_parameters})
            if isinstance(case.body, dict) and "integration" in case.body:
                case.body |= {"integration": known["integration"]} | ({"key": ABOUT} if "key" in case.body else {})
                case.body |= {"reference": "S1-O4", "verdict": "retry"} if "verdict" in case.body else {}
                case.body |= {"line": LINE} if "line" in case.body else {}
                case.body |= {"why": "booked there by hand"} if "why" in case.body and "line" in case.body else {}
            if "If-Match" in (case.headers or {}) or operation.label.startswith(("PUT ", "PATCH ")):
                case.headers = {"If-Match": "*"}
                stored = known["policy" if operation.label.endswith("policy") else "mapping"]
                if isinstance(case.body, dict):
                    case.body |= {"changes": {}} if "changes" in case.body else {"content": json.loads(stored)}
            if isinstance(case.body, dict) and operation.label in NAMES:
                case.body |= NAMES[operation.label]
            if isinstance(case.body, dict) and operation.label == "POST /api/v1/plans":
                case.body |= {"orders": [known["orders"]]}
        answer = case.call_and_validate(base_url=url, session=session, headers=bearer, checks=CHECKS)
        statuses.add(answer.status_code)

    ask()
