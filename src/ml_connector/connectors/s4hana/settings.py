"""The settings of one S/4HANA connection, read once and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, cast

from ml_connector.connectors.base import Settings, Timing
from ml_connector.connectors.given import day, group, timing
from ml_connector.connectors.http import Timeouts, TlsSettings
from ml_connector.domain.documents import Kind
from ml_connector.domain.mapping import TaxGroup

Auth = Literal["oauth", "basic", "certificate"]

DOCUMENT_TYPES: Mapping[Kind, str] = {
    Kind.ORDER: "DR",
    Kind.PAYMENT: "DZ",
    Kind.DEPOSIT_APPLICATION: "SA",
    Kind.REFUND: "DG",
    Kind.REFUND_PAYMENT: "DZ",
    Kind.ADJUSTMENT: "SA",
}
TOKEN_PATH = "/sap/bc/sec/oauth2/token"  # noqa: S105 - a path
JOURNAL_PATH = "/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi"
ODATA_ROOT = "/sap/opu/odata/sap"


@dataclass(frozen=True, slots=True)
class CustomerDefaults:
    """What a new business partner needs beyond its name and address; empty fields are not sent."""

    grouping: str = "BP02"
    reconciliation_account: str = ""
    payment_terms: str = ""
    sales_organization: str = ""
    distribution_channel: str = "10"
    division: str = "00"
    currency: str = ""
    language: str = "EN"
    tax_number_type: str = ""


@dataclass(frozen=True, slots=True)
class S4Settings:
    """`document_types`: accounting document type per kind. `open_from`/`open_to`: open posting period, if it is to be
    checked before sending. `tax_groups`: several tax codes of one part as one SAP code with jurisdiction levels."""

    name: str
    base_url: str
    company_code: str
    created_by_user: str
    auth: Auth = "oauth"
    token_url: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    sap_client: str = ""
    document_types: Mapping[Kind, str] = field(default_factory=lambda: dict(DOCUMENT_TYPES))
    reversal_reason: str = "01"
    tax_classification: str = "MWS"
    tax_condition_type: str = ""
    tax_groups: Sequence[TaxGroup] = ()
    open_from: date | None = None
    open_to: date | None = None
    batch_size: int = 20
    journal_path: str = JOURNAL_PATH
    journal_version: str = "2024"
    odata_root: str = ODATA_ROOT
    master_data_lifetime_s: float = 900.0
    customers: CustomerDefaults = CustomerDefaults()
    timing: Timing = Timing()
    timeouts: Timeouts = Timeouts()
    tls: TlsSettings = TlsSettings()
    proxy: str | None = None
    allow_private: bool = False
    sandbox: bool = False
    discontinued_statuses: frozenset[str] = frozenset()

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(secret for secret in (self.password, self.client_secret, self.tls.client_key_password) if secret)


def read_settings(settings: Settings) -> S4Settings:
    """Raises `ValueError` naming the setting that is wrong or missing."""
    given = settings.settings
    secret = settings.credentials
    auth = str(given.get("auth") or "oauth")
    if auth not in ("oauth", "basic", "certificate"):
        raise ValueError(f"auth is {auth!r}; it must be oauth, basic or certificate")
    base_url = settings.base_url.rstrip("/")
    user = secret.get("user") or str(given.get("user") or "")
    created_by = str(given.get("created_by_user") or user or secret.get("client_id", ""))[:64]
    if not 1 <= len(created_by) <= 12:
        raise ValueError(f"created_by_user is {created_by!r}; SAP wants 1 to 12 characters")
    company_code = str(given.get("company_code") or "")
    if not 1 <= len(company_code) <= 4:
        raise ValueError(f"company_code is {company_code!r}; SAP wants up to 4 characters")
    horizon = timing(given, Timing(), sandbox=settings.sandbox)
    return S4Settings(
        name=settings.name,
        base_url=base_url,
        company_code=company_code,
        created_by_user=created_by,
        auth=auth,
        token_url=str(given.get("token_url") or f"{base_url}{TOKEN_PATH}"),
        user=user,
        password=secret.get("password", ""),
        client_id=secret.get("client_id") or user,
        client_secret=secret.get("client_secret") or secret.get("password", ""),
        sap_client=str(given.get("sap_client") or ""),
        document_types=_document_types(given),
        reversal_reason=str(given.get("reversal_reason") or "01"),
        tax_classification=_text(given, "tax_classification", "MWS"),
        tax_condition_type=_text(given, "tax_condition_type", ""),
        tax_groups=_tax_groups(given.get("tax_groups")),
        open_from=day(given, "open_from"),
        open_to=day(given, "open_to"),
        batch_size=max(1, int(str(given.get("batch_size") or 20))),
        journal_path=_text(given, "journal_path", JOURNAL_PATH),
        journal_version=_journal_version(given),
        odata_root=_text(given, "odata_root", ODATA_ROOT).rstrip("/"),
        master_data_lifetime_s=float(str(given.get("master_data_lifetime_s") or 900)),
        customers=_customers(given),
        timing=horizon,
        timeouts=Timeouts(connect_s=min(10.0, horizon.t_s), read_s=min(120.0, horizon.t_s), write_s=horizon.t_s),
        tls=_tls(given, secret),
        proxy=str(given.get("proxy") or "") or None,
        allow_private=given.get("allow_private") is True,
        sandbox=settings.sandbox,
        discontinued_statuses=frozenset(
            filter(None, _text(given, "discontinued_statuses", "").replace(",", " ").split())
        ),
    )


def _journal_version(given: Mapping[str, object]) -> str:
    version = _text(given, "journal_version", "2024")
    if version not in ("2020", "2024"):
        raise ValueError(f"journal_version is {version!r}; it must be 2024, or 2020 for old private systems")
    return version


def _text(given: Mapping[str, object], name: str, default: str) -> str:
    value = given.get(name)
    return default if value is None else str(value)


def _document_types(given: Mapping[str, object]) -> Mapping[Kind, str]:
    nested = group(given, "document_types")
    types = dict(DOCUMENT_TYPES)
    for kind in DOCUMENT_TYPES:
        if value := nested.get(kind.value) or given.get(f"document_type_{kind.value}"):
            types[kind] = str(value)
    return types


def _customers(given: Mapping[str, object]) -> CustomerDefaults:
    nested = group(given, "customer_defaults")
    names = CustomerDefaults.__dataclass_fields__
    flat = {name: given[f"customer_{name}"] for name in names if f"customer_{name}" in given}
    values = {name: str(value) for name, value in (flat | dict(nested)).items() if name in names and value is not None}
    return CustomerDefaults(**values)


def _tax_groups(value: object) -> tuple[TaxGroup, ...]:
    """A list of `{codes: [CS, CC], code: I1, levels: [NY, NYC]}`, or `TaxGroup` values."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    groups: list[TaxGroup] = []
    for item in cast("Sequence[object]", value):
        if isinstance(item, TaxGroup):
            groups.append(item)
            continue
        row = cast("Mapping[str, Any]", item)
        group = TaxGroup(tuple(map(str, row["codes"])), str(row["code"]), tuple(map(str, row["levels"])))
        if len(group.codes) != len(group.levels):
            raise ValueError(f"tax_groups: {'+'.join(group.codes)} needs one jurisdiction level per code")
        groups.append(group)
    return tuple(groups)


def _tls(given: Mapping[str, object], secret: Mapping[str, str]) -> TlsSettings:
    nested = group(given, "tls")
    return TlsSettings(
        ca_file=str(nested.get("ca_file") or given.get("ca_file") or ""),
        server_name=str(nested.get("server_name") or ""),
        client_certificate=secret.get("client_certificate", "")
        or str(nested.get("certificate_file") or given.get("certificate_file") or ""),
        client_key=secret.get("client_key", "") or str(nested.get("key_file") or given.get("key_file") or ""),
        client_key_password=secret.get("client_key_password", ""),
    )
