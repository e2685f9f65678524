"""The SAP Business One stand-in: the Service Layer, OData V3 at ``/b1s/v1`` and V4 at ``/b1s/v2``."""

from ml_connector.sandbox.business_one.system import create

__all__ = ["create"]
