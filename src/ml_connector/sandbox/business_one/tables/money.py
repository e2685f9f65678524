"""Payments and journal entries.

The grammar of a table is in ``fields``.
"""

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "Payment": """
        DocEntry:I!- DocNum:I DocType:BoRcptTypes HandWritten:BoYesNoEnum DocDate:D CardCode:S15 CardName:S200
        Address:S CashAccount:S15 DocCurrency:S3 CashSum:N CashSumFC:N- CheckAccount:S15 TransferAccount:S15
        TransferSum:N TransferDate:D TransferReference:S27 LocalCurrency:BoYesNoEnum DocRate:N Reference1:S100
        Reference2:S100 CounterReference:S8 Remarks:S254 JournalRemarks:S50 TaxDate:D Series:I ProjectCode:S20
        DueDate:D DocObjectCode:BoPaymentsObjectType PaymentType:BoORCTPaymentTypeEnum BPLID:I BPLName:S-
        ControlAccount:S Cancelled:BoYesNoEnum- CancelStatus:CancelStatusEnum-
        AuthorizationStatus:PaymentsAuthorizationStatusEnum- PaymentReferenceNo:S27 ContactPersonCode:I
        BankChargeAmount:N PayToCode:S50 TransferRealAmount:N VatDate:D PaymentInvoices:*PaymentInvoice
        PaymentCreditCards:*PaymentCreditCard PaymentChecks:*PaymentCheck PaymentAccounts:*PaymentAccount
    """,
    "PaymentInvoice": """
        LineNum:I DocEntry:I SumApplied:N AppliedFC:N AppliedSys:N DocRate:N DocLine:I
        InvoiceType:BoRcptInvTypes DiscountPercent:N PaidSum:N InstallmentId:I TotalDiscount:N TotalDiscountFC:N
        DistributionRule:S LinkDate:D-
    """,
    "PaymentCreditCard": """
        LineNum:I CreditCard:I CreditAcct:S CreditCardNumber:S64 CardValidUntil:D VoucherNum:S20 OwnerIdNum:S
        OwnerPhone:S PaymentMethodCode:I NumOfPayments:I FirstPaymentDue:D FirstPaymentSum:N
        AdditionalPaymentSum:N CreditSum:N CreditCur:S3 CreditRate:N ConfirmationNum:S NumOfCreditPayments:I
        CreditType:BoRcptCredTypes SplitPayments:BoYesNoEnum
    """,
    "PaymentCheck": """
        LineNum:I DueDate:D CheckNumber:I BankCode:S Branch:S AccounttNum:S Details:S CheckSum:N Currency:S3
        CountryCode:S CheckAccount:S15
    """,
    "PaymentAccount": """
        LineNum:I AccountCode:S15 SumPaid:N SumPaidFC:N Decription:S VatGroup:S8 AccountName:S GrossAmount:N
        ProjectCode:S20 VatAmount:N ProfitCenter:S
    """,
    "InternalReconciliation": """
        ReconNum:I!- ReconDate:D- CardOrAccount:CardOrAccountEnum- ReconType:ReconTypeEnum- Total:N- CancelAbs:I-
        InternalReconciliationRows:*InternalReconciliationRow
    """,
    "InternalReconciliationRow": """
        LineSeq:I- ShortName:S- TransId:I- TransRowId:I- SrcObjTyp:S- SrcObjAbs:I- CreditOrDebit:CreditOrDebitEnum-
        ReconcileAmount:N- CashDiscount:N-
    """,
    "InternalReconciliationOpenTransParams": """
        ReconDate:D CardOrAccount:CardOrAccountEnum AccountNo:S DateType:ReconSelectDateTypeEnum FromDate:D ToDate:D
        InternalReconciliationBPs:*InternalReconciliationBP
    """,
    "InternalReconciliationBP": """
        BPCode:S
    """,
    "InternalReconciliationOpenTrans": """
        ReconDate:D CardOrAccount:CardOrAccountEnum
        InternalReconciliationOpenTransRows:*InternalReconciliationOpenTransRow
    """,
    "InternalReconciliationOpenTransRow": """
        Selected:BoYesNoEnum ShortName:S- TransId:I TransRowId:I SrcObjTyp:S- SrcObjAbs:I-
        CreditOrDebit:CreditOrDebitEnum- ReconcileAmount:N CashDiscount:N
    """,
    "JournalEntry": """
        JdtNum:I!- ReferenceDate:D Memo:S50 Reference:S100 Reference2:S100 Reference3:S100 TransactionCode:S
        ProjectCode:S20 TaxDate:D Indicator:S DueDate:D VatDate:D Series:I Number:I-
        OriginalJournal:TransTypesEnum- Original:I- BaseReference:S- AutoVAT:BoYesNoEnum
        UseAutoStorno:BoYesNoEnum StornoDate:D JournalEntryLines:*JournalEntryLine
    """,
    "JournalEntryLine": """
        Line_ID:I AccountCode:S15 Debit:N Credit:N FCDebit:N FCCredit:N FCCurrency:S3 DebitSys:N CreditSys:N
        DueDate:D ShortName:S15 ContraAccount:S LineMemo:S50 Reference1:S100 Reference2:S100
        AdditionalReference:S ProjectCode:S20 CostingCode:S8 CostingCode2:S8 CostingCode3:S8 CostingCode4:S8
        CostingCode5:S8 TaxDate:D TaxGroup:S TaxCode:S8 BaseSum:N VatAmount:N VatLine:BoYesNoEnum BPLID:I
        BPLName:S- ControlAccount:S
    """,
}
