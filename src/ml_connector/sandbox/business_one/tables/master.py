"""Business partners, items and what documents refer to.

The grammar of a table is in ``fields``.
"""

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "BusinessPartner": """
        CardCode:S15! CardName:S200 CardType:BoCardTypes GroupCode:I Address:S ZipCode:S20 Phone1:S50 Phone2:S
        Fax:S ContactPerson:S Notes:S PayTermsGrpCode:I CreditLimit:N MaxCommitment:N DiscountPercent:N
        VatLiable:BoVatStatus FederalTaxID:S32 PriceListNum:I FreeText:S100 SalesPersonCode:I Currency:S3
        Cellular:S50 City:S100 County:S100 Country:S3 EmailAddress:S100 AdditionalID:S64 CardForeignName:S
        CurrentAccountBalance:N- OpenDeliveryNotesBalance:N- OpenOrdersBalance:N- VatGroup:S8 ShippingType:I
        Indicator:S DebitorAccount:S Valid:BoYesNoEnum ValidFrom:D ValidTo:D ValidRemarks:S Frozen:BoYesNoEnum
        FrozenFrom:D FrozenTo:D FrozenRemarks:S BillToState:S ShipToState:S ShipToDefault:S BilltoDefault:S
        ProjectCode:S20 Website:S CompanyPrivate:BoCardCompanyTypes LanguageCode:I Series:I AliasName:S100
        UnifiedFederalTaxID:S PeymentMethodCode:S BackOrder:BoYesNoEnum PartialDelivery:BoYesNoEnum
        UpdateDate:D- UpdateTime:T- CreateDate:D- CreateTime:T- DataVersion:I- BPAddresses:*BPAddress
        ContactEmployees:*ContactEmployee
    """,
    "BPAddress": """
        AddressName:S50 AddressType:BoAddressType Street:S100 StreetNo:S100 Block:S100 ZipCode:S20 City:S100
        County:S100 Country:S3 State:S3 FederalTaxID:S32 TaxCode:S8 BuildingFloorRoom:S AddressName2:S
        AddressName3:S TypeOfAddress:S BPCode:S15 RowNum:I GlobalLocationNumber:S CreateDate:D- CreateTime:T-
    """,
    "ContactEmployee": """
        CardCode:S15 Name:S50 Position:S Address:S Phone1:S50 Phone2:S MobilePhone:S Fax:S E_Mail:S100
        Remarks1:S InternalCode:I Title:S Active:BoYesNoEnum FirstName:S50 MiddleName:S LastName:S50
        CreateDate:D- CreateTime:T- UpdateDate:D- UpdateTime:T-
    """,
    "Item": """
        ItemCode:S50! ItemName:S200 ForeignName:S200 ItemsGroupCode:I SalesVATGroup:S8 BarCode:S254
        VatLiable:BoYesNoEnum PurchaseItem:BoYesNoEnum SalesItem:BoYesNoEnum InventoryItem:BoYesNoEnum
        IncomeAccount:S DesiredInventory:N MinInventory:N MaxInventory:N Picture:S User_Text:S
        TreeType:BoItemTreeTypes Manufacturer:I QuantityOnStock:N- QuantityOrderedFromVendors:N-
        QuantityOrderedByCustomers:N- ManageSerialNumbers:BoYesNoEnum ManageBatchNumbers:BoYesNoEnum
        Valid:BoYesNoEnum ValidFrom:D ValidTo:D Frozen:BoYesNoEnum FrozenFrom:D FrozenTo:D FrozenRemarks:S
        SalesUnit:S SalesItemsPerUnit:N SalesUnitWeight:N InventoryUOM:S PurchaseVATGroup:S
        MovingAveragePrice:N- DefaultWarehouse:S ManageStockByWarehouse:BoYesNoEnum ArTaxCode:S8 ApTaxCode:S
        ItemType:ItemTypeEnum Series:I UoMGroupEntry:I InventoryUoMEntry:I DefaultSalesUoMEntry:I SWW:S
        SupplierCatalogNo:S UpdateDate:D- UpdateTime:T- CreateDate:D- CreateTime:T- DataVersion:I-
        ItemPrices:*ItemPrice ItemWarehouseInfoCollection:*ItemWarehouseInfo ItemBarCodeCollection:*ItemBarCode
        ItemUnitOfMeasurementCollection:*ItemUnitOfMeasurement
    """,
    "ItemPrice": """
        PriceList:I Price:N Currency:S3 AdditionalPrice1:N AdditionalCurrency1:S AdditionalPrice2:N
        AdditionalCurrency2:S BasePriceList:I Factor:N
    """,
    "ItemWarehouseInfo": """
        WarehouseCode:S8 ItemCode:S50- InStock:N- Committed:N- Ordered:N- Locked:BoYesNoEnum MinimalStock:N
        MaximalStock:N MinimalOrder:N StandardAveragePrice:N CountedQuantity:N- WasCounted:BoYesNoEnum-
    """,
    "ItemBarCode": """
        AbsEntry:I UoMEntry:I Barcode:S FreeText:S100
    """,
    "ItemUnitOfMeasurement": """
        UoMType:ItemUoMTypeEnum UoMEntry:I DefaultBarcode:I DefaultPackage:I Weight1:N
    """,
    "Warehouse": """
        WarehouseCode:S8! WarehouseName:S Street:S100 StreetNo:S100 Block:S100 ZipCode:S20 City:S100 County:S100
        Country:S3 State:S3 BuildingFloorRoom:S Location:I DropShip:BoYesNoEnum Nettable:BoYesNoEnum
        Inactive:BoYesNoEnum BusinessPlaceID:I EnableBinLocations:BoYesNoEnum DefaultBin:I InternalKey:I
        TaxGroup:S AllowUseTax:BoYesNoEnum
    """,
    "ChartOfAccount": """
        Code:S15! Name:S50 Balance:N- CashAccount:BoYesNoEnum ActiveAccount:BoYesNoEnum AccountLevel:I-
        FatherAccountKey:S ExternalCode:S AccountType:BoAccountTypes AcctCurrency:S Balance_syscurr:N-
        Balance_FrgnCurr:N- Protected:BoYesNoEnum LockManualTransaction:BoYesNoEnum FormatCode:S
        DefaultVatGroup:S ProjectRelevant:BoYesNoEnum DistributionRuleRelevant:BoYesNoEnum ValidFor:BoYesNoEnum
        ValidFrom:D ValidTo:D FrozenFor:BoYesNoEnum FrozenFrom:D FrozenTo:D ForeignName:S200 Details:S
    """,
    "VatGroup": """
        Code:S8! Name:S100 Category:BoVatCategoryEnum TaxAccount:S EU:BoYesNoEnum Inactive:BoYesNoEnum
        VatGroups_Lines:*VatGroups_Line
    """,
    "VatGroups_Line": """
        Effectivefrom:D Rate:N EqualizationTax:N DatevCode:I
    """,
    "SalesTaxCode": """
        Code:S8! Name:S100 Rate:N- ValidForAR:BoYesNoEnum ValidForAP:BoYesNoEnum Freight:BoYesNoEnum
        IsItemLevel:BoYesNoEnum Inactive:BoYesNoEnum SalesTaxCodes_Lines:*SalesTaxCodes_Line
    """,
    "SalesTaxCodes_Line": """
        STCCode:S- STAType:I STACode:S RowNumber:I- EffectiveRate:N-
    """,
    "AdditionalExpense": """
        ExpensCode:I!- Name:S50 RevenuesAccount:S ExpenseAccount:S TaxLiable:BoYesNoEnum FixedAmountRevenues:N
        FixedAmountExpenses:N OutputVATGroup:S InputVATGroup:S DistributionMethod:BoAeDistMthd
        DrawingMethod:DrawingMethodEnum FreightType:FreightTypeEnum Stock:BoYesNoEnum Project:S20
        DistributionRule:S
    """,
    "Currency": """
        Code:S3! Name:S50 DocumentsCode:S InternationalDescription:S HundredthName:S EnglishName:S
        EnglishHundredthName:S Decimals:CurrenciesDecimalsEnum Rounding:RoundingSysEnum
        RoundingInPayment:BoYesNoEnum MaxIncomingAmtDiff:N MaxOutgoingAmtDiff:N MaxIncomingAmtDiffPercent:N
        MaxOutgoingAmtDiffPercent:N
    """,
    "DistributionRule": """
        FactorCode:S8! FactorDescription:S TotalFactor:N Direct:S InWhichDimension:I Active:BoYesNoEnum
        IsFixedAmount:BoYesNoEnum DistributionRuleLines:*DistributionRuleLine
    """,
    "DistributionRuleLine": """
        CenterCode:S8 TotalInCenter:N EffectiveFrom:D EffectiveTo:D
    """,
    "ProfitCenter": """
        CenterCode:S8! CenterName:S GroupCode:S InWhichDimension:I CostCenterType:S EffectiveFrom:D
        EffectiveTo:D Active:BoYesNoEnum
    """,
    "Dimension": """
        DimensionCode:I!- DimensionName:S- IsActive:BoYesNoEnum DimensionDescription:S
    """,
    "BusinessPlace": """
        BPLID:I!- BPLName:S BPLNameForeign:S VATRegNum:S Address:S MainBPL:BoYesNoEnum Disabled:BoYesNoEnum
        DefaultCustomerID:S DefaultWarehouseID:S DefaultTaxCode:S FederalTaxID:S32 City:S100 Country:S3 State:S3
        Street:S100 ZipCode:S20 PaymentClearingAccount:S AliasName:S100
    """,
    "PriceList": """
        PriceListNo:I! PriceListName:S BasePriceList:I Factor:N IsGrossPrice:BoYesNoEnum Active:BoYesNoEnum
        ValidFrom:D ValidTo:D DefaultPrimeCurrency:S DefaultAdditionalCurrency1:S DefaultAdditionalCurrency2:S
        RoundingMethod:BoRoundingMethod RoundingRule:BoRoundingRule FixedAmount:N GroupNum:BoPriceListGroupNum
    """,
    "SpecialPrice": """
        CardCode:S15! ItemCode:S50! Price:N Currency:S3 DiscountPercent:N PriceListNum:I AutoUpdate:BoYesNoEnum
        SourcePrice:SourceCurrencyEnum Valid:BoYesNoEnum ValidFrom:D ValidTo:D
        SpecialPriceDataAreas:*SpecialPriceDataArea
    """,
    "SpecialPriceDataArea": """
        RowNumber:I DateFrom:D Dateto:D SpecialPrice:N Discount:N PriceCurrency:S AutoUpdate:BoYesNoEnum
        PriceListNo:I SpecialPriceQuantityAreas:*SpecialPriceQuantityArea
    """,
    "SpecialPriceQuantityArea": """
        Quantity:N SpecialPrice:N Discountin:N PriceCurrency:S UoMEntry:I RowNumber:I
    """,
    "ItemGroups": """
        Number:I!- GroupName:S InventoryAccount:S RevenuesAccount:S DefaultUoMGroup:I
    """,
    "BusinessPartnerGroup": """
        Code:I!- Name:S50 Type:BoBusinessPartnerGroupTypes
    """,
    "PaymentTermsType": """
        GroupNumber:I!- PaymentTermsGroupName:S100 StartFrom:BoPayTermDueTypes NumberOfAdditionalMonths:I
        NumberOfAdditionalDays:I CreditLimit:N GeneralDiscount:N PriceListNo:I NumberOfInstallments:I-
    """,
    "ShippingType": """
        Code:I!- Name:S50 Website:S
    """,
    "CreditCard": """
        CreditCardCode:I!- CreditCardName:S GLAccount:S Telephone:S CompanyID:S CountryCode:S
    """,
    "CreditPaymentMethod": """
        PaymentMethodCode:I!- Name:S50 AssignedtoCreditCard:I PaymentCode:S
    """,
    "SalesPerson": """
        SalesEmployeeCode:I!- SalesEmployeeName:S Remarks:S254 CommissionForSalesEmployee:N Locked:BoYesNoEnum-
        Active:BoYesNoEnum
    """,
    "Project": """
        Code:S15! Name:S50 ValidFrom:D ValidTo:D Active:BoYesNoEnum
    """,
    "Country": """
        Code:S3! Name:S50 CodeForReports:S EU:BoYesNoEnum
    """,
    "State": """
        Code:S15! Country:S3! Name:S50
    """,
}
