"""What the system computes of a document: prices, tax, freight, discount, rounding, totals.

Amounts are computed in the document's currency and rounded to its decimals; those in local currency follow by the rate.
Prices keep six decimals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.business_one.company import Company, number, rounded
from ml_connector.sandbox.business_one.errors import B1Error, missing_reference, refused
from ml_connector.sandbox.business_one.fields import Row

HUNDRED = Decimal(100)
PRICE_FIELDS = ("UnitPrice", "Price", "PriceAfterVAT", "GrossPrice", "LineTotal", "RowTotalFC")


@dataclass(frozen=True)
class Terms:
    """What holds for the whole document."""

    card: Row
    currency: str
    rate: Decimal
    day: date
    foreign: bool


def tax_rate(company: Company, code: str | None, day: date) -> Decimal:
    """Percent. Raises ``B1Error`` for a code that does not exist or is inactive."""
    if not code:
        return Decimal(0)
    if company.settings.localisation == "sales_tax":
        row = company.table("SalesTaxCodes").get(code)
        if row is None or row.get("ValidForAR") == "tNO" or row.get("Inactive") == "tYES":
            raise missing_reference()
        return number(row, "Rate")
    row = company.table("VatGroups").get(code)
    if row is None or row.get("Inactive") == "tYES":
        raise missing_reference()
    rates = [each for each in row.get("VatGroups_Lines") or () if (each.get("Effectivefrom") or date.min) <= day]
    return number(max(rates, key=lambda each: each.get("Effectivefrom") or date.min), "Rate") if rates else Decimal(0)


def tax_code(company: Company, row: Row, fallback: str | None) -> str | None:
    """The code that counts in this localisation; the other field is taken where only that was sent."""
    first, second = ("TaxCode", "VatGroup") if company.settings.localisation == "sales_tax" else ("VatGroup", "TaxCode")
    return row.get(first) or row.get(second) or fallback


def _coded(company: Company, code: str | None) -> Row:
    by_tax = company.settings.localisation == "sales_tax"
    return {"TaxCode": code if by_tax else None, "VatGroup": None if by_tax else code, "_code": code}


def price_line(company: Company, terms: Terms, line: Row, item: Row | None) -> Row:
    """The line with prices, tax and totals."""
    accuracy = company.settings.price_accuracy
    quantity = Decimal(1) if line.get("Quantity") is None else line["Quantity"]
    fallback = (item or {}).get("SalesVATGroup") or terms.card.get("VatGroup") or company.settings.default_tax_code
    code = tax_code(company, line, fallback)
    rate = tax_rate(company, code, terms.day)
    taxed = 1 + rate / HUNDRED
    discount = line.get("DiscountPercent")
    given = next((name for name in PRICE_FIELDS if line.get(name) is not None), None)
    if given is None and item is not None:
        line, discount = _listed(company, terms, line, item, discount)
        given = next((name for name in PRICE_FIELDS if line.get(name) is not None), None)
    elif discount is None and item is not None:
        discount = _special(company, terms, item).get("DiscountPercent")
    discount = rounded(Decimal(discount or 0), company.settings.percentage_accuracy)
    factor = 1 - discount / HUNDRED
    amount = number(line, given) if given else Decimal(0)
    total: Decimal | None = None
    if given == "UnitPrice":
        before = amount
    elif given == "Price":
        before = amount / factor if factor else amount
    elif given == "PriceAfterVAT":
        before = amount / taxed / factor if factor else amount / taxed
    elif given == "GrossPrice":
        before = amount / taxed
    else:
        in_currency = amount / terms.rate if given == "LineTotal" and terms.foreign else amount
        total = company.round_total(in_currency, terms.currency)
        price = total / quantity if quantity else total
        before = price / factor if factor else price
    before = rounded(before, accuracy)
    price = rounded(before * factor, accuracy)
    if total is None:
        total = company.round_total(price * quantity, terms.currency)
    return {
        **line,
        "Quantity": quantity,
        "UnitPrice": before,
        "DiscountPercent": discount,
        "Price": price,
        "GrossPrice": rounded(before * taxed, accuracy),
        "PriceAfterVAT": rounded(price * taxed, accuracy),
        "Currency": terms.currency,
        "Rate": terms.rate if terms.foreign else Decimal(0),
        **_coded(company, code),
        "TaxPercentagePerRow": rate,
        "_total": total,
    }


def _listed(
    company: Company, terms: Terms, line: Row, item: Row, discount: Decimal | None
) -> tuple[Row, Decimal | None]:
    """Priced by the system itself: special price, else the partner's price list."""
    special = _special(company, terms, item)
    if special.get("Price") is not None:
        return {**line, "Price": special["Price"]}, special.get("DiscountPercent") if discount is None else discount
    wanted = terms.card.get("PriceListNum") or 1
    for each in item.get("ItemPrices") or ():
        if each.get("PriceList") == wanted and each.get("Price") is not None:
            listed = company.table("PriceLists").get(wanted) or {}
            name = "PriceAfterVAT" if listed.get("IsGrossPrice") == "tYES" else "UnitPrice"
            return {**line, name: each["Price"]}, discount
    return line, discount


