"""The SAP S/4HANA stand-in: journal entries by SOAP, ledger reads and business partners by OData V2."""

from ml_connector.sandbox.s4hana.system import create

__all__ = ["create"]
