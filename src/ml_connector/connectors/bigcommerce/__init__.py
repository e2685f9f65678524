"""BigCommerce: a store's orders, payments, refunds and customers. Protocol facts: `docs/protocol/bigcommerce.md`."""

from ml_connector.connectors.base import System
from ml_connector.connectors.bigcommerce.connector import connect
from ml_connector.connectors.bigcommerce.settings import FIELDS

system = System(
    name="bigcommerce",
    title="BigCommerce",
    side="store",
    fields=FIELDS,
    connect=connect,
    address="https://api.bigcommerce.com",
    guide="setup/bigcommerce.md",
)
