"""What the Service Layer says when it refuses, in the envelopes of both versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NOT_FOUND, DUPLICATE, BUSINESS, REFUSED, UNSUPPORTED = -2028, -2035, -10, -5002, -5006
STALE, MALFORMED, VETO, SESSION, BAD_LOGIN, LOCKED, NO_CREDENTIALS = (
    -2039,
    -1000,
    -1116,
    301,
    100000027,
    100000055,
    -304,
)


@dataclass
class B1Error(Exception):
    """Answered with ``status``. ``keep``: what was written before stays, as a draft that was caught for approval."""

    status: int
    code: int
    text: str
    keep: bool = field(default=False, kw_only=True)

    def body(self, version: int, *, string_301: bool = False, in_batch: bool = False) -> Mapping[str, Any]:
        if version == 2:
            told: dict[str, Any] = {
                "code": str(self.code),
                "details": [{"code": "", "message": ""}],
                "message": self.text,
            }
        elif string_301 and self.code == SESSION:
            told = {"code": str(self.code), "message": self.text}
        else:
            told = {"code": self.code, "message": {"lang": "en-us", "value": self.text}}
        if in_batch:
            told["innererror"] = {"context": None, "trace": None}
        return {"error": told}


def not_found() -> B1Error:
    """On GET: no such key."""
    return B1Error(404, NOT_FOUND, "No matching records found (ODBC -2028)")


def missing_reference() -> B1Error:
    """On a write: something that it refers to does not exist; which one the system does not say."""
    return B1Error(400, NOT_FOUND, "No matching records found (ODBC -2028)")


def duplicate_key() -> B1Error:
    return B1Error(400, DUPLICATE, "This entry already exists in the following tables (ODBC -2035)")


def business(text: str) -> B1Error:
    return B1Error(400, BUSINESS, text)


def refused(text: str) -> B1Error:
    return B1Error(400, REFUSED, text)


def unsupported() -> B1Error:
    return B1Error(400, UNSUPPORTED, "The requested action is not supported for this object.")


def bad_query(text: str) -> B1Error:
    return B1Error(400, MALFORMED, text)


def no_session() -> B1Error:
    return B1Error(401, SESSION, "Invalid session or session already timeout.")


def unknown_set(name: str) -> B1Error:
    return B1Error(400, -1002, f"Unrecognized resource path. Invalid entityset '{name}'.")


GERMAN: Mapping[str, str] = {
    "Invalid session or session already timeout.": "Ungültige Sitzung oder Zeitüberschreitung der Sitzung.",
    "No matching records found (ODBC -2028)": "Keine passenden Datensätze gefunden (ODBC -2028)",
    "This entry already exists in the following tables (ODBC -2035)": (
        "Dieser Eintrag ist bereits in folgenden Tabellen vorhanden (ODBC -2035)"
    ),
    "Invoice is already closed or blocked [Message 3524-20]": (
        "Rechnung ist bereits abgeschlossen oder gesperrt [Message 3524-20]"
    ),
    "One of the base documents has already been closed": "Einer der Basisbelege wurde bereits abgeschlossen",
    "Another user or another operation modified data": "Ein anderer Benutzer oder Vorgang hat die Daten geändert",
}


def in_german(error: B1Error) -> B1Error:
    """As a German session reads it; what has no translation here gets words that no one can match."""
    text = GERMAN.get(error.text, f"Der Vorgang konnte nicht ausgeführt werden ({error.code})")
    return B1Error(error.status, error.code, text, keep=error.keep)
