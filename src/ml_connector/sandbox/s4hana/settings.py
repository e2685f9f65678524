"""Switches of the stand-in: what an administrator of a real tenant would have set, and what is not known of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RIGHTS = {
    "SAP_COM_0002": ("SAP_COM_0002",),
    "SAP_COM_0008": ("SAP_COM_0008",),
    "SAP_COM_0303": ("SAP_COM_0303",),
    "SAP_COM_0087": ("SAP_COM_0084", "SAP_COM_0087"),
    "SAP_COM_0009": ("SAP_COM_0009",),
    "SAP_COM_0164": ("SAP_COM_0164",),
}
"""Communication scenarios, each with those that give the same."""
ALL_SCENARIOS = tuple(sorted(scenario for same in RIGHTS.values() for scenario in same))


class Settings(BaseModel):
    """Set through ``POST /_control/seed`` with ``{"settings": {...}}``; every key is optional there."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    scenarios: list[str] = Field(default_factory=lambda: list(ALL_SCENARIOS))
    """Arranged communication scenarios; a service of another one answers 403."""
    basic_authentication: bool = True
    oauth: bool = True
    client_certificate: bool = True
    """Accepted where TLS is served and the certificate comes from the sandbox's CA."""
    token_lifetime_s: int = 3600
    expires_in_form: Literal["string", "number"] = "string"
    token_skew_s: int = 0
    """Tokens really end this much earlier than they say."""
    lock_after: int = 5
    """Wrong passwords in a row that lock the user until reset."""
    session_idle_s: int = 1800
    default_language: Literal["EN", "DE"] = "DE"
    """Of messages where the client asks for none."""
    open_from: date = date(2020, 1, 1)
    open_to: date = date(2039, 12, 31)
    """Posting dates that are open."""
    release: Literal["2020", "2024"] = "2024"
    """The confirmation of 2020 does not name the interface that it comes from."""
    duplicate_check: bool = False
    """Refuse a second journal entry with the same company, type and reference. Off, as in the real service."""
    require_tax_classification: bool = True
    """A tax item names its condition type or its classification."""
    require_address_language: bool = True
    require_one_time_details: bool = False
    """A line to a one-time account names the buyer."""
    partner_etags: bool = False
    """The vendor's metadata declares no concurrency for partners; on, updates need If-Match."""
    lookup_lag_s: float = 0
    """Seconds until a posted document can be read."""
    page_cap: int = 5000
    page_without_top: int | None = None
    """100 on services of the newer kind."""
    rates: dict[str, Decimal] = Field(
        default_factory=lambda: {
            "USD": Decimal(1),
            "EUR": Decimal("1.08"),
            "GBP": Decimal("1.27"),
            "CAD": Decimal("0.73"),
            "AUD": Decimal("0.66"),
            "JPY": Decimal("0.0067"),
            "KWD": Decimal("3.25"),
        }
    )
    """What one unit is worth in USD; other currencies count as one."""