def _special(company: Company, terms: Terms, item: Row) -> Row:
    return company.table("SpecialPrices").get(terms.card["CardCode"], item["ItemCode"]) or {}


def price_expense(company: Company, terms: Terms, expense: Row) -> Row:
    """One freight row. Raises ``B1Error`` for a code that is not set up."""
    kind = company.table("AdditionalExpenses").get(expense.get("ExpenseCode"))
    if kind is None:
        raise missing_reference()
    code = tax_code(company, expense, kind.get("OutputVATGroup") or company.settings.default_tax_code)
    rate = tax_rate(company, code, terms.day)
    if expense.get("LineTotal") is not None:
        net = company.round_total(expense["LineTotal"], terms.currency)
    else:
        net = company.round_total(number(expense, "LineGross") / (1 + rate / HUNDRED), terms.currency)
    return {**expense, **_coded(company, code), "TaxPercent": rate, "_total": net}


def total_up(
    company: Company, terms: Terms, header: Row, lines: list[Row], expenses: list[Row], drawn: Decimal
) -> tuple[Row, list[Row], list[Row]]:
    """Header, lines and freight with all sums. ``drawn`` is the gross of down payments, in document currency."""
    currency, factor_total = terms.currency, header.get("DocTotalFc" if terms.foreign else "DocTotal")
    percent = rounded(number(header, "DiscountPercent"), company.settings.percentage_accuracy)
    sums = _sums(company, currency, percent, lines, expenses)
    rounding = number(header, "RoundingDiffAmount") if header.get("Rounding") == "tYES" else Decimal(0)
    if factor_total is not None and header.get("DiscountPercent") is None and header.get("Rounding") != "tYES":
        percent = _percent_for(company, factor_total + drawn, sums)
        sums = _sums(company, currency, percent, lines, expenses)
    total = company.round_total(sums.net - sums.discount + sums.freight + sums.tax + rounding, currency) - drawn
    if total < 0:
        raise refused("The total of a document must be zero or greater than zero")
    local = _Local(company, terms)
    priced = [_line_sums(local, line, tax) for line, tax in zip(lines, sums.line_taxes, strict=True)]
    freight = [_expense_sums(local, each, tax) for each, tax in zip(expenses, sums.expense_taxes, strict=True)]
    header = {
        **{name: value for name, value in header.items() if name not in ("DocTotal", "DocTotalFc")},
        "DiscountPercent": percent,
        "RoundingDiffAmount": rounding,
        **local.both("DocTotal", "DocTotalFc", total),
        **local.both("VatSum", "VatSumFc", sums.tax),
        **local.both("TotalDiscount", "TotalDiscountFC", sums.discount),
    }
    header["DocTotalSys"], header["VatSumSys"] = header["DocTotal"], header["VatSum"]
    return header, priced, freight


@dataclass(frozen=True)
class _Sums:
    net: Decimal
    discount: Decimal
    freight: Decimal
    tax: Decimal
    line_taxes: list[Decimal]
    expense_taxes: list[Decimal]


