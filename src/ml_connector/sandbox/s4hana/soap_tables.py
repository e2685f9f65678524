"""Field tables of Journal Entry - Post (Synchronous): each type's elements, in sequence.

One token an element: ``Name[?|*]:type``; ``?`` optional, ``*`` any number, nothing: exactly one, ``+`` at least one.
A type is another table (capital first letter) or

* ``t35`` token of 1 to 35 characters, ``t2-3`` with a minimum, ``t0-12`` without one, ``=4`` of exact length;
* ``s25`` text of at most 25, ``s1-35`` with a minimum (white space kept);
* ``n6`` token of digits; ``date``, ``moment`` (UTC), ``bool``, ``days`` (duration), ``uuid``, ``uri``;
* ``amount`` (with attribute currencyCode), ``quantity``, ``rate``, ``percent``.

Held against the vendor's WSDL by a contract test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

NAMESPACE = "http://sap.com/xi/SAPSCORE/SFIN"
REQUEST = "JournalEntryBulkCreateRequest"
CONFIRMATION = "JournalEntryBulkCreateConfirmation"

_AMOUNTS = (
    "AmountInTransactionCurrency:amount AmountInCompanyCodeCurrency?:amount AmountInGroupCurrency?:amount"
    " AmountInFreeDefinedCurrency1?:amount DebitCreditCode?:=1"
)
_TAX_BASES = (
    "TaxBaseAmountInCoCodeCrcy?:amount TaxBaseAmountInGroupCrcy?:amount TaxBaseAmountInFreeDefinedCrcy1?:amount"
)
_REFERENCES = "Reference1IDByBusinessPartner?:t12 Reference2IDByBusinessPartner?:t12 Reference3IDByBusinessPartner?:t20"
_PAYMENT = "AmountInPaymentCurrency?:amount PaymentMethod?:=1 PaymentMethodSupplement?:t2"
_SERVICE_DOCUMENT = "ServiceDocType?:t0-4 ServiceDocID?:t0-10 ServiceDocItemID?:t0-6"
_JOINT_VENTURE = "JointVenture?:t0-6 JointVentureRecoveryCode?:t0-2 JointVentureEquityGroup?:t0-3"

TABLES: Mapping[str, str] = {
    "Bulk": "MessageHeader:Header JournalEntryCreateRequest+:Message",
    "Message": "MessageHeader:Header JournalEntry:Entry",
    "Header": """
        ID?:t35 UUID?:uuid ReferenceID?:t35 ReferenceUUID?:uuid CreationDateTime:moment TestDataIndicator?:bool
        ReconciliationIndicator?:bool SenderBusinessSystemID?:t60 RecipientBusinessSystemID?:t60 SenderParty?:Party
        RecipientParty*:Party BusinessScope*:Scope
    """,
    "Party": "InternalID?:t32 StandardID*:t13 ContactPerson?:Contact",
    "Contact": """
        InternalID?:t32 OrganisationFormattedName*:s40 PersonFormattedName*:s80 PhoneNumber*:Phone FaxNumber*:Phone
        EmailURI*:uri
    """,
    "Phone": """
        AreaID?:t10 SubscriberID?:t30 ExtensionID?:t10 CountryCode?:t2-3 CountryDiallingCode?:t10 CountryName?:s1-40
    """,
    "Scope": "TypeCode:t4 InstanceID?:t36 ID?:t36",
    "Entry": """
        OriginalReferenceDocumentType:t5 OriginalReferenceDocument?:t20 OriginalReferenceDocumentLogicalSystem?:t10
        BusinessTransactionType:t4 AccountingDocumentType:t5 AccountingDocument?:t10 DocumentReferenceID?:t16
        OriginalPredecessorRefDocument?:t20 DocumentHeaderText?:s25 ReversalReason?:t0-2
        ReversalReferenceDocument?:t0-20 ReversalDate?:date DoTaxAmountCheck?:bool TaxFulfillmentDate?:date
        CreatedByUser:t0-12 CompanyCode:t4 DocumentDate:date PostingDate:date PostingFiscalPeriod?:s2
        TaxReportingDate?:date TaxDeterminationDate?:date InvoiceReceiptDate?:date ExchangeRateDate?:date
        ECSEnvironment?:t10 ExchangeRate?:rate IndirectQuotedExchangeRate?:rate SourceSystemCompanyCode?:t20
        SourceSystemAccountingDocument?:t35 Reference1InDocumentHeader?:t20 Reference2InDocumentHeader?:t20
        JrnlEntryCntrySpecificRef1?:s80 JrnlEntryCntrySpecificDate1?:date JrnlEntryCntrySpecificRef2?:s25
        JrnlEntryCntrySpecificDate2?:date JrnlEntryCntrySpecificRef3?:s25 JrnlEntryCntrySpecificDate3?:date
        JrnlEntryCntrySpecificRef4?:s50 JrnlEntryCntrySpecificDate4?:date JrnlEntryCntrySpecificRef5?:s50
        JrnlEntryCntrySpecificDate5?:date JrnlEntryCntrySpecificBp1?:s10 JrnlEntryCntrySpecificBp2?:s10
        Item*:Item DebtorItem*:DebtorItem CreditorItem*:CreditorItem ProductTaxItem*:ProductTaxItem
        WithholdingTaxItem*:WithholdingTaxItem
    """,
    "Item": f"""
        ReferenceDocumentItem?:t10 ItemGroup?:t6 CompanyCode?:t4 GLAccount:t10 {_AMOUNTS} DocumentItemText?:s50
        ReasonCode?:s3 OplAcctgDocItmCntrySpcfcRef1?:t0-50 AssignmentReference?:t18 FinancialTransactionType?:t3
        Tax?:Tax Plant?:t4 Material?:t60 QuantityInEntryUnit?:quantity IsNotCashDiscountLiable?:bool
        TradingPartner?:t6 ValueDate?:date BusinessPlace?:t4 HouseBank?:t5 HouseBankAccount?:t5
        FinancialServicesProductGroup?:t0-10 FinancialServicesBranch?:t0-10 FinancialDataSource?:t0-10 {_REFERENCES}
        AccountAssignment?:Assignment ProfitabilitySupplement?:Profitability AdditionalAttributes?:Attributes
        BillableControl?:s2
    """,
    "Tax": """
        TaxCode:t4 TaxJurisdiction?:t15 TaxItemGroup?:n6 TaxCountry?:t2-3 TaxExpenseAmountInTransacCrcy?:amount
        TaxExpenseAmountInCoCodeCrcy?:amount TaxExpenseAmountInGroupCrcy?:amount
        TaxExpenseAmountInFreeDefinedCrcy1?:amount
    """,
    "Assignment": f"""
        AccountAssignmentType?:t2 OrderID?:t12 ProfitCenter?:t10 PartnerProfitCenter?:t10 Segment?:t10
        PartnerSegment?:t10 CostCenter?:t10 CostCtrActivityType?:t6 WBSElement?:t24 MasterFixedAsset?:t12 WorkItem?:t10
        FixedAsset?:t4 SalesOrder?:t10 SalesOrderItem?:n6 FunctionalArea?:t16 {_SERVICE_DOCUMENT} {_JOINT_VENTURE}
        Fund?:t10 Grant?:t20 CustomerGroup?:t2 CustomerCountry?:t2-3 CustomerIndustry?:t10
    """,
    "Profitability": f"""
        Customer?:t10 CustomerGroup?:t2 CustomerIndustry?:t10 CustomerCountry?:t2-3 SalesDistrict?:t6 SoldMaterial?:t18
        SoldMaterialGroup?:t9 SalesOrganization?:t4 DistributionChannel?:t2 Division?:t2 BillToParty?:t10
        ShipToParty?:t10 PersonnelNumber?:n8 WBSElement?:t24 FunctionalArea?:t16 {_SERVICE_DOCUMENT}
    """,
    "Attributes": "PersonnelNumber?:n8",
    "DebtorItem": f"""
        ReferenceDocumentItem:t10 Debtor:t10 {_AMOUNTS} AltvRecnclnAccts?:t10 DocumentItemText?:s50
        AssignmentReference?:t18 {_REFERENCES} CashDiscountTerms?:Terms PaymentDetails?:DebtorPayment
        StateCentralBankPaymentReason?:t3 ReportingCountry?:t2-3 VATRegistration?:t20 IsEUTriangularDeal?:bool
        OplAcctgDocItmCntrySpcfcRef1?:t0-50 BranchAccount?:t10 JointVentureBillingType?:t0-2 {_JOINT_VENTURE}
        BusinessPlace?:t4 HouseBank?:t5 HouseBankAccount?:t5 TaxCountry?:t2-3 CreditControlArea?:t0-4
        DownPaymentTerms?:DebtorDownPayment OneTimeCustomerDetails?:OneTimeCustomer
    """,
    "Terms": """
        CashDiscountBaseAmount?:amount DueCalculationBaseDate:date CashDiscount1Days?:days
        CashDiscount1Percent?:percent CashDiscount2Days?:days CashDiscount2Percent?:percent NetPaymentDays:days
    """,
    "DebtorPayment": f"""
        {_PAYMENT} SEPAMandate?:t35 PaymentReference?:t30 PaymentReason?:s4 PaymentBlockingReason?:t2
        PaymentServiceProvider?:t4 PaymentByPaymentServicePrvdr?:t35 DigitalPaymentType?:t0-2
        PaymentByDigitalPaymentService?:t0-44
    """,
    "DebtorDownPayment": """
        SpecialGLCode?:=1 SalesOrder?:t10 SalesOrderItem?:n6 TaxItemGroup?:n6 TaxCode?:t4 TaxJurisdiction?:t15
    """,
    "OneTimeCustomer": """
        TitleCustomer?:s15 LanguageISOCode?:t0-2 Name?:s1-35 Name2?:s1-35 Name3?:s1-35 Name4?:s1-35 Email?:s130
        ShortStreetName?:s35 CustomerPostOfficeBox?:s10 PostOfficeBoxPostlCode?:t0-10 PostlCodeforCustomer?:t0-10
        BankDetailsReference?:s20 DataMediumExchangeKey?:t0-2 DataMediumExchangeIndicator?:t0-1 IsNaturalPerson?:s1
        OneTmeAcctIsEqualizationTxSubj?:t0-1 BankAccount?:t18 BankNumber?:t15 BankControlKey?:t2 BankCountry?:t3
        CityName?:s1-35 Country?:t2-3 Region?:t3 TaxNumber1?:t16 TaxNumber2?:t11 TaxNumber3?:t18 TaxNumber4?:t18
        TaxNumber5?:t60 VATLiability?:s1 TaxNumberType?:t2 TaxType?:s2
    """,
    "CreditorItem": f"""
        ReferenceDocumentItem:t10 Creditor:t10 {_AMOUNTS} AltvRecnclnAccts?:t10 DocumentItemText?:s50
        AssignmentReference?:t18 {_REFERENCES} CashDiscountTerms?:Terms PaymentDetails?:CreditorPayment
        StateCentralBankPaymentReason?:t3 OplAcctgDocItmCntrySpcfcRef1?:t0-50 VATRegistration?:t20 BranchAccount?:t10
        BusinessPlace?:t4 HouseBank?:t5 HouseBankAccount?:t5 JointVentureBillingType?:t0-2 {_JOINT_VENTURE}
        TaxCountry?:t2-3 DownPaymentTerms?:CreditorDownPayment OneTimeVendorDetails?:OneTimeVendor
    """,
    "CreditorPayment": f"""
        {_PAYMENT} PaymentReference?:t30 PaymentReason?:s4 PaymentBlockingReason?:t2 AlternativePayee?:t10
        PayeeBankAccount?:PayeeBank
    """,
    "PayeeBank": """
        Country:t2-3 BankNumber?:t15 SWIFTCode?:t8-11 BankAccount?:t18 IBAN?:t34 BankAccountHolderName?:s1-60
    """,
    "CreditorDownPayment": """
        SpecialGLCode?:=1 TaxItemGroup?:n6 ProfitCenter?:t10 Wbselement?:t24 TaxCode?:t4 TaxJurisdiction?:t15
    """,
    "OneTimeVendor": """
        TitleVendor?:s15 LanguageISOCode?:t0-2 Name?:s1-35 Name2?:s1-35 Name3?:s1-35 Name4?:s1-35 Email?:s130
        ShortStreetName?:s35 VendorPostOfficeBox?:s10 PostOfficeBoxPostlCode?:t0-10 PostlCodeforVendor?:t0-10
        BankDetailsReference?:s20 DataMediumExchangeKey?:t0-2 DataMediumExchangeIndicator?:t0-1 IsNaturalPerson?:s1
        OneTmeAcctIsEqualizationTxSubj?:t0-1 BankAccount?:t18 BankNumber?:t15 BankControlKey?:t2 BankCountry?:t3
        CityName?:s1-35 Country?:t2-3 Region?:t3 TaxNumber1?:t16 TaxNumber2?:t11 TaxNumber3?:t18 TaxNumber4?:t18
        TaxNumber5?:t60 TaxNumberType?:t2 TaxType?:s2 VATLiability?:s1
    """,
    "ProductTaxItem": f"""
        ReferenceDocumentItem?:t10 TaxCode:t4 TaxItemClassification?:t3 ConditionType?:t0-4 TaxJurisdiction?:t15
        TaxJurisdictionLevel?:=1 LowestLevelTaxJurisdiction?:t15 TaxItemGroup?:n6 TaxRate?:percent
        TaxDeterminationDate?:date IsDirectTaxPosting?:bool TaxCountry?:=3 {_AMOUNTS} ProductiveTaxText?:s50
        TaxBaseAmountInTransCrcy:amount {_TAX_BASES}
    """,
    "WithholdingTaxItem": f"""
        ReferenceDocumentItem?:t10 WithholdingTaxType:t2 WithholdingTaxCode:t2 AmountInTransactionCurrency?:amount
        AmountInCompanyCodeCurrency?:amount AmountInGroupCurrency?:amount AmountInFreeDefinedCurrency1?:amount
        TaxBaseAmountInTransCrcy?:amount {_TAX_BASES} TaxIsToBeCalculated?:bool
    """,
}

STRUCTURES = frozenset({"Bulk", "Message", "Header"})
"""Types whose missing elements break the message itself; elsewhere the ledger says which field it needs."""

TOKEN = re.compile(r"(?P<name>\w+)(?P<many>[?*+]?):(?P<type>\S+)")


@dataclass(frozen=True)
class Part:
    name: str
    type: str
    required: bool
    repeats: bool

    @property
    def is_table(self) -> bool:
        return self.type in TABLES


@cache
def parts(table: str) -> tuple[Part, ...]:
    """The elements of a type in their sequence. Raises ``ValueError`` for a token outside the grammar."""
    found: list[Part] = []
    for token in TABLES[table].split():
        match = TOKEN.fullmatch(token)
        if match is None:
            raise ValueError(f"not an element: {token}")
        found.append(Part(match["name"], match["type"], match["many"] in ("", "+"), match["many"] in ("*", "+")))
    return tuple(found)
