"""SAP S/4HANA Cloud (public and private edition) as a ledger."""

from collections.abc import Mapping

from ml_connector.connectors.base import Connector, Field, Services, Settings, System
from ml_connector.connectors.s4hana.connector import S4Connector
from ml_connector.connectors.s4hana.settings import DOCUMENT_TYPES, read_settings
from ml_connector.domain.documents import Kind


def connect(settings: Settings, services: Services) -> Connector:
    """A live connection. Raises `ValueError` naming a wrong setting."""
    return S4Connector(read_settings(settings), services)


def kinds(settings: Mapping[str, object]) -> frozenset[Kind]:
    """Old private systems reverse nothing through the service."""
    posted = frozenset({Kind.CUSTOMER, Kind.REVERSAL, *DOCUMENT_TYPES})
    return posted - {Kind.REVERSAL} if str(settings.get("journal_version")) == "2020" else posted


_ARRANGEMENT = "SAP: Communication Arrangements, the one for this connector, OAuth 2.0 Details"
_USERS = "SAP: Maintain Communication Users"

FIELDS = (
    Field(
        "auth",
        "How to log in",
        "OAuth 2.0 client credentials, user and password, or a client certificate, as the communication arrangement "
        "offers it.",
        default="oauth",
        choices=("oauth", "basic", "certificate"),
        required=False,
        usual=True,
    ),
    Field(
        "token_url",
        "Token URL",
        "Left empty: /sap/bc/sec/oauth2/token on the API host.",
        required=False,
        where=_ARRANGEMENT,
        when=("auth", "oauth"),
        usual=True,
        example="https://my123456.authentication.example/sap/bc/sec/oauth2/token",
    ),
    Field("company_code", "Company code", "Four characters: whose books these are.", identity=True, example="1710"),
    Field("created_by_user", "Created by", "User name that documents carry, 1 to 12 characters.", required=False),
    Field("sap_client", "SAP client", "Private edition only, e.g. 100.", required=False, identity=True),
    Field("document_type_order", "Document type of orders", default="DR", required=False),
    Field("document_type_payment", "Document type of payments", default="DZ", required=False),
    Field("document_type_refund", "Document type of refunds", default="DG", required=False),
    Field("document_type_refund_payment", "Document type of refund payments", default="DZ", required=False),
    Field("document_type_adjustment", "Document type of adjustments", default="SA", required=False),
    Field("document_type_deposit_application", "Document type of deposit applications", default="SA", required=False),
    Field("document_types", "Document types per kind", "Nested form: {order: DR, payment: DZ}.", required=False),
    Field("reversal_reason", "Reversal reason", "Two digits.", default="01", required=False),
    Field("tax_classification", "Tax item classification", "MWS for output tax.", default="MWS", required=False),
    Field("tax_condition_type", "Condition type of tax items", "E.g. MWAS, if SAP asks for it.", required=False),
    Field(
        "tax_groups",
        "Tax codes of parts with several taxes",
        "List of {codes: [CS, CC], code: I1, levels: [NY00, NY0001]}.",
        required=False,
    ),
    Field("open_from", "Posting period open from", type="date", required=False),
    Field("open_to", "Posting period open to", type="date", required=False),
    Field("batch_size", "Documents per posting call", default=20, type="integer", required=False),
    Field("customer_grouping", "Grouping of new business partners", default="BP02", required=False),
    Field(
        "customer_reconciliation_account",
        "Reconciliation account of new customers",
        "Needed unless all orders go to one collective customer: SAP creates no customer without it.",
        required=False,
        usual=True,
        example="12100000",
    ),
    Field("customer_payment_terms", "Payment terms of new customers", required=False),
    Field(
        "customer_sales_organization", "Sales organization of new customers", "Empty: no sales area.", required=False
    ),
    Field("customer_distribution_channel", "Distribution channel of new customers", default="10", required=False),
    Field("customer_division", "Division of new customers", default="00", required=False),
    Field("customer_currency", "Currency of the sales area of new customers", required=False),
    Field("customer_language", "Language of new customers", default="EN", required=False),
    Field("customer_tax_number_type", "Type of VAT numbers of new customers", "E.g. DE0.", required=False),
    Field(
        "customer_defaults",
        "Values of new customers",
        "Nested form of the customer settings: {grouping: BP02}.",
        required=False,
    ),
    Field("journal_path", "Path of the journal entry service", "Private edition: as in SOAMANAGER.", required=False),
    Field(
        "journal_version",
        "Version of the journal entry service",
        "2020 for old private systems: no reversal, short addresses of one-time customers.",
        default="2024",
        choices=("2024", "2020"),
        required=False,
    ),
    Field("odata_root", "Path of the OData services", default="/sap/opu/odata/sap", required=False),
    Field("master_data_lifetime_s", "Seconds that master data is kept", default=900, type="integer", required=False),
    Field(
        "discontinued_statuses",
        "Cross-plant statuses of products that are no longer sold",
        "Separated by blanks, e.g. 'Z1 Z2'. The store then offers none of them.",
        required=False,
    ),
    Field("allow_private", "Address in a private network", default=False, type="boolean", required=False),
    Field("user", "Communication user", secret=True, required=False, where=_USERS, when=("auth", "basic")),
    Field(
        "password",
        "Password of the communication user",
        secret=True,
        required=False,
        where=_USERS,
        when=("auth", "basic"),
    ),
    Field(
        "client_id",
        "OAuth client ID",
        "The communication user.",
        secret=True,
        required=False,
        where=_ARRANGEMENT,
        when=("auth", "oauth"),
    ),
    Field(
        "client_secret",
        "OAuth client secret",
        "The communication user's password.",
        secret=True,
        required=False,
        where=_USERS,
        when=("auth", "oauth"),
    ),
    Field("client_certificate", "Client certificate (PEM)", secret=True, required=False, when=("auth", "certificate")),
    Field(
        "client_key", "Key of the client certificate (PEM)", secret=True, required=False, when=("auth", "certificate")
    ),
    Field("client_key_password", "Password of the key", secret=True, required=False, when=("auth", "certificate")),
)

system = System(
    name="s4hana",
    title="SAP S/4HANA",
    side="erp",
    fields=FIELDS,
    connect=connect,
    style="journal",
    reference_form="short",
    kinds=kinds,
    address_example="https://my123456-api.s4hana.example",
    guide="setup/s4hana.md",
)
