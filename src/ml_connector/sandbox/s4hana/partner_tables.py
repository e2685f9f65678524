"""Field tables of API_BUSINESS_PARTNER, as far as a customer of a store needs them.

Held against the vendor's metadata by a contract test. Entity sets beyond these (banks, contacts, suppliers) are not
served.
"""

from __future__ import annotations

from ml_connector.sandbox.s4hana.odata.fields import EntitySet, Nav, Service, entity

_BY_PARTNER = {"BusinessPartner": "BusinessPartner"}
_BY_ADDRESS = {"AddressID": "AddressID"}
_BY_CUSTOMER = {"Customer": "Customer"}

PARTNER = entity(
    "A_BusinessPartnerType",
    """
    BusinessPartner:10U! Customer:10U- Supplier:10U- AcademicTitle:4U AuthorizationGroup:4U BusinessPartnerCategory:1U
    BusinessPartnerFullName:81- BusinessPartnerGrouping:4U BusinessPartnerName:81- BusinessPartnerUUID:G-
    CorrespondenceLanguage:2 CreatedByUser:12U- CreationDate:D- CreationTime:T- FirstName:40 FormOfAddress:4U
    Industry:10U InternationalLocationNumber1:7N InternationalLocationNumber2:5N InternationalLocationNumber3:1N
    IsFemale:B IsMale:B IsNaturalPerson:1U IsSexUnknown:B GenderCodeName:1U Language:2 LastChangeDate:D-
    LastChangeTime:T- LastChangedByUser:12U- LastName:40 LegalForm:2U OrganizationBPName1:40 OrganizationBPName2:40
    OrganizationBPName3:40 OrganizationBPName4:40 OrganizationFoundationDate:D OrganizationLiquidationDate:D
    SearchTerm1:20U SearchTerm2:20U AdditionalLastName:40 BirthDate:D BusinessPartnerBirthDateStatus:1U
    BusinessPartnerBirthplaceName:40 BusinessPartnerDeathDate:D BusinessPartnerIsBlocked:B BusinessPartnerType:4U
    ETag:26- GroupBusinessPartnerName1:40 GroupBusinessPartnerName2:40 IndependentAddressID:10U- MiddleName:40
    NameCountry:3U NameFormat:2U PersonFullName:80 PersonNumber:10U- IsMarkedForArchiving:B
    BusinessPartnerIDByExtSystem:20U BusinessPartnerPrintFormat:1U BusinessPartnerOccupation:4U
    BusPartMaritalStatus:1U BusPartNationality:3U BusinessPartnerBirthName:40 BusinessPartnerSupplementName:4U
    NaturalPersonEmployerName:35 LastNamePrefix:4U LastNameSecondPrefix:4U Initials:10U
    BPDataControllerIsNotRequired:B TradingPartner:6U
    """,
    Nav("to_BusinessPartnerRole", "A_BusinessPartnerRole", many=True, link=_BY_PARTNER),
    Nav("to_BusinessPartnerAddress", "A_BusinessPartnerAddress", many=True, link=_BY_PARTNER),
    Nav("to_BusinessPartnerTax", "A_BusinessPartnerTaxNumber", many=True, link=_BY_PARTNER),
    Nav("to_BuPaIdentification", "A_BuPaIdentification", many=True, link=_BY_PARTNER),
    Nav("to_Customer", "A_Customer", many=False, link=_BY_CUSTOMER),
)
ROLE = entity(
    "A_BusinessPartnerRoleType",
    "BusinessPartner:10U! BusinessPartnerRole:6U! ValidFrom:TS ValidTo:TS AuthorizationGroup:4U",
)
ADDRESS = entity(
    "A_BusinessPartnerAddressType",
    """
    BusinessPartner:10U! AddressID:10U! ValidityStartDate:TS ValidityEndDate:TS AuthorizationGroup:4U AddressUUID:G-
    AdditionalStreetPrefixName:40 AdditionalStreetSuffixName:40 AddressTimeZone:6U CareOfName:40 CityCode:12U
    CityName:40 CompanyPostalCode:10U Country:3U County:40 CountyCode:8U DeliveryServiceNumber:10U
    DeliveryServiceTypeCode:4U District:40 FormOfAddress:4U- FullName:80- HomeCityName:40 HouseNumber:10
    HouseNumberSupplementText:10 Language:2 POBox:10U POBoxDeviatingCityName:40 POBoxDeviatingCountry:3U
    POBoxDeviatingRegion:3U POBoxIsWithoutNumber:B POBoxLobbyName:40 POBoxPostalCode:10U Person:10U- PostalCode:10U
    PrfrdCommMediumType:3U Region:3U StreetName:60 StreetPrefixName:40 StreetSuffixName:40 TaxJurisdiction:15U
    TransportZone:10U AddressIDByExternalSystem:20U TownshipCode:8U TownshipName:40
    """,
    Nav(
        "to_AddressUsage",
        "A_BuPaAddressUsage",
        many=True,
        link={"BusinessPartner": "BusinessPartner", "AddressID": "AddressID"},
    ),
    Nav("to_EmailAddress", "A_AddressEmailAddress", many=True, link=_BY_ADDRESS),
    Nav("to_PhoneNumber", "A_AddressPhoneNumber", many=True, link=_BY_ADDRESS),
)
EMAIL = entity(
    "A_AddressEmailAddressType",
    """
    AddressID:10U! Person:10U! OrdinalNumber:3N! IsDefaultEmailAddress:B EmailAddress:241 SearchEmailAddress:20U-
    AddressCommunicationRemarkText:50
    """,
)
PHONE = entity(
    "A_AddressPhoneNumberType",
    """
    AddressID:10U! Person:10U! OrdinalNumber:3N! DestinationLocationCountry:3U IsDefaultPhoneNumber:B PhoneNumber:30U
    PhoneNumberExtension:10U InternationalPhoneNumber:30U- PhoneNumberType:1U AddressCommunicationRemarkText:50
    """,
)
ADDRESS_USAGE = entity(
    "A_BuPaAddressUsageType",
    """
    BusinessPartner:10U! ValidityEndDate:TS! AddressUsage:10U! AddressID:10U! ValidityStartDate:TS StandardUsage:B
    AuthorizationGroup:4U
    """,
)
TAX_NUMBER = entity(
    "A_BusinessPartnerTaxNumberType",
    "BusinessPartner:10U! BPTaxType:4U! BPTaxNumber:20U BPTaxLongNumber:60U AuthorizationGroup:4U",
)
IDENTIFICATION = entity(
    "A_BuPaIdentificationType",
    """
    BusinessPartner:10U! BPIdentificationType:6U! BPIdentificationNumber:60U! BPIdnNmbrIssuingInstitute:40
    BPIdentificationEntryDate:D Country:3U Region:3U ValidityStartDate:D ValidityEndDate:D AuthorizationGroup:4U
    """,
)
CUSTOMER = entity(
    "A_CustomerType",
    """
    Customer:10U! AuthorizationGroup:4U BillingIsBlockedForCustomer:2U CreatedByUser:12U- CreationDate:D-
    CustomerAccountGroup:4U CustomerClassification:2U CustomerFullName:220U- BPCustomerFullName:220U-
    CustomerName:80- BPCustomerName:81- DeliveryIsBlocked:2U FreeDefinedAttribute01:2U FreeDefinedAttribute02:2U
    FreeDefinedAttribute03:2U FreeDefinedAttribute04:2U FreeDefinedAttribute05:2U NFPartnerIsNaturalPerson:1U-
    OrderIsBlockedForCustomer:2U PostingIsBlocked:B Supplier:10U CustomerCorporateGroup:10U FiscalAddress:10U
    Industry:4U- NielsenRegion:2U PaymentReason:4U ResponsibleType:2U TaxNumber1:16U- TaxNumber2:11U- TaxNumber3:18U-
    TaxNumber4:18U- TaxNumber5:60U- TaxNumberType:2U VATRegistration:20U- DeletionIndicator:B CityCode:4U County:3U
    """,
    Nav("to_CustomerCompany", "A_CustomerCompany", many=True, link=_BY_CUSTOMER),
    Nav("to_CustomerSalesArea", "A_CustomerSalesArea", many=True, link=_BY_CUSTOMER),
)
CUSTOMER_COMPANY = entity(
    "A_CustomerCompanyType",
    """
    Customer:10U! CompanyCode:4U! APARToleranceGroup:4U AccountByCustomer:12U AccountingClerk:2U
    AccountingClerkFaxNumber:31 AccountingClerkInternetAddress:130 AccountingClerkPhoneNumber:30U
    AlternativePayerAccount:10U AuthorizationGroup:4U CollectiveInvoiceVariant:1U CustomerAccountNote:30
    CustomerHeadOffice:10U CustomerSupplierClearingIsUsed:B HouseBank:5U InterestCalculationCode:2U
    InterestCalculationDate:D IntrstCalcFrequencyInMonths:2N IsToBeLocallyProcessed:B ItemIsToBePaidSeparately:B
    LayoutSortingRule:3U PaymentBlockingReason:1U PaymentMethodsList:10U PaymentReason:4U PaymentTerms:4U
    PaytAdviceIsSentbyEDI:B PhysicalInventoryBlockInd:B ReconciliationAccount:10U RecordPaymentHistoryIndicator:B
    UserAtCustomer:15 DeletionIndicator:B CashPlanningGroup:10U KnownOrNegotiatedLeave:4U ValueAdjustmentKey:2U
    CustomerAccountGroup:4U
    """,
)
SALES_AREA = entity(
    "A_CustomerSalesAreaType",
    """
    Customer:10U! SalesOrganization:4U! DistributionChannel:2U! Division:2U! AccountByCustomer:12U
    AuthorizationGroup:4U BillingIsBlockedForCustomer:2U CompleteDeliveryIsDefined:B CreditControlArea:4U Currency:5U
    CustIsRlvtForSettlmtMgmt:B CustomerABCClassification:2U CustomerAccountAssignmentGroup:2U CustomerGroup:2U
    CustomerIsRebateRelevant:B CustomerPaymentTerms:4U CustomerPriceGroup:2U CustomerPricingProcedure:2U
    CustomerStatisticsGroup:1U CustProdProposalProcedure:2U DeliveryIsBlockedForCustomer:2U DeliveryPriority:2N
    IncotermsClassification:3U IncotermsLocation1:70 IncotermsLocation2:70 IncotermsVersion:4U DeletionIndicator:B
    IncotermsTransferLocation:28 InvoiceDate:2U ItemOrderProbabilityInPercent:3N ManualInvoiceMaintIsRelevant:B
    MaxNmbrOfPartialDelivery:1.0 OrderCombinationIsAllowed:B OrderIsBlockedForCustomer:2U
    OverdelivTolrtdLmtRatioInPct:3.1 PartialDeliveryIsAllowed:1U PriceListType:2U ProductUnitGroup:4U
    ProofOfDeliveryTimeValue:6.2 SalesGroup:3U SalesItemProposal:10U SalesOffice:4U ShippingCondition:2U
    SlsDocIsRlvtForProofOfDeliv:B SlsUnlmtdOvrdelivIsAllwd:B SupplyingPlant:4U SalesDistrict:6U
    UnderdelivTolrtdLmtRatioInPct:3.1 InvoiceListSchedule:2U ExchangeRateType:4U AdditionalCustomerGroup1:3U
    AdditionalCustomerGroup2:3U AdditionalCustomerGroup3:3U AdditionalCustomerGroup4:3U AdditionalCustomerGroup5:3U
    PaymentGuaranteeProcedure:4U CustomerAccountGroup:4U
    """,
    Nav(
        "to_SalesAreaTax",
        "A_CustomerSalesAreaTax",
        many=True,
        link={name: name for name in ("Customer", "SalesOrganization", "DistributionChannel", "Division")},
    ),
)
SALES_AREA_TAX = entity(
    "A_CustomerSalesAreaTaxType",
    """
    Customer:10U! SalesOrganization:4U! DistributionChannel:2U! Division:2U! DepartureCountry:3U!
    CustomerTaxCategory:4U! CustomerTaxClassification:1U
    """,
)

