"""State that can be counted from outside, and the deeds of a person at the ERP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ml_connector.sandbox.core.control import answer, read_json, refusal
from ml_connector.sandbox.core.system import StateReader
from ml_connector.sandbox.s4hana.ledger import JournalEntry
from ml_connector.sandbox.s4hana.master import padded, unpadded
from ml_connector.sandbox.s4hana.odata.fields import Row
from ml_connector.sandbox.s4hana.odata.literals import shown
from ml_connector.sandbox.s4hana.partner_tables import PARTNER_SERVICE
from ml_connector.sandbox.s4hana.settings import RIGHTS

if TYPE_CHECKING:
    from ml_connector.sandbox.s4hana.system import S4Hana


def state_readers(stand_in: S4Hana) -> Mapping[str, StateReader]:
    """Kinds: documents and rights (see ``core.system``), journal_entries (``reference``, ``company``, ``after``
    position, ``limit``), business_partners, customers, gl_accounts, tax_codes, cost_centers, profit_centers,
    company_codes, settings, access."""
    return {
        "documents": lambda query: _documents(stand_in),
        "rights": lambda query: [{"name": scenario} for scenario in RIGHTS],
        "journal_entries": lambda query: [each.shown() for each in _entries(stand_in, query)],
        "business_partners": lambda query: _partners(stand_in, query),
        "customers": lambda query: [
            _row(stand_in, "A_Customer", row) for row in stand_in.partners.tables["A_Customer"].rows()
        ],
        "gl_accounts": lambda query: [
            {**asdict(each), "number": unpadded(each.number), "companies": sorted(each.companies)}
            for each in stand_in.master.accounts.values()
        ],
        "tax_codes": lambda query: [
            {**asdict(each), "companies": sorted(each.companies)} for each in stand_in.master.tax_codes.values()
        ],
        "cost_centers": lambda query: [
            {**asdict(each), "number": unpadded(each.number), "companies": sorted(each.companies)}
            for each in stand_in.master.cost_centers.values()
        ],
        "profit_centers": lambda query: [
            {**asdict(each), "number": unpadded(each.number), "companies": sorted(each.companies)}
            for each in stand_in.master.profit_centers.values()
        ],
        "company_codes": lambda query: [asdict(each) for each in stand_in.master.companies.values()],
        "stock": lambda query: stand_in.stock.shown(query.get("material")),
        "settings": lambda query: [stand_in.settings.model_dump(mode="json")],
        "access": lambda query: [{"user_locked": stand_in.access.locked, "sessions": stand_in.access.sessions()}],
    }


def control_routes(stand_in: S4Hana) -> list[web.AbstractRouteDef]:
    """``POST /stock`` (``{"materials": [{"material", "plant", "location", "quantity", "status", ...}]}``),
    ``POST /documents/<company>/<year>/<number>/clear|reset_clearing|delete|shift`` (``{"amount"}``),
    ``POST /revoke_tokens``,
    ``POST /drop_sessions``, ``POST /exhaust`` (``{"company", "year", "range"}``); ``POST /lose_sessions``,
    ``POST /withdraw`` and ``POST /tamper`` as ``core.system`` says."""

    async def document(request: web.Request) -> web.Response:
        key = (request.match_info["company"], request.match_info["year"], padded(request.match_info["number"]))
        entry = stand_in.ledger.documents.get(key)
        if entry is None:
            return refusal(f"no document {'/'.join(key)}", 404)
        match request.match_info["deed"]:
            case "clear":
                _clear(entry, "0100099999", stand_in.clock.now().date())
            case "reset_clearing":
                _clear(entry, "", None)
            case "shift":
                _shift(entry, Decimal(str((await read_json(request))["amount"])))
            case "delete":
                stand_in.ledger.remove(key)
            case other:
                return refusal(f"no deed {other}: clear, reset_clearing, delete or shift", 404)
        stand_in.ledger.touched()
        return answer(entry.shown())

    async def stock(request: web.Request) -> web.Response:
        return answer({"rows": stand_in.stock.put(await read_json(request), stand_in.clock.time_s())})

    async def revoke_tokens(request: web.Request) -> web.Response:
        stand_in.access.revoke_tokens()
        return answer({"revoked": True})

    async def drop_sessions(request: web.Request) -> web.Response:
        stand_in.access.drop_sessions()
        return answer({"dropped": True})

    async def lose_sessions(request: web.Request) -> web.Response:
        stand_in.access.revoke_tokens()
        stand_in.access.drop_sessions()
        return answer({"lost": True})

    async def withdraw(request: web.Request) -> web.Response:
        right = str((await read_json(request))["right"])
        if right not in RIGHTS:
            return refusal(f"no right {right}; there are {', '.join(RIGHTS)}", 404)
        stand_in.settings.scenarios = [each for each in stand_in.settings.scenarios if each not in RIGHTS[right]]
        return answer({"withdrawn": right})

    async def tamper(request: web.Request) -> web.Response:
        body = await read_json(request)
        found = list(stand_in.ledger.with_references([str(body["reference"])]))
        for entry in found:
            _shift(entry, Decimal(str(body["amount"])))
        stand_in.ledger.touched()
        return answer({"changed": len(found)})

    async def exhaust(request: web.Request) -> web.Response:
        body = await read_json(request)
        stand_in.ledger.exhaust(str(body["company"]), str(body["year"]), str(body["range"]))
        return answer({"exhausted": body["range"]})

    return [
        web.post("/documents/{company}/{year}/{number}/{deed}", document),
        web.post("/stock", stock),
        web.post("/revoke_tokens", revoke_tokens),
        web.post("/drop_sessions", drop_sessions),
        web.post("/exhaust", exhaust),
        web.post("/lose_sessions", lose_sessions),
        web.post("/withdraw", withdraw),
        web.post("/tamper", tamper),
    ]


def _documents(stand_in: S4Hana) -> list[dict[str, Any]]:
    entries = [
        {
            "reference": each.reference,
            "number": f"{unpadded(each.number)}/{each.company}/{each.year}",
            "kind": "journal_entry",
            "live": each.reverses is None and each.reversed_by is None,
            "total": sum((line.amount for line in each.lines if line.amount > 0), Decimal(0)),
            "currency": each.lines[0].currency,
        }
        for each in stand_in.ledger.documents.values()
    ]
    customers = [
        {"reference": reference, "number": row["BusinessPartner"], "kind": "customer", "live": True}
        for row in stand_in.partners.tables["A_BusinessPartner"].rows()
        if (reference := row["BusinessPartnerIDByExtSystem"])
    ]
    return [*customers, *entries]


def _entries(stand_in: S4Hana, query: Mapping[str, str]) -> list[JournalEntry]:
    reference, company = query.get("reference"), query.get("company")
    if reference is not None:
        found = list(stand_in.ledger.with_references([reference.upper()]))
    else:
        found = list(stand_in.ledger.documents.values())[int(query.get("after", "0")) :]
    found = [each for each in found if company is None or each.company == company]
    return found[: int(query["limit"])] if "limit" in query else found


def _partners(stand_in: S4Hana, query: Mapping[str, str]) -> list[dict[str, Any]]:
    tables = stand_in.partners.tables
    wanted = query.get("external_id")
    found: list[dict[str, Any]] = []
    for row in tables["A_BusinessPartner"].rows():
        if wanted is not None and row["BusinessPartnerIDByExtSystem"] != wanted.upper():
            continue
        number = row["BusinessPartner"]
        below = {
            name: [_row(stand_in, name, each) for each in tables[name].below(number)]
            for name in (
                "A_BusinessPartnerRole",
                "A_BusinessPartnerAddress",
                "A_CustomerCompany",
                "A_CustomerSalesArea",
            )
        }
        emails = [
            each["EmailAddress"]
            for address in tables["A_BusinessPartnerAddress"].below(number)
            for each in tables["A_AddressEmailAddress"].below(address["AddressID"])
        ]
        found.append({**_row(stand_in, "A_BusinessPartner", row), **below, "emails": emails})
    return found


def _row(stand_in: S4Hana, set_name: str, row: Row) -> dict[str, Any]:
    """What differs from initial, as the services show it."""
    entity = PARTNER_SERVICE.by_name[set_name].type
    return {
        name: shown(entity.by_name[name], value) if isinstance(value, str) else value
        for name, value in row.items()
        if value not in ("", None, False) and not name.endswith("Time")
    }


def _shift(entry: JournalEntry, amount: Decimal) -> None:
    """As no ERP allows; a test does: another amount between the customer, or the first line, and a G/L account."""
    first = next((line for line in entry.lines if line.kind == "D"), entry.lines[0])
    other = next(line for line in entry.lines if line.kind == "S" and line is not first)
    for line, moved in ((first, amount), (other, -amount)):
        line.amount += moved
        line.company_amount += moved


def _clear(entry: JournalEntry, document: str, day: date | None) -> None:
    for line in entry.lines:
        if line.kind == "D":
            line.cleared_by, line.cleared_on = document, day
