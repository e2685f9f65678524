"""The pages of the left bar, and what a page is called."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the left bar."""

    name: str
    title: str
    href: str
    icon: str


PLACES = (
    Place("overview", "Overview", "/", "i-overview"),
    Place("records", "Records", "/records", "i-records"),
    Place("holds", "Holds", "/holds", "i-holds"),
    Place("reconciliation", "Reconciliation", "/reconciliation", "i-tie"),
    Place("plan", "Plan", "/plan", "i-plan"),
    Place("audit", "Audit", "/audit", "i-audit"),
)
SET_UP = (
    Place("mapping", "Mapping and policy", "/mapping", "i-mapping"),
    Place("connections", "Connections", "/connections", "i-connections"),
    Place("settings", "Alerts and settings", "/settings", "i-settings"),
)

_OTHERS = {"/account": "Your account", "/settings/users": "Users and tokens", "/trends": "Overview"}


def title_of(path: str) -> str:
    """What the page at `path` is called in the left bar: `/records/1/orders/7` is among Records."""
    known = {each.href: each.title for each in (*PLACES, *SET_UP)} | _OTHERS
    fitting = [href for href in known if path == href or (href != "/" and path.startswith(f"{href}/"))]
    return known[max(fitting, key=len)] if fitting else "This page"
