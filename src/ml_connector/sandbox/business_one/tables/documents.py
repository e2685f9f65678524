"""Marketing documents: orders, deliveries, invoices, credit memos, down payments, drafts share one type.

The grammar of a table is in ``fields``.
"""

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "Document": """
        DocEntry:I!- DocNum:I DocType:BoDocumentTypes HandWritten:BoYesNoEnum DocDate:D DocDueDate:D
        CardCode:S15 CardName:S200 Address:S NumAtCard:S100 DocTotal:N DocCurrency:S3 DocRate:N Reference1:S100
        Reference2:S100 Comments:S254 JournalMemo:S254 PaymentGroupCode:I DocTime:T SalesPersonCode:I
        TransportationCode:I Confirmed:BoYesNoEnum ContactPersonCode:I Series:I TaxDate:D
        PartialSupply:BoYesNoEnum DocObjectCode:BoObjectTypes ShipToCode:S50 Indicator:S FederalTaxID:S32
        DiscountPercent:N CreationDate:D- UpdateDate:D- UpdateTime:T- FinancialPeriod:I- TransNum:I- VatSum:N-
        VatSumSys:N- VatSumFc:N- DocTotalFc:N DocTotalSys:N- RequriedDate:D CancelDate:D PickStatus:BoYesNoEnum-
        PaymentMethod:S Project:S20 Rounding:BoYesNoEnum RoundingDiffAmount:N RoundingDiffAmountFC:N- VatDate:D
        DocumentsOwner:I DocumentSubType:BoDocumentSubType Address2:S DocumentStatus:BoStatus-
        PeriodIndicator:S- PayToCode:S50 ManualNumber:S BPL_IDAssignedToInvoice:I DownPayment:N
        ReserveInvoice:BoYesNoEnum LanguageCode:I TrackingNumber:S30 PickRemark:S TotalDiscount:N-
        TotalDiscountFC:N- DownPaymentAmount:N DownPaymentAmountFC:N DownPaymentPercentage:N
        DownPaymentType:DownPaymentTypeEnum VatPercent:N OpeningRemarks:S ClosingRemarks:S
        Cancelled:BoYesNoEnum- ControlAccount:S AuthorizationStatus:DocumentAuthorizationStatusEnum- BPLName:S-
        VATRegNum:S- CancelStatus:CancelStatusEnum- DownPaymentStatus:BoSoStatus PriceMode:PriceModeDocumentEnum
        UserSign:I- DataVersion:I- PaidToDate:N- PaidToDateFC:N- PaidToDateSys:N- BaseType:I BaseEntry:I DraftKey:I-
        DocumentLines:*DocumentLine DocumentAdditionalExpenses:*DocumentAdditionalExpense
        DocumentReferences:*DocumentReference DownPaymentsToDraw:*DownPaymentToDraw TaxExtension:@TaxExtension
        AddressExtension:@AddressExtension DocumentPackages:*DocumentPackage
        DocumentInstallments:*DocumentInstallment
    """,
    "DocumentLine": """
        LineNum:I ItemCode:S50 ItemDescription:S200 Quantity:N ShipDate:D Price:N PriceAfterVAT:N Currency:S3
        Rate:N DiscountPercent:N WarehouseCode:S8 SalesPersonCode:I AccountCode:S15 UseBaseUnits:BoYesNoEnum
        SupplierCatNum:S CostingCode:S8 CostingCode2:S8 CostingCode3:S8 CostingCode4:S8 CostingCode5:S8
        ProjectCode:S20 BarCode:S254 VatGroup:S8 BaseType:I BaseEntry:I BaseLine:I Address:S TaxCode:S8
        TaxLiable:BoYesNoEnum FreeText:S100 ShippingMethod:I LineTotal:N RowTotalFC:N RowTotalSC:N-
        TaxPercentagePerRow:N TaxTotal:N NetTaxAmount:N- NetTaxAmountFC:N- VisualOrder:I BaseOpenQuantity:N-
        UnitPrice:N LineStatus:BoStatus PackageQuantity:N LineType:BoDocLineType ItemDetails:S LocationCode:I
        ActualDeliveryDate:D RemainingOpenQuantity:N- OpenAmount:N- OpenAmountFC:N-
        WithoutInventoryMovement:BoYesNoEnum ActualBaseEntry:I ActualBaseLine:I DocEntry:I- UoMEntry:I
        UoMCode:S- InventoryQuantity:N RemainingOpenInventoryQuantity:N- ItemType:BoDocItemType- GrossPrice:N
        GrossTotal:N GrossTotalFC:N ShipToCode:S50 MeasureUnit:S UnitsOfMeasurment:N COGSCostingCode:S
        TreeType:BoItemTreeTypes ReturnReason:I BatchNumbers:*BatchNumber SerialNumbers:*SerialNumber
        DocumentLinesBinAllocations:*DocumentLinesBinAllocation
    """,
    "DocumentAdditionalExpense": """
        LineNum:I- ExpenseCode:I LineTotal:N LineTotalFC:N- LineTotalSys:N- Remarks:S254
        DistributionMethod:BoAdEpnsDistribMethods TaxLiable:BoYesNoEnum VatGroup:S8 TaxPercent:N TaxSum:N
        TaxSumFC:N- TaxSumSys:N- TaxCode:S8 TaxType:BoAdEpnsTaxTypes BaseDocEntry:I BaseDocLine:I BaseDocType:I
        Status:BoStatus- TargetAbsEntry:I- TargetType:I- DistributionRule:S DistributionRule2:S
        DistributionRule3:S DistributionRule4:S DistributionRule5:S Project:S20 LineGross:N LineGrossFC:N-
        LineGrossSys:N- PaidToDate:N-
    """,
    "AddressExtension": """
        ShipToStreet:S ShipToStreetNo:S ShipToBlock:S ShipToBuilding:S ShipToCity:S ShipToZipCode:S
        ShipToCounty:S ShipToState:S ShipToCountry:S ShipToAddressType:S BillToStreet:S BillToStreetNo:S
        BillToBlock:S BillToBuilding:S BillToCity:S BillToZipCode:S BillToCounty:S BillToState:S BillToCountry:S
        BillToAddressType:S ShipToAddress2:S ShipToAddress3:S BillToAddress2:S BillToAddress3:S DocEntry:I-
    """,
    "TaxExtension": """
        TaxId0:S TaxId1:S State:S3 County:S100 Incoterms:S Vehicle:S StreetS:S BlockS:S BuildingS:S CityS:S
        ZipCodeS:S CountyS:S StateS:S CountryS:S StreetB:S BlockB:S BuildingB:S CityB:S ZipCodeB:S CountyB:S
        StateB:S CountryB:S DocEntry:I-
    """,
    "DocumentReference": """
        DocEntry:I LineNumber:I RefDocEntr:I RefDocNum:I ExtDocNum:S RefObjType:ReferencedObjectTypeEnum
        Remark:S IssueDate:D
    """,
    "DownPaymentToDraw": """
        DocEntry:I PostingDate:D- DueDate:D- Name:S50- Details:S- AmountToDraw:N AmountToDrawFC:N
        AmountToDrawSC:N DownPaymentType:DownPaymentTypeEnum- DocInternalID:I- RowNum:I- DocNumber:I- Tax:N-
        TaxFC:N- GrossAmountToDraw:N GrossAmountToDrawFC:N IsGrossLine:BoYesNoEnum-
    """,
    "DocumentPackage": """
        Number:I Type:S TotalWeight:N- Units:I
    """,
    "DocumentInstallment": """
        DueDate:D Percentage:N Total:N LastDunningDate:D- DunningLevel:I TotalFC:N InstallmentId:I-
        PaymentOrdered:BoYesNoEnum-
    """,
    "BatchNumber": """
        BatchNumber:S Quantity:N BaseLineNumber:I ItemCode:S50 Notes:S
    """,
    "SerialNumber": """
        InternalSerialNumber:S ManufacturerSerialNumber:S BaseLineNumber:I Quantity:N
    """,
    "DocumentLinesBinAllocation": """
        BinAbsEntry:I Quantity:N BaseLineNumber:I
    """,
}
