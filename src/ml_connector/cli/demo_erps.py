"""The ERPs of the demo: what each has to know before, and its books as an outsider reads them over HTTP."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ml_connector.cli.demo_books import get, post
from ml_connector.connectors.base import ROUNDING, StoredDocument, StoredLine
from ml_connector.domain.money import ZERO
from ml_connector.sandbox.process import Announced


@dataclass(frozen=True, slots=True)
class DemoErp:
    """`environment`: variable of the example's credentials -> the stand-in's credential. `settings`: of the connection,
    from what the stand-in announced. `seed`: what makes the ERP know what the mapping names."""

    system: str
    example: str
    environment: Mapping[str, str]
    settings: Callable[[Announced], Mapping[str, object]]
    seed: Callable[[Mapping[str, Any]], Mapping[str, object]]
    documents: Callable[[str], Awaitable[Sequence[StoredDocument]]]
    delete: Callable[[str, StoredDocument], Awaitable[None]]
    form: str = "short"
    is_sales: bool = False
    stock: "DemoStock | None" = None
    shipping: "DemoShipping | None" = None


@dataclass(frozen=True, slots=True)
class DemoStock:
    """Stock that flows back into the store. `available`: pieces per SKU, in stock less promised, in the warehouses of
    the mapping. `move`: somebody in the warehouse adds pieces, or takes them away."""

    available: Callable[[str, Mapping[str, int]], Awaitable[Mapping[str, Decimal]]]
    move: Callable[[str, str, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DemoShipping:
    """Goods that leave. `invoices`: our reference and the ERP's key of those whose goods are still there. `track`:
    somebody in the warehouse writes down a tracking number."""

    invoices: Callable[[str], Awaitable[Sequence[tuple[str, str]]]]
    track: Callable[[str, str, str], Awaitable[None]]


def _accounts(mapping: Mapping[str, Any]) -> dict[str, str]:
    """Every G/L account that the mapping names, with a name for it; the customers' control account left out."""
    named = {str(row["account"]): f"Revenue {' '.join(row['match'].values())}" for row in mapping["revenue_rules"]}
    named |= {str(row["account"]): "Sales tax payable" for row in mapping["taxes"]}
    named |= {str(row["account"]): f"Clearing {row['text']}" for row in mapping["payment_methods"]}
    roles = {role: str(number) for role, number in mapping["accounts"].items() if role != "receivable"}
    named |= {number: role.replace("_", " ").capitalize() for role, number in reversed(roles.items())}
    return dict(sorted(named.items()))


def _profit_centers(mapping: Mapping[str, Any]) -> set[str]:
    rules = [row.get("dimension", {}) for row in mapping["revenue_rules"]] + [mapping.get("default_dimension", {})]
    return {str(rule["profit_center"]) for rule in rules if rule.get("profit_center")}


# ------------------------------------------------------------------ SAP S/4HANA


def _s4hana_seed(mapping: Mapping[str, Any]) -> Mapping[str, object]:
    codes = {str(row["tax_code"]) for row in mapping["taxes"]} | {str(mapping["untaxed_code"])}
    codes |= {str(group["code"]) for group in mapping["tax_groups"]}
    return {
        "gl_accounts": [{"number": number, "name": name} for number, name in _accounts(mapping).items()],
        "tax_codes": sorted(codes),
        "profit_centers": sorted(_profit_centers(mapping)),
        "customers": [{"number": str(mapping["customers"]["one_time"]), "one_time": True}],
    }


async def _s4hana_documents(control_url: str) -> list[StoredDocument]:
    """Every journal entry."""
    page = await get(f"{control_url}/state/journal_entries")
    return [_entry(item) for item in page["items"]]


async def _s4hana_delete(control_url: str, document: StoredDocument) -> None:
    """A person deletes a document in the ERP behind our back."""
    number, company, year = document.number.split("/")
    await post(f"{control_url}/documents/{company}/{year}/{number}/delete", {})


