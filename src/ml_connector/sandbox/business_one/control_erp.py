"""What every ERP's stand-in shows and lets a test do: documents by reference, rights, lost sessions, tampering."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ml_connector.sandbox.business_one.company import Company, number
from ml_connector.sandbox.business_one.fields import SETS, Row
from ml_connector.sandbox.core.control import answer, read_json, refusal

if TYPE_CHECKING:
    from ml_connector.sandbox.business_one.system import BusinessOne

REFERENCE, CUSTOMER_REFERENCE = "U_MLC_REF", "U_MLC_EXTID"
KINDS = {
    "Orders": "order",
    "Invoices": "invoice",
    "DeliveryNotes": "delivery",
    "CreditNotes": "credit_memo",
    "Returns": "return",
    "DownPayments": "down_payment",
    "IncomingPayments": "payment",
    "VendorPayments": "refund_payment",
    "JournalEntries": "journal_entry",
}
RIGHTS = ("BusinessPartners", "Items", "Invoices", "CreditNotes", "IncomingPayments", "VendorPayments", "Drafts")
"""The authorisations that an integration in sales style cannot do without, by entity set."""


def documents(company: Company) -> list[dict[str, Any]]:
    """Everything that carries a reference of ours; the counter document of a cancellation is not live, nor is the
    cancelled one. Currencies by their ISO code."""
    found = [
        {"reference": row[CUSTOMER_REFERENCE], "number": row["CardCode"], "kind": "customer", "live": True}
        for row in company.table("BusinessPartners").in_key_order()
        if row.get(CUSTOMER_REFERENCE)
    ]
    for name, kind in KINDS.items():
        found += [
            {
                "reference": row[REFERENCE],
                "number": str(row[SETS[name].keys[0]]),
                "kind": kind,
                "live": row.get("CancelStatus", "csNo") == "csNo" and not row.get("_cancelled"),
                "total": _total(row),
                "currency": _iso(company, row),
            }
            for row in company.table(name).in_key_order()
            if row.get(REFERENCE)
        ]
    return found


def shifted(row: Row, by: Decimal) -> Row:
    """The row with ``by`` more in its total, as no ERP allows; in the document's currency and in the local one."""
    if "JournalEntryLines" in row:
        lines = [dict(line) for line in row["JournalEntryLines"]]
        lines[0]["Debit"] = number(lines[0], "Debit") + by
        return {"JournalEntryLines": lines}
    if "_means" in row:
        name = "TransferSum" if number(row, "TransferSum") else "CashSum"
        return {name: number(row, name) + by, "_means": row["_means"] + by}
    names = ["DocTotal", "VatSum", *(("DocTotalFc", "VatSumFc") if number(row, "DocTotalFc") else ())]
    return {name: number(row, name) + by for name in names}


def erp_routes(stand_in: BusinessOne) -> list[web.AbstractRouteDef]:
    async def lose_sessions(request: web.Request) -> web.Response:
        dropped = len(stand_in.access.sessions)
        stand_in.access.sessions.clear()
        return answer({"dropped": dropped})

    async def withdraw(request: web.Request) -> web.Response:
        right = str((await read_json(request))["right"])
        if right not in SETS:
            return refusal(f"no right {right}; there are {', '.join(SETS)}", 404)
        stand_in.settings.withdrawn = [*stand_in.settings.withdrawn, right]
        return answer({"withdrawn": right})

    async def tamper(request: web.Request) -> web.Response:
        body = await read_json(request)
        by, changed = Decimal(str(body["amount"])), 0
        for name in KINDS:
            table = stand_in.company.table(name)
            for key, row in table.matching({REFERENCE: frozenset({str(body["reference"])})}):
                table.change(key, **shifted(row, by))
                changed += 1
        return answer({"changed": changed})

    return [
        web.post("/lose_sessions", lose_sessions),
        web.post("/drop_sessions", lose_sessions),
        web.post("/withdraw", withdraw),
        web.post("/tamper", tamper),
    ]


def _total(row: Row) -> Decimal:
    if "JournalEntryLines" in row:
        return sum((number(line, "FCDebit") or number(line, "Debit") for line in row["JournalEntryLines"]), Decimal(0))
    if "_means" in row:
        return Decimal(row["_means"])
    return number(row, "DocTotalFc") or number(row, "DocTotal")


def _iso(company: Company, row: Row) -> str:
    own = row.get("DocCurrency")
    if own is None:
        lines: list[Row] = row.get("JournalEntryLines") or []
        own = next((line["FCCurrency"] for line in lines if line.get("FCCurrency")), company.settings.local_currency)
    return str((company.table("Currencies").get(own) or {}).get("DocumentsCode") or own)
