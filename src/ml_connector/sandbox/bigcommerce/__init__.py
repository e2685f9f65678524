"""A stand-in of a BigCommerce store: its REST surfaces, its webhooks and a generator of realistic orders."""

from ml_connector.sandbox.bigcommerce.api_hooks import HookApi
from ml_connector.sandbox.bigcommerce.control import Control
from ml_connector.sandbox.bigcommerce.routes import api_routes
from ml_connector.sandbox.bigcommerce.standin import ACCOUNT, STORE_HASH, build
from ml_connector.sandbox.core.system import Environment, System

HANDLER_FAULTS = frozenset(
    {
        "transactions_503",
        "transactions_late",
        "order_404_for",
        "stale_read",
        "hook_deactivated",
        "quota_shrink",
        "clock_skew",
        "inventory_lost",
    }
)


def create(environment: Environment) -> System:
    """The store as the sandbox serves it: API below `/stores/<hash>/v2|v3`, empty but for its catalogue."""
    standin = build(environment)
    control = Control(standin)
    return System(
        name="bigcommerce",
        routes=api_routes(standin.door, HookApi(standin.book)),
        credentials={
            "store_hash": STORE_HASH,
            "access_token": ACCOUNT.access_token,
            "client_id": ACCOUNT.client_id,
            "client_secret": ACCOUNT.client_secret,
        },
        states=control.states(),
        seed=standin.seed,
        reset=standin.reset,
        handler_faults=HANDLER_FAULTS,
        control_routes=control.routes(),
        start=standin.start,
    )