def _entry(item: Any) -> StoredDocument:
    lines = item["lines"]
    return StoredDocument(
        reference=item["document_reference_id"],
        number=f"{item['accounting_document'].zfill(10)}/{item['company_code']}/{item['fiscal_year']}",
        currency=lines[0]["currency"] if lines else "",
        posting_date=date.fromisoformat(item["posting_date"]),
        document_date=date.fromisoformat(item["document_date"]),
        lines=tuple(
            StoredLine(
                account="" if line["kind"] == "tax" else line["account"],
                amount=Decimal(str(line["amount"])),
                tax_code=line.get("tax_code") or "",
                customer=line["customer"] if line["kind"] == "debtor" else "",
            )
            for line in lines
        ),
        reversed_by=item["reversed_by"] or "",
        reverses=item["reverses"] or "",
        created_by=item["created_by"],
    )


# ------------------------------------------------------------------ SAP Business One

_RATES = {"O950": "9.5"}  # of the tax groups, whose rate is the sum of their levels
_ISO = {"CAN": "CAD"}
_FREIGHT = {1: "shipping_income", 2: "handling_income", 3: "wrapping_income", 4: "fee_income"}


def _business_one_seed(mapping: Mapping[str, Any]) -> Mapping[str, object]:
    rates = {str(row["tax_code"]): str(row["rate"]) for row in mapping["taxes"]} | _RATES
    rates[str(mapping["untaxed_code"])] = "0"
    account = {"ActiveAccount": "tYES", "AcctCurrency": "##", "ValidFor": "tYES", "FrozenFor": "tNO"}
    return {
        "AdditionalExpenses": [
            {
                "ExpensCode": code,
                "Name": role.removesuffix("_income"),
                "RevenuesAccount": str(mapping["accounts"][role]),
                "TaxLiable": "tYES",
            }
            for code, role in _FREIGHT.items()
        ],
        "ChartOfAccounts": [
            {"Code": number, "FormatCode": number, "Name": name, **account}
            for number, name in _accounts(mapping).items()
        ],
        "VatGroups": [
            {
                "Code": code,
                "Name": code,
                "Category": "bovcOutputTax",
                "Inactive": "tNO",
                "VatGroups_Lines": [{"Effectivefrom": "2000-01-01", "Rate": rate}],
            }
            for code, rate in sorted(rates.items())
        ],
    }


async def _business_one_documents(control_url: str) -> list[StoredDocument]:
    """Invoices, credit memos and payments of both directions, as the entries that they make."""
    found: list[StoredDocument] = []
    expenses = (await get(f"{control_url}/state/AdditionalExpenses"))["items"]
    freight = {row["ExpensCode"]: row["RevenuesAccount"] for row in expenses}
    for name in ("Invoices", "CreditNotes"):
        page = await get(f"{control_url}/state/{name}")
        found += _cancelled([_marketing(name, item, freight) for item in page["items"]], page["items"])
    for name in ("IncomingPayments", "VendorPayments"):
        page = await get(f"{control_url}/state/{name}")
        found += [_payment(name, item) for item in page["items"]]
    return found


async def _business_one_delete(control_url: str, document: StoredDocument) -> None:
    name, key = document.number.split("/")
    await post(f"{control_url}/documents/{name}/{key}/delete", {})


async def _business_one_stock(control_url: str, warehouses: Mapping[str, int]) -> Mapping[str, Decimal]:
    found: dict[str, Decimal] = {}
    for row in (await get(f"{control_url}/state/stock"))["items"]:
        if row["WarehouseCode"] in warehouses:
            free = _amount(row, "InStock") - _amount(row, "Committed")
            found[row["ItemCode"]] = found.get(row["ItemCode"], ZERO) + free
    return found


async def _business_one_move(control_url: str, sku: str, pieces: int) -> None:
    await post(f"{control_url}/stock", {"ItemCode": sku, "WarehouseCode": "01", "by": pieces})


async def _business_one_invoices(control_url: str) -> list[tuple[str, str]]:
    rows = (await get(f"{control_url}/state/Invoices"))["items"]
    return [
        (row["U_MLC_REF"], str(row["DocEntry"]))
        for row in rows
        if row.get("U_MLC_REF") and row.get("CancelStatus") == "csNo" and not row.get("TrackingNumber")
    ]


async def _business_one_track(control_url: str, key: str, number: str) -> None:
    await post(f"{control_url}/documents/Invoices/{key}/edit", {"TrackingNumber": number, "TransportationCode": 1})


