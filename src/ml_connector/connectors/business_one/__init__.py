"""SAP Business One as a ledger of sales style, through its Service Layer."""

from collections.abc import Mapping

from ml_connector.connectors.base import Connector, Field, Services, Settings, System
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.connectors.business_one.settings import read_settings
from ml_connector.connectors.business_one.tables import TARGETS
from ml_connector.domain.documents import Kind


def connect(settings: Settings, services: Services) -> Connector:
    """A live connection. Raises `ValueError` naming a wrong setting."""
    return B1Connector(read_settings(settings), services)


def kinds(settings: Mapping[str, object]) -> frozenset[Kind]:
    return frozenset({Kind.CUSTOMER, Kind.REVERSAL, Kind.DEPOSIT_APPLICATION, *TARGETS})


_USERS = "Business One: Administration, Setup, General, Users"

FIELDS = (
    Field(
        "company",
        "Company database",
        "As the Service Layer knows it.",
        identity=True,
        where="Business One: the list of companies in the sign-in window, column Database",
        example="SBO_ACME_PROD",
    ),
    Field(
        "api",
        "OData version",
        "auto takes v2 from 10.0 FP 2102 on, v1 below.",
        default="auto",
        choices=("auto", "v1", "v2"),
        required=False,
    ),
    Field(
        "sessions",
        "Sessions at once",
        "Over all processes; each works on one call at a time. No more than the licences allow.",
        default=2,
        type="integer",
        required=False,
    ),
    Field(
        "claims",
        "Hard guard",
        "A row of our user table goes with every document in one change set. Try it on a test company first.",
        default=False,
        type="boolean",
        required=False,
    ),
    Field("language", "Language of messages", "Number of the language; 3 is English.", default="3", required=False),
    Field(
        "tax_field",
        "Field of the tax code",
        "VatGroup where the company has VAT, TaxCode where it has sales tax.",
        default="VatGroup",
        choices=("VatGroup", "TaxCode"),
        required=False,
        usual=True,
    ),
    Field("freight_code", "Additional expense of shipping", "Its number.", type="integer", required=False),
    Field(
        "freight",
        "Additional expenses by role",
        "Which additional expense carries shipping, handling, wrapping and fees: {role: its number}.",
        type="table",
        required=False,
        usual=True,
        where="Business One: Administration, Setup, General, Freight",
        example="{shipping_income: 1, handling_income: 2, wrapping_income: 3, fee_income: 4}",
    ),
    Field(
        "charge_item",
        "Item of charges",
        "A sales item without stock: discounts, vouchers and fees go as its lines, on the account of the mapping.",
        required=False,
        usual=True,
        example="SERVICE",
    ),
    Field(
        "dimensions",
        "Distribution rule fields",
        "{profit_center: CostingCode, cost_center: CostingCode2, segment: CostingCode3}.",
        type="table",
        required=False,
    ),
    Field(
        "currencies", "Currency codes", "Where they are not the ISO codes: {CAD: CAN}.", type="table", required=False
    ),
    Field("branch", "Branch", "Its number, where the company has branches.", type="integer", required=False),
    Field("series", "Numbering series by kind", "{sales_invoice: 71, payment: 80}.", type="table", required=False),
    Field(
        "reserve_invoice",
        "Reserve invoices",
        "The invoice comes before the delivery and moves no stock.",
        default=False,
        type="boolean",
        required=False,
    ),
    Field(
        "credit_base",
        "Base credit memos on the invoice",
        "Off: credit memos stand alone.",
        default=True,
        type="boolean",
        required=False,
    ),
    Field(
        "restock",
        "Credit memos put goods back into stock",
        default=False,
        type="boolean",
        required=False,
    ),
    Field("due_days", "Days until documents are due", default=0, type="integer", required=False),
    Field("customer_match", "How customers are matched", default="email", choices=("email", "none"), required=False),
    Field("customer_group", "Group of new customers", type="integer", required=False),
    Field("customer_currency", "Currency of new customers", "## is all currencies.", default="##", required=False),
    Field("customer_price_list", "Price list of new customers", type="integer", required=False),
    Field("customer_payment_terms", "Payment terms of new customers", type="integer", required=False),
    Field("open_from", "Posting period open from", type="date", required=False),
    Field("open_to", "Posting period open to", type="date", required=False),
    Field("master_data_lifetime_s", "Seconds that master data is kept", default=900, type="integer", required=False),
    Field("allow_private", "Address in a private network", default=False, type="boolean", required=False),
    Field(
        "user", "User", "A Business One user of its own, with a licence.", secret=True, where=_USERS, example="WEBSTORE"
    ),
    Field("password", "Password of the user", secret=True, where=_USERS),
)

system = System(
    name="business_one",
    title="SAP Business One",
    side="erp",
    fields=FIELDS,
    connect=connect,
    style="sales",
    reference_form="long",
    kinds=kinds,
    address_example="https://b1.example:50000",
    guide="setup/business-one.md",
)
