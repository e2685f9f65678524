"""The listed systems. To be listed is all that a connector needs to be held against the whole suite: what its stand-in
has to know before documents can be posted, and by which requests documents go out and are looked up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.planning.store import MAPPING

ACCOUNTS = sorted({*MAPPING["accounts"].values(), *(row["account"] for row in MAPPING["payment_methods"])})  # type: ignore[attr-defined]
TAX_CODES = sorted({row["tax_code"] for row in MAPPING["taxes"]})  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Listed:
    """`writes`: method and path (a regular expression) of each request by which documents are posted; `looks`: of the
    paths by which they are looked up.

    `settings`: of the connection, beside address, login and timing. `closed_period`: a seed that closes the day of the
    documents. `mapping`: tables that differ from those of the planner's own tests. `approval`: the fault by which an
    approval procedure catches a document; empty where the system has none.
    """

    system: str
    settings: Mapping[str, object]
    seed: Mapping[str, object]
    writes: tuple[tuple[str, str], ...]
    looks: str
    closed_period: Mapping[str, object]
    mapping: Mapping[str, object] = field(default_factory=dict[str, Any])
    approval: str = ""

    def __str__(self) -> str:
        return self.system


LISTED = (
    Listed(
        "s4hana",
        settings={
            "company_code": "1710",
            "created_by_user": "BCCONNECT",
            "customer_reconciliation_account": "12100000",
        },
        seed={"gl_accounts": ACCOUNTS, "tax_codes": TAX_CODES, "customers": ["199999"]},
        writes=(("POST", "journalentry|A_BusinessPartner$"),),
        looks="API_OPLACCTGDOCITEMCUBE_SRV",
        closed_period={"open_to": "2025-12-31"},
    ),
    Listed(
        "business_one",
        settings={"company": "SBO_STORE", "freight_code": 1, "charge_item": "ADJUSTMENT"},
        seed={"settings": {"tax_rounding": "document", "periods_locked_until": None}},
        writes=(("POST", "/(Invoices|CreditNotes|IncomingPayments|VendorPayments|BusinessPartners)$"),),
        looks="/(Invoices|CreditNotes|IncomingPayments|VendorPayments|BusinessPartners|Drafts)$",
        closed_period={"settings": {"periods_locked_until": "2026-12-31"}},
        mapping={
            "customers": {"one_time": "WEB-GUEST", "individual": {}},
            "items": {"SKU-0": "TEE-RED-M"},
            "taxes": [{"name": "state", "rate": "8.25", "tax_code": "O825", "account": "220000"}],
            "untaxed_code": "X0",
        },
        approval="approval",
    ),
)
