"""The checks of a journal entry, each a list of everything that is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Protocol

from ml_connector.sandbox.s4hana.master import Center, GLAccount, MasterData, decimals, padded, unpadded
from ml_connector.sandbox.s4hana.messages import Message, error
from ml_connector.sandbox.s4hana.settings import Settings
from ml_connector.sandbox.s4hana.soap import Element
from ml_connector.sandbox.s4hana.soap_tables import parts
from ml_connector.sandbox.s4hana.soap_values import Amount

LINES = ("Item", "DebtorItem", "CreditorItem", "ProductTaxItem")
MAX_LINES = 999
TaxKey = tuple[str, str, str]
"""Tax code, currency, tax item group or jurisdiction."""
TAX_TOLERANCE = Decimal("0.05")


class Customers(Protocol):
    """What posting needs to know of customers; numbers are padded."""

    def reconciliation_account(self, customer: str, company: str) -> str | None:
        """None where the customer is not in the company code."""
        ...

    def is_one_time(self, customer: str) -> bool: ...

    def is_blocked(self, customer: str) -> bool: ...


def check_header(entry: Element, master: MasterData, settings: Settings) -> list[Message]:
    """Required fields, company code, document type, open period."""
    problems = [error("F5/809", name) for name in missing_fields("Entry", entry)]
    if problems:
        return problems
    if entry["OriginalReferenceDocumentType"] != "BKPFF":
        problems.append(error("F5/809", "OriginalReferenceDocumentType BKPFF"))
    if not str(entry["CreatedByUser"]).strip():
        problems.append(error("F5/809", "CreatedByUser"))
    if entry["CompanyCode"] not in master.companies:
        problems.append(error("F5/165", entry["CompanyCode"]))
    if entry["AccountingDocumentType"] not in master.document_types:
        problems.append(error("F5/115", entry["AccountingDocumentType"]))
    day = entry["PostingDate"]
    if not settings.open_from <= day <= settings.open_to:
        problems.append(error("F5/201", f"{day.month:03}", day.year))
    return problems


def check_lines(entry: Element, master: MasterData, customers: Customers, settings: Settings) -> list[Message]:
    problems: list[Message] = []
    lines = list(all_lines(entry))
    if not lines:
        return [error("F5/727")]
    if len(lines) > MAX_LINES:
        problems.append(error("F5/727M"))
    for table, line in lines:
        missing = missing_fields(table, line)
        problems += [error("F5/809", name) for name in missing]
        if not missing:
            problems += _check_amount(line)
    for item in entry.get("Item", []):
        if "GLAccount" in item:
            problems += _check_account(entry, item, master)
    for item in entry.get("DebtorItem", []):
        if "Debtor" in item:
            problems += _check_customer(entry, item, customers, settings)
    for item in entry.get("CreditorItem", []):
        problems.append(error("F5/104", item.get("Creditor", ""), entry["CompanyCode"]))
    return problems


def check_tax(entry: Element, master: MasterData, settings: Settings) -> list[Message]:
    """Each tax code that lines carry has its tax items, whose bases are the sum of those lines.

    Lines that name a jurisdiction or a tax item group are summed by it; without one, all lines of a code belong
    together, however many jurisdiction levels tax them.
    """
    problems: list[Message] = []
    nets: dict[TaxKey, Decimal] = defaultdict(Decimal)
    for item in entry.get("Item", []):
        amount, tax = item.get("AmountInTransactionCurrency"), item.get("Tax", {})
        if amount and tax.get("TaxCode"):
            nets[tax["TaxCode"].upper(), amount.currency, _tax_group(tax)] += amount.value
    ungrouped = {key[:2] for key in nets if not key[2]}
    bases: dict[TaxKey, list[Amount]] = defaultdict(list)
    for item in entry.get("ProductTaxItem", []):
        if missing_fields("ProductTaxItem", item):
            continue
        code, currency = item["TaxCode"].upper(), item["AmountInTransactionCurrency"].currency
        group = "" if (code, currency) in ungrouped else _tax_group(item)
        bases[code, currency, group].append(item["TaxBaseAmountInTransCrcy"])
        problems += _check_tax_item(item, master, settings, checked=bool(entry.get("DoTaxAmountCheck")))
    codes = sorted({code for code, _, _ in nets})
    problems += [error("FF/753", code) for code in codes if not _tax_code_known(code, entry, master)]
    problems += [error("FF/805", key[0]) for key in nets if key not in bases]
    # jurisdictions tax the same lines several times: each of their items carries the whole base
    for key, amounts in bases.items():
        net = nets.get(key, Decimal(0))
        problems += [error("FF/806", key[0], base.value, net) for base in amounts if base.value != net]
    return problems


def _tax_group(tax: Element) -> str:
    return tax.get("TaxItemGroup") or tax.get("LowestLevelTaxJurisdiction") or tax.get("TaxJurisdiction") or ""


def check_balance(entry: Element) -> list[Message]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for _, line in all_lines(entry):
        if (amount := line.get("AmountInTransactionCurrency")) is not None:
            sums[amount.currency] += amount.value
    return [error("F5/702", total, currency) for currency, total in sums.items() if total]


def all_lines(entry: Element) -> Iterator[tuple[str, Element]]:
    for table in LINES:
        for line in entry.get(table, []):
            yield table, line


def missing_fields(table: str, element: Element) -> list[str]:
    return [part.name for part in parts(table) if part.required and part.name not in element]


def _check_amount(line: Element) -> list[Message]:
    amount: Amount = line["AmountInTransactionCurrency"]
    problems: list[Message] = []
    if not (amount.currency.isascii() and amount.currency.isalpha() and amount.currency.isupper()):
        return [error("F5/234", amount.currency)]
    exponent = amount.value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > decimals(amount.currency):
        problems.append(error("F5/286", amount.value, amount.currency))
    code = line.get("DebitCreditCode")
    if code is not None and (
        code not in ("S", "H") or (amount.value > 0 and code == "H") or (amount.value < 0 and code == "S")
    ):
        problems.append(error("F5/702S", code, amount.value))
    return problems


def _check_account(entry: Element, item: Element, master: MasterData) -> list[Message]:
    company = master.companies[entry["CompanyCode"]]
    number = item["GLAccount"]
    account = master.accounts.get((company.chart, padded(number)))
    if account is None:
        return [error("F5/507", unpadded(number), company.chart)]
    if account.companies and company.code not in account.companies:
        return [error("FH/004", unpadded(number), company.code)]
    if account.blocked:
        return [error("F5/506", unpadded(number), company.code)]
    if account.reconciliation:
        return [error("F5/354", unpadded(number))]
    return _check_assignment(entry, item, account, master)


def _check_assignment(entry: Element, item: Element, account: GLAccount, master: MasterData) -> list[Message]:
    assignment: Element = item.get("AccountAssignment", {})
    company, day = entry["CompanyCode"], entry["PostingDate"]
    profit_center, cost_center = assignment.get("ProfitCenter"), assignment.get("CostCenter")
    problems: list[Message] = []
    if profit_center:
        center = master.profit_centers.get(_center(profit_center, master.profit_centers))
        if center is None or not center.usable(company, day):
            problems.append(error("KM/026", profit_center, day))
    elif account.requires_profit_center:
        problems.append(error("F5/808", "Profit Center", unpadded(account.number)))
    if cost_center:
        center = master.cost_centers.get(_center(cost_center, master.cost_centers))
        if center is None or not center.usable(company, day):
            problems.append(error("KI/235", cost_center, day))
    elif account.requires_cost_center:
        problems.append(error("F5/808", "Cost Center", unpadded(account.number)))
    return problems


def _center(number: str, known: Mapping[str, Center]) -> str:
    return number.upper() if number.upper() in known else padded(number)


def _check_customer(entry: Element, item: Element, customers: Customers, settings: Settings) -> list[Message]:
    company, number = entry["CompanyCode"], padded(item["Debtor"])
    if customers.reconciliation_account(number, company) is None:
        return [error("F5/102", unpadded(number), company)]
    problems: list[Message] = []
    if customers.is_blocked(number):
        problems.append(error("F5/263", unpadded(number)))
    details = item.get("OneTimeCustomerDetails")
    if details is not None and not customers.is_one_time(number):
        problems.append(error("F5/146", unpadded(number)))
    if settings.require_one_time_details and details is None and customers.is_one_time(number):
        problems.append(error("F5/145", unpadded(number)))
    return problems


def _check_tax_item(item: Element, master: MasterData, settings: Settings, *, checked: bool) -> list[Message]:
    code: str = item["TaxCode"].upper()
    amount: Amount = item["AmountInTransactionCurrency"]
    base: Amount = item["TaxBaseAmountInTransCrcy"]
    known = master.tax_codes.get(code)
    problems: list[Message] = []
    if known is None:
        problems.append(error("FF/753", code))
    if settings.require_tax_classification and not (item.get("ConditionType") or item.get("TaxItemClassification")):
        problems.append(error("FF/807", code))
    if amount.value * base.value < 0:
        problems.append(error("FF/808", code))
    rate = known.rate if known is not None and checked else None
    if rate is not None and abs(amount.value - base.value * rate / 100) > TAX_TOLERANCE:
        problems.append(error("FF/747", code, amount.value))
    return problems


def _tax_code_known(code: str, entry: Element, master: MasterData) -> bool:
    known = master.tax_codes.get(code)
    return known is not None and (not known.companies or entry["CompanyCode"] in known.companies)
