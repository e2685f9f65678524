"""OData V2 errors as SAP Gateway writes them, in JSON and in XML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

NOT_FOUND = "/IWBEP/CM_MGW_RT/020"
NOT_IMPLEMENTED = "/IWBEP/CM_MGW_RT/021"
BUSINESS = "/IWBEP/CM_MGW_RT/022"
NO_SERVICE = "/IWFND/MED/170"
NOT_AUTHORIZED = "/IWFND/CM_BEC/026"
MALFORMED = "/IWFND/CM_CONSUMER/101"
PRECONDITION = "/IWFND/CM_MGW/412"


@dataclass(frozen=True)
class Detail:
    """One message behind a business refusal; ``code`` is message class and number."""

    code: str
    message: str
    target: str = ""
    severity: str = "error"


@dataclass
class ODataError(Exception):
    """Answered as an OData error body with ``status``."""

    status: int
    code: str
    message: str
    details: Sequence[Detail] = ()

    def body(self, service: str, transaction: str, timestamp: str, language: str) -> dict[str, object]:
        """``timestamp`` is ``YYYYMMDDhhmmss.fffffff``."""
        return {
            "error": {
                "code": self.code,
                "message": {"lang": language.lower(), "value": self.message},
                "innererror": {
                    "application": {
                        "component_id": "",
                        "service_namespace": "/SAP/",
                        "service_id": service,
                        "service_version": "0001",
                    },
                    "transactionid": transaction,
                    "timestamp": timestamp,
                    "Error_Resolution": {
                        "SAP_Transaction": "",
                        "SAP_Note": "See SAP Note 1797736 for error analysis",
                    },
                    "errordetails": [
                        {
                            "code": detail.code,
                            "message": detail.message,
                            "longtext_url": "",
                            "propertyref": "",
                            "severity": detail.severity,
                            "target": detail.target,
                            "transition": False,
                        }
                        for detail in self.details
                    ],
                },
            }
        }

    def xml(self, language: str) -> str:
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
            f"<code>{escape(self.code)}</code>"
            f'<message xml:lang="{language.lower()}">{escape(self.message)}</message></error>'
        )


def bad_request(message: str) -> ODataError:
    return ODataError(400, MALFORMED, message)


def refused(details: Sequence[Detail]) -> ODataError:
    """A business rule said no: the first message is the error's own, all of them are details."""
    return ODataError(400, details[0].code, details[0].message, details)
