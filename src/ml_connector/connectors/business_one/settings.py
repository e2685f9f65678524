"""The settings of one Business One connection, read once and checked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, cast

from ml_connector.connectors.base import Settings, Timing
from ml_connector.connectors.given import day, group, timing
from ml_connector.connectors.http import Timeouts, TlsSettings
from ml_connector.domain.documents import Kind, Role
from ml_connector.domain.mapping import TaxGroup

Api = Literal["auto", "v1", "v2"]
TaxField = Literal["VatGroup", "TaxCode"]

GUARDED_T_S = 300.0
"""T where each document goes out in a change set with its claim: such answers take longer."""

DIMENSIONS: Mapping[str, str] = {
    "profit_center": "CostingCode",
    "cost_center": "CostingCode2",
    "segment": "CostingCode3",
}
FREIGHT_ROLES = (Role.SHIPPING_INCOME, Role.HANDLING_INCOME, Role.WRAPPING_INCOME, Role.FEE_INCOME)
_COSTING = re.compile(r"CostingCode[2-5]?")


@dataclass(frozen=True, slots=True)
class CustomerDefaults:
    """What a new business partner gets. `match`: how one is looked for that carries no ID of ours yet."""

    group: int | None = None
    currency: str = "##"
    price_list: int | None = None
    payment_terms: int | None = None
    match: Literal["email", "none"] = "email"


@dataclass(frozen=True, slots=True)
class B1Settings:
    """`freight`: expense code per role; a role without one becomes a line of `charge_item`. `currencies`: B1's code per
    ISO code where they differ. `claims`: a row of our user table goes with every document (the hard guard).
    `tax_groups`: the codes of several taxes on one part, joined by `+`, to the one code that stands for them here; they
    come with the mapping."""

    name: str
    base_url: str
    company: str
    user: str
    password: str = field(default="", repr=False)
    language: str = "3"
    api: Api = "auto"
    sessions: int = 2
    claims: bool = False
    tax_field: TaxField = "VatGroup"
    freight: Mapping[Role, int] = field(default_factory=dict[Role, int])
    charge_item: str = ""
    dimensions: Mapping[str, str] = field(default_factory=lambda: dict(DIMENSIONS))
    currencies: Mapping[str, str] = field(default_factory=dict[str, str])
    tax_groups: Mapping[str, str] = field(default_factory=dict[str, str])
    branch: int | None = None
    series: Mapping[Kind, int] = field(default_factory=dict[Kind, int])
    reserve_invoice: bool = False
    credit_base: bool = True
    restock: bool = False
    due_days: int = 0
    open_from: date | None = None
    open_to: date | None = None
    master_data_lifetime_s: float = 900.0
    customers: CustomerDefaults = CustomerDefaults()
    timing: Timing = Timing()
    timeouts: Timeouts = Timeouts()
    tls: TlsSettings = TlsSettings()
    proxy: str | None = None
    allow_private: bool = False
    sandbox: bool = False


def read_settings(settings: Settings) -> B1Settings:
    """Raises `ValueError` naming the setting that is wrong or missing."""
    given = settings.settings
    secret = settings.credentials
    company = _text(given, "company", "")
    if not company:
        raise ValueError("company is missing: the name of the company database, as the Service Layer knows it")
    user = secret.get("user") or _text(given, "user", "")
    if not user:
        raise ValueError("user is missing: the Business One user of the connection")
    claims = given.get("claims") is True
    horizon = timing(given, Timing(t_s=GUARDED_T_S) if claims else Timing(), sandbox=settings.sandbox)
    sessions = _integer(given, "sessions") or 2
    if not 1 <= sessions <= 20:
        raise ValueError(f"sessions is {sessions}; it must be 1 to 20, and no more than the licences allow")
    return B1Settings(
        name=settings.name,
        base_url=_base_url(settings.base_url),
        company=company,
        user=user,
        password=secret.get("password", ""),
        language=_text(given, "language", "3"),
        api=cast("Api", _choice(given, "api", ("auto", "v1", "v2"))),
        sessions=sessions,
        claims=claims,
        tax_field=cast("TaxField", _choice(given, "tax_field", ("VatGroup", "TaxCode"))),
        freight=_freight(given),
        charge_item=_text(given, "charge_item", ""),
        dimensions=_dimensions(given),
        currencies={str(iso): str(code) for iso, code in group(given, "currencies").items()},
        tax_groups=_tax_groups(given.get("tax_groups")),
        branch=_integer(given, "branch"),
        series=_series(given),
        reserve_invoice=given.get("reserve_invoice") is True,
        credit_base=given.get("credit_base") is not False,
        restock=given.get("restock") is True,
        due_days=_integer(given, "due_days") or 0,
        open_from=day(given, "open_from"),
        open_to=day(given, "open_to"),
        master_data_lifetime_s=float(_integer(given, "master_data_lifetime_s") or 900),
        customers=_customers(given),
        timing=horizon,
        timeouts=Timeouts(connect_s=min(10.0, horizon.t_s), read_s=min(120.0, horizon.t_s), write_s=horizon.t_s),
        tls=_tls(given, secret),
        proxy=_text(given, "proxy", "") or None,
        allow_private=given.get("allow_private") is True,
        sandbox=settings.sandbox,
    )


def _base_url(address: str) -> str:
    """Without the Service Layer's own prefix, which belongs to the version that is spoken."""
    return re.sub(r"/b1s(/v[12])?/?$", "", address.rstrip("/"))


