"""The accountant: what must exist in the ledger for an order, decided from values alone."""

from ml_connector.planning.customers import plan_customer
from ml_connector.planning.facts import Facts
from ml_connector.planning.plan import plan_order

__all__ = ["Facts", "plan_customer", "plan_order"]
