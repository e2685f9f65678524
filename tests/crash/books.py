"""Both sides as an outsider counts them: the sandbox's own state, read over HTTP, never our tables."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Map
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from ml_connector.connectors.base import Settings, StoredDocument, StoredLine
from ml_connector.connectors.bigcommerce.wire import snapshot_from
from ml_connector.connectors.s4hana.settings import S4Settings, read_settings
from ml_connector.connectors.s4hana.stored import differences
from ml_connector.domain.documents import Document, Documents, Kind
from ml_connector.domain.mapping import Mapping
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.planning.facts import Facts
from ml_connector.planning.plan import plan_order
from ml_connector.reconcile.tie_out import tie_out

PAGE = 500
"""Rows of a state in one answer: a large store is read in pieces."""


def call(url: str, body: object | None = None) -> Any:
    """A JSON answer of a control API, fractions as `Decimal`; with `body` a POST."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null", parse_float=Decimal)


def orders_in(store: str) -> list[OrderSnapshot]:
    """Every order of the store behind this control address."""
    found: list[OrderSnapshot] = []
    while True:
        page = call(f"{store}/state/orders?limit={PAGE}&after={found[-1].order.id if found else 0}")["items"]
        found += [snapshot_from(item) for item in page]
        if len(page) < PAGE:
            return found


def documents_in(erp: str) -> list[StoredDocument]:
    """Every journal entry of the ERP behind this control address, reversals included."""
    found: list[StoredDocument] = []
    while True:
        page = call(f"{erp}/state/journal_entries?limit={PAGE}&after={len(found)}")["items"]
        found += [_document(item) for item in page]
        if len(page) < PAGE:
            return found


def partners_in(erp: str) -> dict[str, list[str]]:
    """External ID -> numbers of the business partners that carry it."""
    found: dict[str, list[str]] = {}
    for item in call(f"{erp}/state/business_partners")["items"]:
        if name := item.get("BusinessPartnerIDByExtSystem"):
            found.setdefault(name, []).append(item["BusinessPartner"])
    return found


def posts_in(erp: str) -> list[dict[str, Any]]:
    """Every request that could have made a document: journal entries and business partners.

    One that was answered 401 or 403 was not executed (no session yet), and may come again.
    """
    found: list[dict[str, Any]] = call(f"{erp}/state/requests?method=POST")["items"]
    writes = [each for each in found if "journalentrycreate" in each["path"] or "/A_BusinessPartner" in each["path"]]
    return [each for each in writes if each["status"] not in (401, 403)]


def complaints(
    store: str, erp: str, *, mapping: Mapping, policy: Policy, settings: Settings, older: Sequence[Mapping] = ()
) -> list[str]:
    """What is wrong between both sides, in words. Empty: one document per reference, to the cent, nothing missing.

    `older`: mappings that were in force before; what was posted under them stands.
    """
    sides = orders_in(store), documents_in(erp), partners_in(erp)
    return found_wrong(*sides, mapping=mapping, policy=policy, settings=settings, older=older)


def found_wrong(
    snapshots: Sequence[OrderSnapshot],
    documents: Sequence[StoredDocument],
    partners: Map[str, Sequence[str]],
    *,
    mapping: Mapping,
    policy: Policy,
    settings: Settings,
    older: Sequence[Mapping] = (),
) -> list[str]:
    """The same of what was read already."""
    found = [f"{count} documents under {name}" for name, count in _references(documents).items() if count > 1]
    found += [f"{len(numbers)} partners under {name}" for name, numbers in partners.items() if len(numbers) > 1]
    result = tie_out(snapshots, documents, policy=policy, tables=mapping, held={})
    found += [difference.text for difference in result.found]
    found += [f"{currency} differs by {amount}" for currency, amount in result.differences.items() if amount]
    live = {d.reference: d for d in documents if not d.reversed_by and not d.reverses}
    erp = read_settings(settings)
    accounts = {name.split("-C")[-1]: numbers[0] for name, numbers in partners.items()}
    for snapshot in snapshots:
        plans = [
            {document.reference: document for document in plan.documents}
            for tables in (mapping, *older)
            if isinstance(plan := plan_order(snapshot, tables, policy, Facts(customer_accounts=accounts)), Documents)
        ]
        for reference in dict.fromkeys(reference for plan in plans for reference in plan):
            found += _inexact([plan[reference] for plan in plans if reference in plan], live, erp)
    return found


def _references(documents: Iterable[StoredDocument]) -> Counter[str]:
    return Counter(document.reference for document in documents)


def _inexact(wanted: Sequence[Document], live: Map[str, StoredDocument], erp: S4Settings) -> list[str]:
    """Where the live generation of a document is not, line by line, what a plan from nothing says.

    `wanted`: the one document as each mapping asks for it, the present one first; it must be one of them in full.
    """
    reference = wanted[0].reference
    if wanted[0].kind is Kind.CUSTOMER:
        return []
    under = [reference, *(f"{reference}-{generation}" for generation in range(2, 10))]
    stored = [live[name] for name in under if name in live]
    if len(stored) != 1:
        return [f"{len(stored)} live documents for {reference}"]
    wrong = [differences(document, stored[0], erp) for document in wanted]
    return [] if not all(wrong) else [f"{stored[0].reference}: {words}" for words in wrong[0]]


def _document(item: Any) -> StoredDocument:
    lines = item["lines"]
    document = StoredDocument(
        reference=item["document_reference_id"],
        number=f"{item['accounting_document'].zfill(10)}/{item['company_code']}/{item['fiscal_year']}",
        currency=lines[0]["currency"],
        posting_date=date.fromisoformat(item["posting_date"]),
        document_date=date.fromisoformat(item["document_date"]),
        lines=(),
        reversed_by=item["reversed_by"] or "",
        reverses=item["reverses"] or "",
        created_by=item["created_by"],
    )
    return replace(document, lines=tuple(_line(line) for line in lines))


def _line(line: Any) -> StoredLine:
    is_debtor = line["kind"] == "debtor"
    return StoredLine(
        account="" if line["kind"] == "tax" else line["account"].zfill(10),
        amount=Decimal(str(line["amount"])),
        tax_code=line.get("tax_code") or "",
        customer=line["customer"].zfill(10) if is_debtor else "",
    )
