"""Field tables of the ledger services: accounting document items, chart of accounts, company codes, cost centers.

Held against the vendor's metadata by a contract test. API_PROFITCENTER_SRV's metadata is not at hand: its table is
from the vendor's published names. The item cube has further properties that stay empty for these documents and are
not offered here; asking for them is answered like any unknown property.
"""

from __future__ import annotations

from ml_connector.sandbox.s4hana.odata.fields import EntitySet, Nav, Service, entity

CUBE = entity(
    "A_OperationalAcctgDocItemCubeType",
    """
    CompanyCode:4U! FiscalYear:4N! AccountingDocument:10U! AccountingDocumentItem:3N! CompanyCodeName:25
    ChartOfAccounts:4U AccountingDocumentItemType:1U ClearingDate:D ClearingCreationDate:D
    ClearingAccountingDocument:10U ClearingDocFiscalYear:4N IsCleared:B PostingKey:2U FinancialAccountType:1U
    SpecialGLCode:1U SpecialGLTransactionType:1U DebitCreditCode:1U BusinessArea:4U TaxCode:2U
    WithholdingTaxCode:2U TaxType:1U TransactionTypeDetermination:3U ValueDate:D AssignmentReference:18
    DocumentItemText:50 PartnerCompany:6U FinancialTransactionType:3U CorporateGroupAccount:10U ControllingArea:4U
    CostCenter:10U CostCenterName:20 OrderID:12U BillingDocument:10U SalesDocument:10U SalesDocumentItem:6N
    IsSalesRelated:B LineItemDisplayIsEnabled:B IsOpenItemManaged:1U IsNotCashDiscountLiable:B
    IsAutomaticallyCreated:B IsUsedInPaymentTransaction:B OperationalGLAccount:10U GLAccount:10U GLAccountName:30
    GLAccountLongName:50 Customer:10U CustomerName:80 Supplier:10U SupplierName:80 BranchAccount:10U
    IsBalanceSheetAccount:B ProfitLossAccountType:2U DueCalculationBaseDate:D PaymentTerms:4U CashDiscount1Days:3.0
    CashDiscount2Days:3.0 NetPaymentDays:3.0 PaymentMethod:1U PaymentBlockingReason:1U HouseBank:5U
    HouseBankAccount:5U InvoiceReference:10U InvoiceReferenceFiscalYear:4N InvoiceItemReference:3N
    DunningBlockingReason:1U DunningLevel:1N DunningArea:2U Material:40U Product:40U Plant:4U VATRegistration:20U
    ProfitCenter:10U ProfitCenterName:20 PartnerProfitCenter:10U TaxJurisdiction:15U WBSElementInternalID:8N
    ClearingIsReversed:B PaymentMethodSupplement:2U AlternativeGLAccount:10U Reference1IDByBusinessPartner:12U
    Reference2IDByBusinessPartner:12U Reference3IDByBusinessPartner:20U IsNegativePosting:B CreditControlArea:4U
    PaymentReference:30U TaxDeterminationDate:D BusinessPlace:4U FunctionalArea:16U LedgerGLLineItem:6U Segment:10U
    CostElement:10U SEPAMandate:35U ReferenceDocumentType:5U OriginalReferenceDocument:20U
    ReferenceDocumentLogicalSystem:10U AccountingDocumentItemRef:10N FiscalPeriod:3N AccountingDocumentCategory:1U
    PostingDate:D DocumentDate:D AccountingDocumentType:2U AccountingDocumentTypeName:20 NetDueDate:D
    OffsettingAccount:10U OffsettingAccountType:1U CompanyCodeCurrency:5U AmountInCompanyCodeCurrency:24.3
    TaxAmountInCoCodeCrcy:24.3 TaxBaseAmountInCoCodeCrcy:24.3 TransactionCurrency:5U
    AmountInTransactionCurrency:24.3 OriginalTaxBaseAmount:24.3 TaxAmount:24.3 TaxBaseAmountInTransCrcy:24.3
    CashDiscountBaseAmount:24.3 CashDiscountAmount:24.3 BalanceTransactionCurrency:5U AmountInBalanceTransacCrcy:24.3
    BaseUnit:3 Quantity:23.3 NumberOfItems:12.0 AccountingDocumentCreationDate:D CreationTime:T LastChangeDate:D
    ExchangeRateDate:D AccountingDocCreatedByUser:12 TransactionCode:20U DocumentReferenceID:16U
    RecurringAccountingDocument:10U ReverseDocument:10U ReverseDocumentFiscalYear:4N AccountingDocumentHeaderText:25
    ExchangeRate:9.5 BusinessTransactionType:4U ReversalIsPlanned:B PlannedReversalDate:D
    TaxIsCalculatedAutomatically:B SourceCompanyCode:4U LogicalSystem:10U ReversalReason:2U
    Reference1InDocumentHeader:20U Reference2InDocumentHeader:20U InvoiceReceiptDate:D Ledger:2U LedgerGroup:4U
    AlternativeReferenceDocument:26U TaxReportingDate:D AccountingDocumentClass:6U ExchangeRateType:4U IsReversal:B
    IsReversed:B
    """,
)

