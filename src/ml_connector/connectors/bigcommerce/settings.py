"""What a BigCommerce connection is configured with, typed, and the form fields that ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, cast, get_args

from ml_connector.connectors.base import Field, Settings, Timing
from ml_connector.connectors.tls import TlsSettings

LONGEST_NAME = 64
STOCK_TIMING = Timing(p_s=10, t_s=60, l_s=60, v_s=15)
"""An accepted adjustment shows within seconds; one whose answer was lost takes effect within a minute. Both figures are
ours: the store promises none ("Inventory", Adjustments)."""

SHIPMENT_TIMING = Timing(p_s=10, t_s=60, l_s=120, v_s=60)
"""A shipment whose answer was lost is there, and shown, within minutes: reads may lag behind writes for half a minute.
The figures are ours: the store promises none ("Orders", Shipments)."""

WebhookScheme = Literal["standard", "secret_header", "x-bc-signature"]

_ACCOUNT = "Store's control panel: Settings, Store-level API accounts"

FIELDS: tuple[Field, ...] = (
    Field(
        "store_hash",
        "Store hash",
        "The part after /stores/ in the API path of the store-level API account.",
        identity=True,
        where=_ACCOUNT,
        example="abc123",
    ),
    Field(
        "webhook_scheme",
        "How webhooks prove their origin",
        "standard: Standard Webhooks signature and our secret header, both required. secret_header: our secret header "
        "required, a signature checked where one is sent. x-bc-signature: HMAC-SHA256 of the raw body.",
        required=False,
        default="standard",
        choices=get_args(WebhookScheme),
    ),
    Field(
        "b2b",
        "B2B Edition store",
        "Orders are held as b2b_unknown until their company and invoice facts can be read.",
        required=False,
        default=False,
        type="boolean",
    ),
    Field(
        "write_back",
        "Write ERP document numbers to the order",
        "Kept as an order metafield that only this API account sees. Needs the scope Orders: modify.",
        required=False,
        default=True,
        type="boolean",
    ),
    Field(
        "read_categories",
        "Read product categories",
        "Needed when a revenue rule matches on category. Needs the scope Products: read-only.",
        required=False,
        default=False,
        type="boolean",
    ),
    Field(
        "read_customer_facts",
        "Read the customer's group and tax exemption with each order",
        "Needed when the mapping looks at customer group, tax exemption or VAT number.",
        required=False,
        default=False,
        type="boolean",
    ),
    Field(
        "vat_form_field",
        "Form field with the VAT number",
        "Name of the customer form field that holds a company's VAT number.",
        required=False,
        default="",
    ),
    Field(
        "metafield_namespace",
        "Metafield namespace",
        "At most 64 characters.",
        required=False,
        default="ml_connector",
    ),
    Field("metafield_key", "Metafield key", "At most 64 characters.", required=False, default="erp_documents"),
    Field(
        "access_token",
        "Access token",
        "Of the store-level API account; shown once, when the account is made.",
        secret=True,
        where=_ACCOUNT,
    ),
    Field("client_id", "Client ID", "Of the same API account.", where=_ACCOUNT),
    Field(
        "client_secret", "Client secret", "Of the same API account. It signs the webhooks.", secret=True, where=_ACCOUNT
    ),
    Field(
        "webhook_secret",
        "Webhook secret",
        "Any long random text. The store sends it back to us in a header of every webhook.",
        secret=True,
        generated=True,
    ),
)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """A BigCommerce connection's settings and credentials. Built by `store_settings`."""

    name: str
    store_hash: str
    access_token: str = field(repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    webhook_scheme: WebhookScheme = "standard"
    b2b: bool = False
    write_back: bool = True
    read_categories: bool = False
    read_customer_facts: bool = False
    vat_form_field: str = ""
    metafield_namespace: str = "ml_connector"
    metafield_key: str = "erp_documents"
    sandbox: bool = False
    stock_timing: Timing = STOCK_TIMING
    shipment_timing: Timing = SHIPMENT_TIMING


def store_settings(given: Settings) -> StoreSettings:
    """The typed settings. Raises `ValueError` naming the setting that cannot be used."""
    scheme = _text(given.settings, "webhook_scheme") or "standard"
    if scheme not in get_args(WebhookScheme):
        raise ValueError(f"{given.name}: webhook_scheme is {scheme!r}; it can be {', '.join(get_args(WebhookScheme))}")
    if not _text(given.settings, "store_hash"):
        raise ValueError(f"{given.name}: store_hash is missing")
    if not given.credentials.get("access_token"):
        raise ValueError(f"{given.name}: the credential access_token is missing")
    return StoreSettings(
        name=given.name,
        store_hash=_text(given.settings, "store_hash"),
        access_token=given.credentials["access_token"],
        client_id=given.credentials.get("client_id", ""),
        client_secret=given.credentials.get("client_secret", ""),
        webhook_secret=given.credentials.get("webhook_secret", ""),
        webhook_scheme=cast(WebhookScheme, scheme),
        b2b=given.settings.get("b2b", False) is True,
        write_back=given.settings.get("write_back", True) is True,
        read_categories=given.settings.get("read_categories", False) is True,
        read_customer_facts=given.settings.get("read_customer_facts", False) is True,
        vat_form_field=_text(given.settings, "vat_form_field"),
        metafield_namespace=_short_text(given, "metafield_namespace") or "ml_connector",
        metafield_key=_short_text(given, "metafield_key") or "erp_documents",
        sandbox=given.sandbox,
        stock_timing=_timing(given, STOCK_TIMING),
        shipment_timing=_timing(given, SHIPMENT_TIMING),
    )


def _timing(given: Settings, default: Timing) -> Timing:
    """Shorter in a sandbox only, by the connection's `timing` group."""
    group = given.settings.get("timing")
    told = cast(Mapping[str, object], group if isinstance(group, Mapping) and given.sandbox else {})
    return replace(default, **{name: float(str(value)) for name, value in told.items() if value is not None})


def tls_settings(given: Settings) -> TlsSettings:
    """Own authority and client certificate (a gateway in front may ask for one), from the connection's `tls` group."""
    group = given.settings.get("tls")
    files = cast(Mapping[str, object], group if isinstance(group, Mapping) else {})
    return TlsSettings(
        ca_file=_text(files, "ca_file"),
        server_name=_text(files, "server_name"),
        client_certificate=_text(files, "certificate_file"),
        client_key=_text(files, "key_file"),
    )


def _short_text(given: Settings, name: str) -> str:
    text = _text(given.settings, name)
    if len(text) > LONGEST_NAME:
        raise ValueError(f"{given.name}: {name} has {len(text)} characters; the store takes {LONGEST_NAME}")
    return text


def _text(settings: Mapping[str, object], name: str) -> str:
    value = settings.get(name)
    return "" if value is None else str(value).strip()
