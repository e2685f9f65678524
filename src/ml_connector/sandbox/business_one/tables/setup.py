"""User-defined fields, tables and keys, stored queries, webhooks, and what the company services tell.

The grammar of a table is in ``fields``.
"""

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "PeriodCategoryParams": """
        AbsoluteEntry:I
    """,
    "FinancePeriod": """
        AbsoluteEntry:I PeriodCode:S PeriodName:S PostingDateFrom:D PostingDateTo:D Locked:BoYesNoEnum
        PeriodIndicator:S PeriodStatus:PeriodStatusEnum
    """,
    "UserFieldMD": """
        Name:S50 Type:BoFieldTypes Size:I Description:S SubType:BoFldSubTypes LinkedTable:S DefaultValue:S
        TableName:S! FieldID:I!- EditSize:I Mandatory:BoYesNoEnum LinkedUDO:S ValidValuesMD:*ValidValueMD
    """,
    "ValidValueMD": """
        Value:S Description:S
    """,
    "UserTablesMD": """
        TableName:S19! TableDescription:S TableType:BoUTBTableType Archivable:BoYesNoEnum ArchiveDateField:S
    """,
    "UserKeysMD": """
        TableName:S! KeyIndex:I!- KeyName:S10 Unique:BoYesNoEnum UserKeysMD_Elements:*UserKeysMD_Element
    """,
    "UserKeysMD_Element": """
        SubKeyIndex:I- ColumnAlias:S
    """,
    "SQLQuery": """
        SqlCode:S20! SqlName:S SqlText:S ParamList:S CreateDate:D- UpdateDate:D-
    """,
    "EventSubscription": """
        WebhookID:S40! WebhookURL:S254 AuthenticationType:AuthenticationTypeEnum AuthenticationCred:S
        Handshake:BoYesNoEnum VerifyCertificate:BoYesNoEnum State:WebhookStateEnum WorkMode:WebhookWorkModeEnum
        LastErrMsg:S- LastSentDate:D- LastSentTime:S- CreateDate:D- CreateTime:S- UpdateDate:D- UpdateTime:S-
        EventCollection:*Event
    """,
    "Event": """
        WebhookID:S40 BusinessObject:S ObjectType:S TransactionType:TransactionTypeEnum
    """,
    "EventNotification": """
        EventID:S! BusinessObject:S ObjectType:S TransactionType:S Operation:S- FieldsInKey:I- FieldNames:S-
        FieldValues:S- Status:EventStatusEnum ReplayState:EventReplayStateEnum- SourceDB:S- UserID:S- CreateDate:D-
        CreateTime:S- UpdateDate:D- UpdateTime:S-
    """,
    "AdminInfo": """
        CompanyName:S LocalCurrency:S SystemCurrency:S TotalsAccuracy:I PriceAccuracy:I RateAccuracy:I
        PercentageAccuracy:I AccuracyofQuantities:I MeasuringAccuracy:I QueryAccuracy:I DefaultWarehouse:S
        DefaultTaxCode:S EnableBranches:BoYesNoEnum EnableApprovalProcedureInDI:BoYesNoEnum
        BlockStockNegativeQuantity:BoYesNoEnum AllowFuturePostingDate:BoYesNoEnum Country:S3
        EnableWebhook:BoYesNoEnum WebhookRetryTimes:I WebhookRetryInterval:I WebhookRequestTimeout:I
        MaxNumberOfWebHooks:I MessageBatchLimit:I MessageTTL:I MessageRetentionTime:I
        DirectIndirectRate:BoYesNoEnum RoundTaxAmounts:BoYesNoEnum EnableSeparatePriceMode:BoYesNoEnum
    """,
    "CompanyInfo": """
        Version:I- CompanyName:S- BlockStockNegativeQuantity:BoYesNoEnum
        EnableTransactionNotification:BoYesNoEnum MaxNumberOfDocumentsInPmt:I
        EnableAccountSegmentation:BoYesNoEnum EnableBillOfExchange:BoYesNoEnum LanguageCode:BoSuppLangs
    """,
    "Series": """
        Document:S DocumentSubType:S InitialNumber:I LastNumber:I NextNumber:I Prefix:S Suffix:S Remarks:S254
        GroupCode:BoSeriesGroupEnum Locked:BoYesNoEnum PeriodIndicator:S Name:S50 Series:I
        IsDigitalSeries:BoYesNoEnum DigitNumber:I SeriesType:BoSeriesTypeEnum IsManual:BoYesNoEnum- BPLID:I
    """,
}
