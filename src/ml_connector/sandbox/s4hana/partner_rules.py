"""What a business partner must be like; each check names everything that is wrong.

Message numbers are those to expect, not recorded ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ml_connector.sandbox.s4hana.master import MasterData, padded, unpadded
from ml_connector.sandbox.s4hana.odata.errors import Detail
from ml_connector.sandbox.s4hana.odata.fields import Row
from ml_connector.sandbox.s4hana.settings import Settings

CUSTOMER_ROLE, SALES_ROLE = "FLCU00", "FLCU01"
ROLES = frozenset({CUSTOMER_ROLE, SALES_ROLE, "BUP001", "BUP002", "000000"})
GROUPINGS: Mapping[str, bool] = {"BP01": True, "BP02": False, "BP03": False, "BPEE": True}
"""Grouping to whether its numbers come from outside."""
NAME_OF_CATEGORY: Mapping[str, str] = {
    "1": "LastName",
    "2": "OrganizationBPName1",
    "3": "GroupBusinessPartnerName1",
}
POSTAL_CODES: Mapping[str, str] = {
    "US": r"\d{5}(-\d{4})?",
    "DE": r"\d{5}",
    "FR": r"\d{5}",
    "IT": r"\d{5}",
    "ES": r"\d{5}",
    "AT": r"\d{4}",
    "CH": r"\d{4}",
    "AU": r"\d{4}",
    "NL": r"\d{4} [A-Z]{2}",
    "CA": r"[A-Z]\d[A-Z] \d[A-Z]\d",
    "JP": r"\d{3}-\d{4}",
}
TAX_NUMBERS: Mapping[str, str] = {
    "US1": r"\d{9}",
    "US01": r"\d{9}",
    "DE0": r"DE\d{9}",
    "DE1": r"\d{10,13}",
    "GB0": r"GB\d{9}(\d{3})?",
    "FR0": r"FR[0-9A-Z]{2}\d{9}",
    "IT0": r"IT\d{11}",
    "NL0": r"NL\d{9}B\d{2}",
    "CA1": r"\d{9}",
    "AU1": r"\d{11}",
}
COUNTRY = re.compile(r"[A-Z]{2}")


def check_partner(row: Row) -> list[Detail]:
    category, grouping = row["BusinessPartnerCategory"], row["BusinessPartnerGrouping"]
    if category not in NAME_OF_CATEGORY:
        return [Detail("R11/124", f"Business partner category {category or 'blank'} does not exist")]
    problems: list[Detail] = []
    name = NAME_OF_CATEGORY[category]
    if not row[name]:
        problems.append(Detail("R11/401", f"Enter a value for field {name}", name))
    if grouping not in GROUPINGS:
        problems.append(Detail("R11/051", f"Grouping {grouping or 'blank'} does not exist"))
    elif GROUPINGS[grouping] and not row["BusinessPartner"]:
        problems.append(Detail("R11/006", f"Enter a business partner number for grouping {grouping}"))
    elif not GROUPINGS[grouping] and row["BusinessPartner"]:
        problems.append(Detail("R11/007", f"Numbers of grouping {grouping} are assigned internally"))
    return problems


def check_address(row: Row, settings: Settings) -> list[Detail]:
    country, postal_code = row["Country"], row["PostalCode"]
    if not COUNTRY.fullmatch(country):
        return [Detail("AM/010", f"Country {country or 'blank'} does not exist", "Country")]
    problems: list[Detail] = []
    pattern = POSTAL_CODES.get(country)
    if pattern is not None and not re.fullmatch(pattern, postal_code):
        problems.append(
            Detail("AM/161", f"Postal code {postal_code or 'blank'} is not valid in {country}", "PostalCode")
        )
    if settings.require_address_language and not row["Language"]:
        problems.append(Detail("R11/402", "Enter a language for the address", "Language"))
    return problems


def check_role(row: Row) -> list[Detail]:
    role = row["BusinessPartnerRole"]
    return [] if role in ROLES else [Detail("R11/640", f"Business partner role {role or 'blank'} does not exist")]


def check_tax_number(row: Row) -> list[Detail]:
    kind, number = row["BPTaxType"], row["BPTaxNumber"]
    pattern = TAX_NUMBERS.get(kind)
    if pattern is None:
        return [Detail("FI_TAX/001", f"Tax number category {kind} does not exist", "BPTaxType")]
    if not re.fullmatch(pattern, number):
        return [Detail("BF00/100", f"Tax number {number or 'blank'} is not valid for category {kind}", "BPTaxNumber")]
    return []


def check_customer_company(row: Row, master: MasterData) -> list[Detail]:
    company = master.companies.get(row["CompanyCode"])
    if company is None:
        return [Detail("F2/044", f"Company code {row['CompanyCode'] or 'blank'} does not exist", "CompanyCode")]
    number = row["ReconciliationAccount"]
    account = master.accounts.get((company.chart, padded(number)))
    if account is None or account.reconciliation != "D":
        text = f"Account {unpadded(number) or 'blank'} is no reconciliation account for customers"
        return [Detail("F2/140", text, "ReconciliationAccount")]
    return []


def check_email(row: Row) -> list[Detail]:
    address = row["EmailAddress"]
    return [] if re.fullmatch(r"[^@\s]+@[^@\s]+", address) else [Detail("AM/466", f"{address} is no e-mail address")]