GL_ACCOUNT = entity(
    "A_GLAccountInChartOfAccountsType",
    """
    ChartOfAccounts:4U! GLAccount:10U! IsBalanceSheetAccount:B GLAccountGroup:4U CorporateGroupAccount:10U
    ProfitLossAccountType:2U SampleGLAccount:10U AccountIsMarkedForDeletion:B AccountIsBlockedForCreation:B
    AccountIsBlockedForPosting:B AccountIsBlockedForPlanning:B PartnerCompany:6U FunctionalArea:16U CreationDate:D
    CreatedByUser:12U LastChangeDateTime:TS GLAccountType:1U GLAccountExternal:10U IsProfitLossAccount:B
    """,
    Nav(
        "to_Text",
        "A_GLAccountText",
        many=True,
        link={"ChartOfAccounts": "ChartOfAccounts", "GLAccount": "GLAccount"},
    ),
)
GL_ACCOUNT_TEXT = entity(
    "A_GLAccountTextType",
    "ChartOfAccounts:4U! GLAccount:10U! Language:2! GLAccountName:20 GLAccountLongName:50 LastChangeDateTime:TS",
    Nav(
        "to_GLAccountInChartOfAccounts",
        "A_GLAccountInChartOfAccounts",
        many=False,
        link={"ChartOfAccounts": "ChartOfAccounts", "GLAccount": "GLAccount"},
    ),
)
COMPANY_CODE = entity(
    "A_CompanyCodeType",
    """
    CompanyCode:4U! CompanyCodeName:25 CityName:25 Country:3U Currency:5U Language:2 ChartOfAccounts:4U
    FiscalYearVariant:2U Company:6U CreditControlArea:4U CountryChartOfAccounts:4U FinancialManagementArea:4U
    AddressID:10U TaxableEntity:4U VATRegistration:20U ExtendedWhldgTaxIsActive:B ControllingArea:4U
    FieldStatusVariant:4U NonTaxableTransactionTaxCode:2U DocDateIsUsedForTaxDetn:B TaxRptgDateIsActive:B
    """,
)
COST_CENTER = entity(
    "A_CostCenterType",
    """
    ControllingArea:4U! CostCenter:10U! ValidityEndDate:D! ValidityStartDate:D CompanyCode:4U BusinessArea:4U
    CostCtrResponsiblePersonName:20 CostCtrResponsibleUser:12U CostCenterCurrency:5U ProfitCenter:10U Department:12
    CostingSheet:6U FunctionalArea:16U Country:3U Region:3U CityName:35 CostCenterStandardHierArea:12U
    CostCenterCategory:1U IsBlkdForPrimaryCostsPosting:1U IsBlkdForSecondaryCostsPosting:1U
    IsBlockedForRevenuePosting:1U IsBlockedForCommitmentPosting:1U IsBlockedForPlanPrimaryCosts:1U
    IsBlockedForPlanSecondaryCosts:1U IsBlockedForPlanRevenues:1U ConsumptionQtyIsRecorded:1U Language:2
    CostCenterCreatedByUser:12U CostCenterCreationDate:D
    """,
)
PROFIT_CENTER = entity(
    "A_ProfitCenterType",
    """
    ControllingArea:4U! ProfitCenter:10U! ValidityEndDate:D! ValidityStartDate:D ProfitCtrResponsiblePersonName:20
    Segment:10U ProfitCenterIsBlocked:1U ProfitCenterStandardHierarchy:12U Language:2
    """,
)
PROFIT_CENTER_COMPANY = entity(
    "A_PrftCtrCompanyCodeAssignmentType", "ControllingArea:4U! ProfitCenter:10U! CompanyCode:4U!"
)

MASTER_DATA = ("SAP_COM_0087", "SAP_COM_0084")

CUBE_SERVICE = Service(
    "API_OPLACCTGDOCITEMCUBE_SRV",
    "API_OPLACCTGDOCITEMCUBE_SRV",
    ("SAP_COM_0303",),
    (EntitySet("A_OperationalAcctgDocItemCube", CUBE),),
)
GL_ACCOUNT_SERVICE = Service(
    "API_GLACCOUNTINCHARTOFACCOUNTS_SRV",
    "API_GLACCOUNTINCHARTOFACCOUNTS_SRV",
    MASTER_DATA,
    (EntitySet("A_GLAccountInChartOfAccounts", GL_ACCOUNT), EntitySet("A_GLAccountText", GL_ACCOUNT_TEXT)),
)
COMPANY_CODE_SERVICE = Service(
    "API_COMPANYCODE_SRV", "API_COMPANYCODE_SRV", MASTER_DATA, (EntitySet("A_CompanyCode", COMPANY_CODE),)
)
COST_CENTER_SERVICE = Service(
    "API_COSTCENTER_SRV", "API_COSTCENTER_SRV", MASTER_DATA, (EntitySet("A_CostCenter", COST_CENTER),)
)
PROFIT_CENTER_SERVICE = Service(
    "API_PROFITCENTER_SRV",
    "API_PROFITCENTER_SRV",
    MASTER_DATA,
    (
        EntitySet("A_ProfitCenter", PROFIT_CENTER),
        EntitySet("A_PrftCtrCompanyCodeAssignment", PROFIT_CENTER_COMPANY),
    ),
)
