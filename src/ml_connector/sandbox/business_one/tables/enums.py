"""Enumerations: member name and the value behind it. A body and a filter take either; answers give the name.

``PARTIAL`` names those of which only the members that the stand-in has a use for are kept.
"""

from collections.abc import Mapping

PARTIAL = frozenset({"BoObjectTypes"})

_TABLE = """
AuthenticationTypeEnum: None Basic OAuth HMAC
BoAccountTypes: at_Revenues=I at_Expenses=E at_Other=N
BoAdEpnsDistribMethods: aedm_None=N aedm_Quantity=Q aedm_Volume=V aedm_Weight=W aedm_Equally=E aedm_RowTotal=T
BoAdEpnsTaxTypes: aext_NormalTax=Y aext_NoTax=N aext_UseTax=U
BoAddressType: bo_ShipTo=S bo_BillTo=B
BoAeDistMthd: aed_Equally=E aed_LineTotal=T aed_None=N aed_Quantity=Q aed_Volume=V aed_Weight=W
BoBusinessPartnerGroupTypes: bbpgt_CustomerGroup=C bbpgt_VendorGroup=S
BoCardCompanyTypes: cCompany=C cPrivate=I cGovernment=G cEmployee=E
BoCardTypes: cCustomer=C cSupplier=S cLid=L
BoDocItemType: dit_Item=4 dit_Resource=290
BoDocLineType: dlt_Regular=R dlt_Alternative=A
BoDocumentSubType: bod_None=-- bod_InvoiceExempt=IE bod_DebitMemo=DN bod_Bill=IB bod_ExemptBill=EB
  bod_PurchaseDebitMemo=DM bod_ExportInvoice=IX bod_GSTTaxInvoice=GA bod_GSTDebitMemo=GD bod_RefundVoucher=RV
BoDocumentTypes: dDocument_Items=I dDocument_Service=S
BoFieldTypes: db_Alpha=A db_Memo=M db_Numeric=N db_Date=D db_Float=B
BoFldSubTypes: st_None= st_Address=? st_Phone=# st_Time=T st_Rate=R st_Sum=S st_Price=P st_Quantity=Q
  st_Percentage=% st_Measurement=M st_Link=B st_Image=I
BoItemTreeTypes: iNotATree=N iAssemblyTree=A iSalesTree=S iProductionTree=P iTemplateTree=T iIngredient=I
BoORCTPaymentTypeEnum: bopt_None=N bopt_Electronic=E bopt_Post=P bopt_Telegraph=T bopt_Express=X
BoObjectTypes: oChartOfAccounts=1 oBusinessPartners=2 oItems=4 oInvoices=13 oCreditNotes=14 oDeliveryNotes=15
  oReturns=16 oOrders=17 oQuotations=23 oIncomingPayments=24 oJournalEntries=30 oVendorPayments=46 oDrafts=112
  oPaymentsDrafts=140 oDownPayments=203
BoPayTermDueTypes: pdt_MonthEnd=E pdt_HalfMonth=H pdt_MonthStart=Y pdt_None=N
BoPaymentsObjectType: bopot_IncomingPayments=24 bopot_OutgoingPayments=46
BoPriceListGroupNum: boplgn_Group1=0 boplgn_Group2=1 boplgn_Group3=2 boplgn_Group4=3
BoRcptCredTypes: cr_Regular=S cr_Telephone=U cr_InternetTransaction=I
BoRcptInvTypes: it_AllTransactions=-1 it_OpeningBalance=-2 it_ClosingBalance=-3 it_Invoice=13 it_CredItnote=14
  it_TaxInvoice=15 it_Return=16 it_PurchaseInvoice=18 it_PurchaseCreditNote=19 it_PurchaseDeliveryNote=20
  it_PurchaseReturn=21 it_Receipt=24 it_Deposit=25 it_JournalEntry=30 it_PaymentAdvice=46 it_ChequesForPayment=57
  it_StockReconciliations=58 it_GeneralReceiptToStock=59 it_GeneralReleaseFromStock=60
  it_TransferBetweenWarehouses=67 it_WorkInstructions=68 it_DeferredDeposit=76 it_CorrectionInvoice=132
  it_APCorrectionInvoice=163 it_ARCorrectionInvoice=165 it_DownPayment=203 it_PurchaseDownPayment=204
BoRcptTypes: rCustomer=C rAccount=A rSupplier=S
BoRoundingMethod: borm_FixedEnding=4 borm_FixedInterval=5 borm_NoRounding=0 borm_RoundToFullAmount=2
  borm_RoundToFullDecAmount=1 borm_RoundToFullTensAmount=3
BoRoundingRule: borrRoundDown=F borrRoundOff=R borrRoundUp=C
BoSeriesGroupEnum: sg_Group1=1 sg_Group2=2 sg_Group3=3 sg_Group4=4 sg_Group5=5 sg_Group6=6 sg_Group7=7 sg_Group8=8
  sg_Group9=9 sg_Group10=10
BoSeriesTypeEnum: stDocument=D stBusinessPartner=B stItem=I stResource=R
BoSoStatus: so_Open=O so_Closed=C
BoStatus: bost_Open=O bost_Close=C bost_Paid=P bost_Delivered=D
BoSuppLangs: ln_Null=0 ln_Hebrew=1 ln_Spanish_Ar=2 ln_English=3 ln_Polish=5 ln_English_Sg=6 ln_Spanish_Pa=7
  ln_English_Gb=8 ln_German=9 ln_Serbian=10 ln_Danish=11 ln_Norwegian=12 ln_Italian=13 ln_Hungarian=14 ln_Chinese=15
  ln_Dutch=16 ln_Finnish=17 ln_Greek=18 ln_Portuguese=19 ln_Swedish=20 ln_English_Cy=21 ln_French=22 ln_Spanish=23
  ln_Russian=24 ln_Spanish_La=25 ln_Czech_Cz=26 ln_Slovak_Sk=27 ln_Korean_Kr=28 ln_Portuguese_Br=29
  ln_Japanese_Jp=30 ln_Turkish_Tr=31 ln_Arabic=32 ln_Ukrainian=33 ln_TrdtnlChinese_Hk=35
BoUTBTableType: bott_Document=3 bott_DocumentLines=4 bott_MasterData=1 bott_MasterDataLines=2 bott_NoObject=0
  bott_NoObjectAutoIncrement=5
BoVatCategoryEnum: bovcInputTax=I bovcOutputTax=O
BoVatStatus: vExempted=N vLiable=Y vEC=E
BoYesNoEnum: tNO=N tYES=Y
CancelStatusEnum: csYes=Y csNo=N csCancellation=C
CardOrAccountEnum: coaCard=C coaAccount=A
CreditOrDebitEnum: codCredit=C codDebit=D
CurrenciesDecimalsEnum: cd1Digit=1 cd2Digits=2 cd3Digits=3 cd4Digits=4 cd5Digits=5 cd6Digits=6 cdDefault=-1
  cdWithoutDecimals=0
DocumentAuthorizationStatusEnum: dasWithout=- dasPending=W dasApproved=Y dasRejected=N dasGenerated=P
  dasGeneratedbyAuthorizer=A dasCancelled=C
DownPaymentTypeEnum: dptRequest=N dptInvoice=Y
DrawingMethodEnum: dmAll=A dmNone=N dmQuantity=Q dmTotal=T
EventReplayStateEnum: None Replaying Completed
EventStatusEnum: New Failed PartiallyDelivered Delivered Archived
FreightTypeEnum: ftShipping=1 ftInsurance=2 ftOther=3 ftSpecial=4
ItemTypeEnum: itItems=I itLabor=L itTravel=T itFixedAssets=F
ItemUoMTypeEnum: iutPurchasing=P iutSales=S iutInventory=I
PaymentsAuthorizationStatusEnum: pasWithout=- pasPending=W pasApproved=Y pasRejected=N pasGenerated=P
  pasGeneratedbyAuthorizer=A pasCancelled=C
PeriodStatusEnum: ltUnlocked=N ltUnlockedExceptSales=S ltPeriodClosing=C ltLocked=Y
PriceModeDocumentEnum: pmdNet=N pmdGross=G pmdNetAndGross=M
ReconSelectDateTypeEnum: rsdtPostDate=R rsdtDueDate=D rsdtDocDate=T
ReconTypeEnum: rtManual=0 rtAutomatic=1 rtSemiAutomatic=2 rtPayment=3 rtCreditMemo=4 rtReversal=5 rtZeroValue=6
  rtCancellation=7 rtBoE=8 rtDeposit=9 rtBankStatementProcess=10 rtPeriodClosing=11 rtCorrectionInvoice=12
  rtInventoryOrExpenseAllocation=13 rtWIP=14 rtDeferredTaxInterimAccount=15
  rtDownPaymentAllocation=16 rtAutoConversionDifference=17 rtInterimDocument=18
ReferencedObjectTypeEnum: rot_ExternalDocument rot_SalesQuotation rot_SalesOrder rot_DeliveryNotes rot_ReturnRequest
  rot_Return rot_DownPaymentIncoming rot_SalesInvoice rot_SalesCreditNote rot_CorrectionSalesInvoice
  rot_SalesTaxInvoice rot_PurchaseQuotation rot_PurchaseOrder rot_GoodsReceiptPO rot_GoodsReturnRequest
  rot_GoodsReturn rot_DownPaymentOutgoing rot_PurchaseInvoice rot_PurchaseCreditNote rot_CorrectionPurchaseInvoice
  rot_PurchaseTaxInvoice rot_LandedCosts rot_IncomingPayments rot_JournalEntry rot_ProductionOrder
  rot_InternalReconciliation rot_OriginalInvoice rot_OriginalARDownPayment rot_PurchaseRequest rot_GoodsReceipt
  rot_GoodsIssue rot_InventoryTransferRequest rot_InventoryTransfer rot_ChecksforPayment rot_MaterialRevaluation
  rot_InventoryCounting rot_InventoryPosting rot_OutgoingPayments
RoundingSysEnum: rsNoRounding=0 rsRoundToFiveHundredth=4 rsRoundToOne=2 rsRoundToTen=3 rsRoundToTenHundredth=1
SourceCurrencyEnum: sc_PrimaryCurrency=0 sc_AdditionalCurrency1=1 sc_AdditionalCurrency2=2
TransTypesEnum: ttAllTransactions=-1 ttOpeningBalance=-2 ttClosingBalance=-3 ttARInvoice=13 ttARCredItnote=14
  ttDelivery=15 ttReturn=16 ttAPInvoice=18 ttAPCreditNote=19 ttPurchaseDeliveryNote=20 ttPurchaseReturn=21
  ttReceipt=24 ttDeposit=25 ttJournalEntry=30 ttVendorPayment=46 ttChequesForPayment=57 ttStockList=58
  ttGeneralReceiptToStock=59 ttGeneralReleaseFromStock=60 ttTransferBetweenWarehouses=67 ttWorkInstructions=68
  ttLandedCosts=69 ttDeferredDeposit=76 ttCorrectionInvoice=132 ttInventoryValuation=162 ttAPCorrectionInvoice=163
  ttAPCorrectionInvoiceReversal=164 ttARCorrectionInvoice=165 ttARCorrectionInvoiceReversal=166 ttBoETransaction=182
  ttProductionOrder=202 ttDownPayment=203 ttPurchaseDownPayment=204 ttInternalReconciliation=321
TransactionTypeEnum: Created Updated Deleted Cancelled Reopened Closed
WebhookStateEnum: Active Inactive Exceptional
WebhookWorkModeEnum: Standard Replay
"""

ENUMS: Mapping[str, Mapping[str, str]] = {
    name: {member.partition("=")[0]: member.partition("=")[2] if "=" in member else member for member in rest.split()}
    for name, _, rest in (line.partition(":") for line in _TABLE.replace("\n  ", " ").strip().splitlines())
}
"""Enumeration -> member name -> value."""
