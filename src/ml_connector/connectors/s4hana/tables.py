"""The elements of the journal entry post that we write: name, kind, length, required, in the order of the WSDL.

Source: SAP Business Accelerator Hub, "Journal Entry - Post (Synchronous)", service JOURNALENTRYCREATEREQUESTCONFI.
A contract test holds these tables against the vendor's WSDL. The service ignores unknown or misplaced elements
without a word, which is why nothing outside these tables is ever written.
"""

from collections.abc import Sequence
from dataclasses import replace

from ml_connector.connectors.soap import Field

NAMESPACE = "http://sap.com/xi/SAPSCORE/SFIN"
OPERATION = "JournalEntryCreateRequestConfirmation_In"
SOAP_ACTION = f"{NAMESPACE}/{OPERATION}/{OPERATION}Request"
ROOT = "JournalEntryBulkCreateRequest"

AMOUNT = "AmountInTransactionCurrency"

MESSAGE_HEADER = (
    Field("ID", length=35),
    Field(
        "CreationDateTime",
        required=True,
        pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(.[0-9]{1,7})?Z",
    ),
)
TAX = (
    Field("TaxCode", length=4, required=True),
    Field("TaxJurisdiction", length=15),
    Field("TaxItemGroup", length=6, pattern=r"\d+"),
)
ACCOUNT_ASSIGNMENT = (
    Field("ProfitCenter", length=10),
    Field("Segment", length=10),
    Field("CostCenter", length=10),
)
ITEM = (
    Field("ReferenceDocumentItem", length=10),
    Field("GLAccount", length=10, required=True),
    Field(AMOUNT, "amount", required=True),
    Field("DebitCreditCode", length=1, pattern="[SH]"),
    Field("DocumentItemText", "string", length=50),
    Field("AssignmentReference", length=18),
    Field("Tax", "complex", fields=TAX),
    Field("AccountAssignment", "complex", fields=ACCOUNT_ASSIGNMENT),
)
ONE_TIME_CUSTOMER = (
    Field("LanguageISOCode", length=2, since="2024"),
    Field("Name", "string", length=35),
    Field("Name2", "string", length=35, since="2024"),
    Field("ShortStreetName", "string", length=35, since="2024"),
    Field("PostlCodeforCustomer", length=10, since="2024"),
    Field("CityName", "string", length=35),
    Field("Country", length=3),
    Field("Region", length=3),
)
DEBTOR_ITEM = (
    Field("ReferenceDocumentItem", length=10, required=True),
    Field("Debtor", length=10, required=True),
    Field(AMOUNT, "amount", required=True),
    Field("DebitCreditCode", length=1, pattern="[SH]"),
    Field("DocumentItemText", "string", length=50),
    Field("AssignmentReference", length=18),
    Field("VATRegistration", length=20),
    Field("OneTimeCustomerDetails", "complex", fields=ONE_TIME_CUSTOMER),
)
PRODUCT_TAX_ITEM = (
    Field("TaxCode", length=4, required=True),
    Field("TaxItemClassification", length=3),
    Field("ConditionType", length=4),
    Field("TaxJurisdiction", length=15),
    Field("TaxJurisdictionLevel", length=1),
    Field("LowestLevelTaxJurisdiction", length=15),
    Field("TaxItemGroup", length=6, pattern=r"\d+"),
    Field(AMOUNT, "amount", required=True),
    Field("DebitCreditCode", length=1, pattern="[SH]"),
    Field("TaxBaseAmountInTransCrcy", "amount", required=True),
)
JOURNAL_ENTRY = (
    Field("OriginalReferenceDocumentType", length=5, required=True),
    Field("BusinessTransactionType", length=4, required=True),
    Field("AccountingDocumentType", length=5, required=True),
    Field("DocumentReferenceID", length=16, pattern="[A-Z0-9-]+"),
    Field("DocumentHeaderText", "string", length=25),
    Field("ReversalReason", length=2, since="2024"),
    Field("ReversalReferenceDocument", length=20, since="2024"),
    Field("CreatedByUser", length=12, required=True),
    Field("CompanyCode", length=4, required=True),
    Field("DocumentDate", "date", required=True),
    Field("PostingDate", "date", required=True),
    Field("TaxDeterminationDate", "date"),
    Field("ExchangeRate", "decimal"),
    Field("Reference1InDocumentHeader", length=20),
    Field("Reference2InDocumentHeader", length=20),
    Field("Item", "complex", fields=ITEM),
    Field("DebtorItem", "complex", fields=DEBTOR_ITEM),
    Field("ProductTaxItem", "complex", fields=PRODUCT_TAX_ITEM),
)
REQUEST = (
    Field("MessageHeader", "complex", required=True, fields=MESSAGE_HEADER),
    Field("JournalEntry", "complex", required=True, fields=JOURNAL_ENTRY),
)
BULK = (
    Field("MessageHeader", "complex", required=True, fields=MESSAGE_HEADER),
    Field("JournalEntryCreateRequest", "complex", required=True, fields=REQUEST),
)


def for_version(fields: Sequence[Field], version: str) -> tuple[Field, ...]:
    """The elements that the service's `version` (2020, 2024) knows."""
    return tuple(
        replace(field, fields=for_version(field.fields, version)) for field in fields if field.since <= version
    )
