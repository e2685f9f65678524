"""Master data of the ledger: what a document may be posted to. Numbers are kept padded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

OPEN_END = date(9999, 12, 31)
CONTROLLING_AREA = "A000"

THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
NO_DECIMALS = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)


def padded(number: str) -> str:
    """Account, customer and document numbers as the database holds them."""
    return number.zfill(10) if number.isdigit() else number.upper()


def unpadded(number: str) -> str:
    return number.lstrip("0") if number.isdigit() else number


def decimals(currency: str) -> int:
    """Of an ISO currency."""
    return 3 if currency in THREE_DECIMALS else 0 if currency in NO_DECIMALS else 2


def minor(value: Decimal, currency: str) -> Decimal:
    """Rounded to the currency's decimals."""
    return value.quantize(Decimal(1).scaleb(-decimals(currency)))


@dataclass
class CompanyCode:
    code: str
    name: str
    currency: str
    chart: str
    country: str
    city: str = ""


@dataclass
class GLAccount:
    """``companies`` empty: in every company code. ``reconciliation``: D or K for a subledger's control account."""

    number: str
    name: str
    chart: str = "YCOA"
    kind: Literal["X", "P", "N"] = "P"
    """Balance sheet (X), primary costs or revenue (P), non-operating (N)."""
    reconciliation: str = ""
    blocked: bool = False
    companies: frozenset[str] = frozenset()
    requires_profit_center: bool = False
    requires_cost_center: bool = False
    changed_s: float = 0


@dataclass
class TaxCode:
    """``rate`` in percent, None where any amount is taken."""

    code: str
    name: str = ""
    rate: Decimal | None = None
    companies: frozenset[str] = frozenset()


@dataclass
class Center:
    """A cost or profit center. ``companies`` empty: every company code."""

    number: str
    name: str = ""
    companies: frozenset[str] = frozenset()
    valid_from: date = date(2000, 1, 1)
    valid_to: date = OPEN_END
    blocked: bool = False
    profit_center: str = ""

    def usable(self, company: str, day: date) -> bool:
        in_company = not self.companies or company in self.companies
        return in_company and not self.blocked and self.valid_from <= day <= self.valid_to


NUMBER_RANGES: Mapping[str, str] = {
    "SA": "01",
    "AB": "01",
    "SB": "01",
    "DA": "16",
    "DG": "16",
    "DR": "18",
    "DZ": "14",
    "RV": "90",
    "ZP": "20",
}
"""Document type to number range; a range runs from NN00000000."""


@dataclass
class MasterData:
    companies: dict[str, CompanyCode] = field(default_factory=dict[str, CompanyCode])
    accounts: dict[tuple[str, str], GLAccount] = field(default_factory=dict[tuple[str, str], GLAccount])
    """By chart and number."""
    tax_codes: dict[str, TaxCode] = field(default_factory=dict[str, TaxCode])
    cost_centers: dict[str, Center] = field(default_factory=dict[str, Center])
    profit_centers: dict[str, Center] = field(default_factory=dict[str, Center])
    document_types: dict[str, str] = field(default_factory=lambda: dict(NUMBER_RANGES))


def default_master_data() -> MasterData:
    """Two company codes with one chart: enough for an example mapping of a store."""
    master = MasterData()
    for company in (
        CompanyCode("1710", "Company Code 1710", "USD", "YCOA", "US", "Palo Alto"),
        CompanyCode("1010", "Company Code 1010", "EUR", "YCOA", "DE", "Walldorf"),
    ):
        master.companies[company.code] = company
    for number, name, kind, control in DEFAULT_ACCOUNTS:
        account = GLAccount(padded(number), name, kind=kind, reconciliation=control)
        master.accounts[account.chart, account.number] = account
    for code, name, rate in DEFAULT_TAX_CODES:
        master.tax_codes[code] = TaxCode(code, name, None if rate is None else Decimal(rate))
    for number in ("YB110", "YB600", "PC-WEB"):
        master.profit_centers[number] = Center(number, f"Profit center {number}")
    for number, company in (("17101101", "1710"), ("10101101", "1010")):
        master.cost_centers[padded(number)] = Center(padded(number), "Web store", frozenset({company}))
    return master


DEFAULT_ACCOUNTS: tuple[tuple[str, str, Literal["X", "P", "N"], str], ...] = (
    ("11001000", "Bank main account", "X", ""),
    ("11310000", "Card clearing", "X", ""),
    ("11320000", "Wallet clearing", "X", ""),
    ("11330000", "Other clearing", "X", ""),
    ("12100000", "Trade receivables", "X", "D"),
    ("12120000", "Receivables one-time", "X", "D"),
    ("21100000", "Trade payables", "X", "K"),
    ("21710000", "Gift card liability", "X", ""),
    ("21720000", "Store credit liab.", "X", ""),
    ("21730000", "Customer deposits", "X", ""),
    ("22000000", "Output tax", "X", ""),
    ("41000000", "Revenue domestic", "P", ""),
    ("41100000", "Shipping income", "P", ""),
    ("41200000", "Handling income", "P", ""),
    ("41300000", "Gift wrap income", "P", ""),
    ("41400000", "Fee income", "P", ""),
    ("41500000", "Restocking fees", "P", ""),
    ("41600000", "Breakage income", "P", ""),
    ("44000000", "Promotion discounts", "P", ""),
    ("44100000", "Coupon discounts", "P", ""),
    ("44200000", "Manual discounts", "P", ""),
    ("44300000", "Refund adjustments", "P", ""),
    ("44400000", "Sales returns", "P", ""),
    ("46900000", "Rounding", "P", ""),
    ("65100000", "Payment fees", "P", ""),
    ("72010000", "Exchange differences", "N", ""),
)
DEFAULT_TAX_CODES: tuple[tuple[str, str, str | None], ...] = (
    ("O0", "Output tax 0 %", "0"),
    ("O1", "Output tax US", None),
    ("A0", "Output tax exempt", "0"),
    ("A1", "Output tax 19 %", "19"),
    ("A2", "Output tax 7 %", "7"),
    ("V0", "Zero rated", "0"),
)