def _marketing(name: str, item: Any, freight: Mapping[int, str]) -> StoredDocument:
    foreign = bool(_amount(item, "DocTotalFc"))
    sign = -1 if name == "CreditNotes" else 1
    lines: list[StoredLine] = []
    tax: dict[str, Decimal] = {}
    for line in item["DocumentLines"]:
        lines.append(StoredLine(line["AccountCode"], -sign * _amount(line, "RowTotalFC" if foreign else "LineTotal")))
        _add(tax, line, _amount(line, "NetTaxAmountFC" if foreign else "NetTaxAmount"))
    for line in item.get("DocumentAdditionalExpenses") or ():
        lines.append(
            StoredLine(freight[line["ExpenseCode"]], -sign * _amount(line, "LineTotalFC" if foreign else "LineTotal"))
        )
        _add(tax, line, _amount(line, "TaxSumFC" if foreign else "TaxSum"))
    lines += [StoredLine("", -sign * amount, tax_code=code) for code, amount in tax.items()]
    rounding = _amount(item, "RoundingDiffAmountFC" if foreign else "RoundingDiffAmount")
    lines.append(StoredLine("", -sign * rounding, item=ROUNDING))
    total = _amount(item, "DocTotalFc" if foreign else "DocTotal")
    lines.append(StoredLine("", sign * total, customer=item["CardCode"]))
    return _document(name, item, (line for line in lines if line.amount))


def _payment(name: str, item: Any) -> StoredDocument:
    sign = -1 if name == "VendorPayments" else 1
    amount = sign * _amount(item, "TransferSum")
    lines = (StoredLine(item["TransferAccount"], amount), StoredLine("", -amount, customer=item["CardCode"]))
    document = _document(name, item, lines)
    is_cancelled = item.get("Cancelled") == "tYES"
    return _undone(document, f"{document.number}/cancelled") if is_cancelled else document


def _document(name: str, item: Any, lines: Iterable[StoredLine]) -> StoredDocument:
    return StoredDocument(
        reference=item.get("U_MLC_REF") or "",
        number=f"{name}/{item['DocEntry']}",
        currency=_ISO.get(str(item["DocCurrency"]), str(item["DocCurrency"])),
        posting_date=date.fromisoformat(str(item["DocDate"])[:10]),
        document_date=date.fromisoformat(str(item["TaxDate"])[:10]),
        lines=tuple(lines),
    )


def _cancelled(documents: Sequence[StoredDocument], items: Sequence[Any]) -> list[StoredDocument]:
    """A cancelled document and the one that cancels it both carry the reference: neither is live."""
    found: list[StoredDocument] = []
    for document, item in zip(documents, items, strict=True):
        status = item.get("CancelStatus")
        if status == "csYes":
            found.append(_undone(document, "a cancellation"))
        elif status == "csCancellation":
            found.append(_undone(document, document.number))
        else:
            found.append(document)
    return found


def _undone(document: StoredDocument, by: str) -> StoredDocument:
    return StoredDocument(
        document.reference, document.number, document.currency, document.posting_date, document.document_date,
        document.lines, reversed_by=by,
    )  # fmt: skip


def _amount(item: Any, name: str) -> Decimal:
    return Decimal(str(item.get(name) or 0))


def _add(sums: dict[str, Decimal], line: Any, amount: Decimal) -> None:
    code = line.get("VatGroup") or line.get("TaxCode") or ""
    sums[code] = sums.get(code, ZERO) + amount


ERPS = {
    erp.system: erp
    for erp in (
        DemoErp(
            system="s4hana",
            example="store-to-s4hana.yaml",
            environment={"S4_CLIENT_ID": "client_id", "S4_CLIENT_SECRET": "client_secret"},
            settings=lambda announced: {"token_url": announced.token_url},
            seed=_s4hana_seed,
            documents=_s4hana_documents,
            delete=_s4hana_delete,
        ),
        DemoErp(
            system="business_one",
            example="store-to-business-one.yaml",
            environment={"B1_USER": "user", "B1_PASSWORD": "password"},
            settings=lambda announced: {"company": announced.credentials["company_db"]},
            seed=_business_one_seed,
            documents=_business_one_documents,
            delete=_business_one_delete,
            form="long",
            is_sales=True,
            stock=DemoStock(_business_one_stock, _business_one_move),
            shipping=DemoShipping(_business_one_invoices, _business_one_track),
        ),
    )
}
