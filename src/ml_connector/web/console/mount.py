"""Puts the console into the application: its pages, its style and script, its streams."""

from fastapi import FastAPI

from ml_connector.flows.runtime import Runtime
from ml_connector.web.console.assets import assets
from ml_connector.web.console.frame import Pages
from ml_connector.web.console.pages import (
    audit,
    connections,
    holds,
    holds_fix,
    mapping,
    mapping_draft,
    overview,
    people,
    plan,
    policy,
    reconciliation,
    record,
    records,
    settings,
    wizard,
)

ROUTERS = {
    "holds": holds.router,
    "holds_fix": holds_fix.router,
    "record": record.router,
    "overview": overview.router,
    "records": records.router,
    "reconciliation": reconciliation.router,
    "plan": plan.router,
    "audit": audit.router,
    "mapping": mapping.router,
    "mapping_draft": mapping_draft.router,
    "policy": policy.router,
    "settings": people.router,
    "connections": connections.router,
    "wizard": wizard.router,
    "alerts": settings.router,
}
"""Place of the left bar -> its pages; `alerts` stands under settings, `mapping_draft` and `policy` under mapping,
`holds_fix` under holds, `wizard` under connections."""


def mount(app: FastAPI, runtime: Runtime) -> Pages:
    """After access is installed. Close `streams` of what is returned when the application ends."""
    pages = Pages(runtime, frozenset(ROUTERS))
    app.state.pages = pages
    app.state.ends = [pages.streams.end]
    app.add_route("/static/{name}", assets().serve, methods=["GET"])
    for router in ROUTERS.values():
        app.include_router(router)
    return pages