def _text(given: Mapping[str, object], name: str, default: str) -> str:
    value = given.get(name)
    return default if value is None else str(value)


def _integer(given: Mapping[str, object], name: str) -> int | None:
    value = given.get(name)
    if value is None or value == "":
        return None
    try:
        return int(str(value))
    except ValueError as error:
        raise ValueError(f"{name} is {value!r}, not a whole number") from error


def _choice(given: Mapping[str, object], name: str, choices: tuple[str, ...]) -> str:
    value = _text(given, name, choices[0]) or choices[0]
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be {', '.join(choices[:-1])} or {choices[-1]}")
    return value


def _freight(given: Mapping[str, object]) -> Mapping[Role, int]:
    nested = group(given, "freight")
    known = {role.value for role in FREIGHT_ROLES}
    if unknown := sorted(set(nested) - known):
        raise ValueError(f"freight: {unknown[0]} is no freight; it takes {', '.join(sorted(known))}")
    codes = {Role(name): _integer(nested, name) for name in nested}
    if (shipping := _integer(given, "freight_code")) is not None:
        codes.setdefault(Role.SHIPPING_INCOME, shipping)
    return {role: code for role, code in codes.items() if code is not None}


def _tax_groups(value: object) -> Mapping[str, str]:
    groups = cast("Sequence[object]", value) if isinstance(value, Sequence) else ()
    return {"+".join(group.codes): group.code for group in groups if isinstance(group, TaxGroup)}


def _dimensions(given: Mapping[str, object]) -> Mapping[str, str]:
    fields = dict(DIMENSIONS) | {name: str(value or "") for name, value in group(given, "dimensions").items()}
    for name, value in fields.items():
        if name not in DIMENSIONS or (value and not _COSTING.fullmatch(value)):
            raise ValueError(f"dimensions: {name} is {value!r}; it must be CostingCode, CostingCode2 ... CostingCode5")
    return fields


def _series(given: Mapping[str, object]) -> Mapping[Kind, int]:
    nested = group(given, "series")
    try:
        return {Kind(name): int(str(value)) for name, value in nested.items()}
    except ValueError as error:
        raise ValueError(f"series: {error}; it takes a kind of document and the number of its series") from error


def _customers(given: Mapping[str, object]) -> CustomerDefaults:
    match = _choice(given, "customer_match", ("email", "none"))
    return CustomerDefaults(
        group=_integer(given, "customer_group"),
        currency=_text(given, "customer_currency", "##"),
        price_list=_integer(given, "customer_price_list"),
        payment_terms=_integer(given, "customer_payment_terms"),
        match=cast("Literal['email', 'none']", match),
    )


def _tls(given: Mapping[str, object], secret: Mapping[str, str]) -> TlsSettings:
    nested = group(given, "tls")
    return TlsSettings(
        ca_file=str(nested.get("ca_file") or given.get("ca_file") or ""),
        server_name=str(nested.get("server_name") or ""),
        client_certificate=secret.get("client_certificate", "") or str(nested.get("certificate_file") or ""),
        client_key=secret.get("client_key", "") or str(nested.get("key_file") or ""),
        client_key_password=secret.get("client_key_password", ""),
    )