def _sums(company: Company, currency: str, percent: Decimal, lines: list[Row], expenses: list[Row]) -> _Sums:
    def cut(value: Decimal) -> Decimal:
        return company.round_total(value, currency)

    factor = 1 - percent / HUNDRED
    net = sum((line["_total"] for line in lines), Decimal(0))
    line_taxes = [cut(line["_total"] * factor * line["TaxPercentagePerRow"] / HUNDRED) for line in lines]
    expense_taxes = [cut(each["_total"] * each["TaxPercent"] / HUNDRED) for each in expenses]
    tax = sum(line_taxes, Decimal(0)) + sum(expense_taxes, Decimal(0))
    if company.settings.tax_rounding == "document":
        bases: defaultdict[tuple[Any, Decimal], Decimal] = defaultdict(Decimal)
        for line in lines:
            bases[line["_code"], line["TaxPercentagePerRow"]] += line["_total"] * factor
        for each in expenses:
            bases[each["_code"], each["TaxPercent"]] += each["_total"]
        tax = sum((cut(base * rate / HUNDRED) for (_, rate), base in bases.items()), Decimal(0))
    freight = sum((each["_total"] for each in expenses), Decimal(0))
    return _Sums(net, cut(net * percent / HUNDRED), freight, tax, line_taxes, expense_taxes)


def _percent_for(company: Company, wanted: Decimal, sums: _Sums) -> Decimal:
    """The header discount that comes nearest to the wanted total: a percentage, so it need not hit it."""
    line_tax = sum(sums.line_taxes, Decimal(0))
    gross = sums.net + line_tax
    over = sums.net + sums.freight + sums.tax - wanted
    return rounded(over / gross * HUNDRED, company.settings.percentage_accuracy) if gross else Decimal(0)


@dataclass(frozen=True)
class _Local:
    company: Company
    terms: Terms

    def amount(self, value: Decimal) -> Decimal:
        company = self.company
        if not self.terms.foreign:
            return value
        return company.round_total(value * self.terms.rate, company.settings.local_currency)

    def both(self, local: str, foreign: str, value: Decimal) -> Mapping[str, Decimal]:
        return {local: self.amount(value), foreign: value if self.terms.foreign else Decimal(0)}


def _line_sums(local: _Local, line: Row, tax: Decimal) -> Row:
    total = line["_total"]
    return {
        **{name: value for name, value in line.items() if name not in ("_total", "_code")},
        **local.both("LineTotal", "RowTotalFC", total),
        **local.both("NetTaxAmount", "NetTaxAmountFC", tax),
        **local.both("GrossTotal", "GrossTotalFC", total + tax),
        **local.both("OpenAmount", "OpenAmountFC", total),
        "TaxTotal": local.amount(tax),
        "RowTotalSC": local.amount(total),
    }


def _expense_sums(local: _Local, expense: Row, tax: Decimal) -> Row:
    total = expense["_total"]
    return {
        **{name: value for name, value in expense.items() if name not in ("_total", "_code")},
        **local.both("LineTotal", "LineTotalFC", total),
        **local.both("TaxSum", "TaxSumFC", tax),
        **local.both("LineGross", "LineGrossFC", total + tax),
        "LineTotalSys": local.amount(total),
        "TaxSumSys": local.amount(tax),
        "LineGrossSys": local.amount(total + tax),
        "Status": "bost_Open",
    }


def terms_of(company: Company, card: Row, header: Row, *, rate_missing: bool = False) -> Terms:
    """Currency and rate. Raises ``B1Error`` when the rate of the day is missing or the partner has another currency."""
    local = company.settings.local_currency
    own = card.get("Currency") or local
    currency = header.get("DocCurrency") or (local if own == "##" else own)
    if company.table("Currencies").get(currency) is None:
        raise missing_reference()
    if own not in ("##", currency):
        raise B1Error(400, -10, f"Document currency '{currency}' differs from the currency of business partner '{own}'")
    foreign = currency != local
    rate = header.get("DocRate") or None
    if foreign and (rate is None or rate == 1):
        rate = None if rate_missing else company.rate(currency, header["DocDate"])
        if rate is None:
            raise B1Error(400, -10, f"Update the exchange rate, '{currency}', {header['DocDate'].isoformat()}")
    rate = rounded(rate, company.settings.rate_accuracy) if foreign and rate is not None else Decimal(1)
    return Terms(card, currency, rate, header["DocDate"], foreign)