PARTNER_SERVICE = Service(
    "API_BUSINESS_PARTNER",
    "API_BUSINESS_PARTNER",
    ("SAP_COM_0008",),
    (
        EntitySet("A_BusinessPartner", PARTNER, creatable=True, updatable=True),
        EntitySet("A_BusinessPartnerRole", ROLE, creatable=True, updatable=True),
        EntitySet("A_BusinessPartnerAddress", ADDRESS, creatable=True, updatable=True, deletable=True),
        EntitySet("A_AddressEmailAddress", EMAIL, creatable=True, updatable=True, deletable=True),
        EntitySet("A_AddressPhoneNumber", PHONE, creatable=True, updatable=True, deletable=True),
        EntitySet("A_BuPaAddressUsage", ADDRESS_USAGE, creatable=True, updatable=True, deletable=True),
        EntitySet("A_BusinessPartnerTaxNumber", TAX_NUMBER, creatable=True, updatable=True, deletable=True),
        EntitySet("A_BuPaIdentification", IDENTIFICATION, creatable=True, updatable=True, deletable=True),
        EntitySet("A_Customer", CUSTOMER, updatable=True),
        EntitySet("A_CustomerCompany", CUSTOMER_COMPANY, creatable=True, updatable=True),
        EntitySet("A_CustomerSalesArea", SALES_AREA, creatable=True, updatable=True),
        EntitySet("A_CustomerSalesAreaTax", SALES_AREA_TAX, creatable=True, updatable=True),
    ),
)
