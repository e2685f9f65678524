"""Unbound functions: what the company says of itself, series, rates, prices, previews."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.business_one import checks
from ml_connector.sandbox.business_one.company import Company, rounded
from ml_connector.sandbox.business_one.documents import SET_OF_OBJECT
from ml_connector.sandbox.business_one.errors import B1Error, bad_query, missing_reference, refused
from ml_connector.sandbox.business_one.fields import SETS, Row
from ml_connector.sandbox.business_one.message import Answer, Request, empty, json_answer
from ml_connector.sandbox.business_one.pricing import price_line, terms_of
from ml_connector.sandbox.business_one.read import Reader
from ml_connector.sandbox.business_one.reconciliations import open_items
from ml_connector.sandbox.business_one.values import Reading, read_day
from ml_connector.sandbox.business_one.write import Writer

SETTABLE = {
    "EnableWebhook": "webhook_enabled",
    "WebhookRetryTimes": "webhook_retry_times",
    "WebhookRetryInterval": "webhook_retry_interval_s",
    "WebhookRequestTimeout": "webhook_timeout_s",
}
INSTALLATION = "0020123456"
CONTEXTS = {"rcRate": "rate_accuracy", "rcPrice": "price_accuracy", "rcQuantity": "quantity_accuracy"}


@dataclass
class Services:
    company: Company
    reader: Reader
    writer: Writer

    def functions(self) -> Mapping[str, Callable[[Request], Answer]]:
        return {
            "CompanyService_GetAdminInfo": self.admin_info,
            "CompanyService_UpdateAdminInfo": self.update_admin_info,
            "CompanyService_GetCompanyInfo": self.company_info,
            "CompanyService_GetCurrentServerTime": self.server_time,
            "CompanyService_RoundDecimal": self.round_decimal,
            "CompanyService_GetPeriods": self.periods,
            "CompanyService_GetFinancePeriods": self.finance_periods,
            "CompanyService_GetItemPrice": self.item_price,
            "LicenseService_GetInstallationNumber": lambda request: self._value(request, INSTALLATION),
            "SeriesService_GetDocumentSeries": self.document_series,
            "SBOBobService_GetCurrencyRate": self.currency_rate,
            "SBOBobService_SetCurrencyRate": self.set_currency_rate,
            "SBOBobService_GetLocalCurrency": lambda request: self._value(
                request, self.company.settings.local_currency
            ),
            "SBOBobService_GetSystemCurrency": lambda request: self._value(
                request, self.company.settings.system_currency
            ),
            "InternalReconciliationsService_GetOpenTransactions": self.open_transactions,
            "DraftsService_SaveDraftToDocument": self.save_draft,
            "EventSubscriptionsService_GetEventCatalog": self.event_catalogue,
            "OrdersService_Preview": lambda request: self.preview(request, "Orders"),
        }

    def admin_info(self, request: Request) -> Answer:
        settings = self.company.settings
        row: Row = {
            "CompanyName": "Store GmbH",
            "LocalCurrency": settings.local_currency,
            "SystemCurrency": settings.system_currency,
            "TotalsAccuracy": settings.totals_accuracy,
            "PriceAccuracy": settings.price_accuracy,
            "RateAccuracy": settings.rate_accuracy,
            "PercentageAccuracy": settings.percentage_accuracy,
            "AccuracyofQuantities": settings.quantity_accuracy,
            "MeasuringAccuracy": 6,
            "QueryAccuracy": 6,
            "DefaultWarehouse": settings.default_warehouse,
            "DefaultTaxCode": settings.default_tax_code,
            "EnableBranches": _flag(settings.branches),
            "EnableApprovalProcedureInDI": _flag(bool(settings.approvals)),
            "BlockStockNegativeQuantity": _flag(settings.block_negative_stock),
            "AllowFuturePostingDate": "tYES",
            "Country": "US",
        }
        if settings.webhooks:
            row.update(
                EnableWebhook=_flag(settings.webhook_enabled),
                WebhookRetryTimes=settings.webhook_retry_times,
                WebhookRetryInterval=int(settings.webhook_retry_interval_s),
                WebhookRequestTimeout=int(settings.webhook_timeout_s),
            )
        return self._complex(request, "AdminInfo", row)

    def update_admin_info(self, request: Request) -> Answer:
        given = Reading(self.reader.udfs(request)).complex("AdminInfo", _inner(request, "AdminInfo"))
        if not request.asked.session.user.may_manage:
            raise refused("You are not permitted to perform this action")
        for name, value in given.items():
            setting = SETTABLE.get(name)
            if setting is None or not self.company.settings.webhooks:
                raise refused(f"The stand-in changes no {name}")
            kept = value == "tYES" if name == "EnableWebhook" else value
            setattr(self.company.settings, setting, kept)
        return empty(request.version)

    def company_info(self, request: Request) -> Answer:
        settings = self.company.settings
        row: Row = {
            "Version": int(settings.version),
            "CompanyName": "Store GmbH",
            "BlockStockNegativeQuantity": _flag(settings.block_negative_stock),
            "EnableTransactionNotification": "tYES",
            "MaxNumberOfDocumentsInPmt": 1000,
            "EnableAccountSegmentation": "tYES",
            "EnableBillOfExchange": "tNO",
            "LanguageCode": "ln_English",
        }
        return self._complex(request, "CompanyInfo", row)

    def server_time(self, request: Request) -> Answer:
        now, plain = self.company.now(), self.reader.writing(request).plain
        told = {
            "CurrentDate": plain(now.date()),
            "CurrentTime": plain(now.time().replace(microsecond=0, tzinfo=None)),
        }
        return json_answer(request.version, {**self._context(request, "CurrentServerTime"), **told})

    def round_decimal(self, request: Request) -> Answer:
        given = _inner(request, "DecimalData")
        try:
            value, context = Decimal(str(given.get("Value"))), str(given.get("Context"))
        except ArithmeticError as error:
            raise bad_query("Property 'Value' of 'DecimalData' has an invalid value") from error
        settings = self.company.settings
        if context in CONTEXTS:
            places = int(getattr(settings, CONTEXTS[context]))
        elif context in ("rcPercent", "rcTax"):
            places = settings.percentage_accuracy
        else:
            places = self.company.decimals(str(given.get("Currency") or settings.local_currency))
        return json_answer(
            request.version, {**self._context(request, "RoundedData"), "Value": float(rounded(value, places))}
        )

    def periods(self, request: Request) -> Answer:
        """The financial years."""
        self._may_see_periods()
        value = [{"AbsoluteEntry": year} for year in self._years()]
        return json_answer(
            request.version, {**self._context(request, "Collection(PeriodCategoryParams)"), "value": value}
        )

    def finance_periods(self, request: Request) -> Answer:
        """The months of one of them. One that is locked up to a day within it is told as locked from its end on."""
        self._may_see_periods()
        settings, writing = self.company.settings, self.reader.writing(request)
        given = Reading(self.reader.udfs(request)).complex(
            "PeriodCategoryParams", _inner(request, "PeriodCategoryParams")
        )
        year = int(given.get("AbsoluteEntry") or 0)
        if year not in self._years():
            raise missing_reference()
        value: list[dict[str, Any]] = []
        for month in range(1, 13):
            first = date(year, month, 1)
            last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
            locked = settings.periods_locked_until
            status = "ltLocked" if locked is not None and last <= locked else "ltUnlocked"
            status = settings.period_statuses.get(f"{first:%Y-%m}", status)
            row: Row = {
                "AbsoluteEntry": year * 12 + month,
                "PeriodCode": f"{first:%Y-%m}",
                "PeriodName": f"{first:%Y-%m}",
                "PostingDateFrom": first,
                "PostingDateTo": last,
                "Locked": _flag(status != "ltUnlocked"),
                "PeriodIndicator": "Default",
                "PeriodStatus": status,
            }
            value.append(writing.complex("FinancePeriod", row))
        return json_answer(request.version, {**self._context(request, "Collection(FinancePeriod)"), "value": value})

    def _years(self) -> range:
        """Those that have periods, one a month: some that are over, and the next."""
        this = self.company.today().year
        return range(this - 3, this + 2)

    def _may_see_periods(self) -> None:
        if "FinancePeriods" in self.company.settings.withdrawn:
            raise B1Error(403, -1, "You are not permitted to perform this action: no authorization for FinancePeriods")

    def item_price(self, request: Request) -> Answer:
        given = _inner(request, "ItemPriceParams")
        card = checks.partner(self.company, given.get("CardCode"))
        item = self.company.table("Items").get(given.get("ItemCode"))
        if item is None:
            raise missing_reference()
        day = read_day(str(given.get("Date") or "")) or self.company.today()
        currency = given.get("Currency") or None
        terms = terms_of(self.company, card, {"DocDate": day, "DocCurrency": currency})
        wanted = {**card, "PriceListNum": given.get("PriceList") or card.get("PriceListNum")}
        line = price_line(self.company, type(terms)(wanted, *_rest(terms)), {"Quantity": Decimal(1)}, item)
        told = {"Price": float(line["Price"]), "Currency": terms.currency, "Discount": float(line["DiscountPercent"])}
        return json_answer(request.version, {**self._context(request, "ItemPriceReturnParams"), **told})

    def document_series(self, request: Request) -> Answer:
        wanted = str(_inner(request, "DocumentTypeParams").get("Document"))
        writing = self.reader.writing(request)
        found = [
            writing.complex("Series", {**each, "NextNumber": self._next(each)})
            for each in self.company.series
            if each["Document"] == wanted
        ]
        return json_answer(request.version, {**self._context(request, "Collection(Series)"), "value": found})

    def currency_rate(self, request: Request) -> Answer:
        given = request.payload
        day = read_day(str(given.get("Date") or ""))
        if day is None or self.company.table("Currencies").get(given.get("Currency")) is None:
            raise missing_reference()
        rate = self.company.rate(str(given["Currency"]), day)
        if rate is None or "rate_missing" in request.asked.faults:
            raise B1Error(400, -10, f"Update the exchange rate, '{given['Currency']}', {day.isoformat()}")
        return json_answer(request.version, float(rate))

    def open_transactions(self, request: Request) -> Answer:
        given = _inner(request, "InternalReconciliationOpenTransParams")
        asked = Reading(self.reader.udfs(request)).complex("InternalReconciliationOpenTransParams", given)
        return self._complex(request, "InternalReconciliationOpenTrans", open_items(self.company, asked))

    def set_currency_rate(self, request: Request) -> Answer:
        given = request.payload
        day = read_day(str(given.get("RateDate") or ""))
        try:
            rate = Decimal(str(given.get("Rate")))
        except ArithmeticError as error:
            raise bad_query("'Rate' is no number") from error
        if day is None or self.company.table("Currencies").get(given.get("Currency")) is None:
            raise missing_reference()
        self.company.rates[str(given["Currency"]), day] = rate
        return empty(request.version)

    def preview(self, request: Request, entity_set: str) -> Answer:
        """Computed and refused as a posting is; nothing stays."""
        reading = Reading(self.reader.udfs(request))
        given = reading.entity(SETS[entity_set], _inner(request, "Document"))
        row = self.writer.documents.preview(entity_set, given, request.asked)
        body = self.reader.writing(request).entity(SETS[entity_set], row)
        return json_answer(request.version, {**self._context(request, "Document"), **body})

    def save_draft(self, request: Request) -> Answer:
        entry = _inner(request, "Document").get("DocEntry")
        draft = self.company.table("Drafts").get(int(entry) if entry is not None else None)
        if draft is None:
            raise missing_reference()
        if draft["AuthorizationStatus"] in ("dasPending", "dasRejected", "dasGenerated"):
            raise refused("The draft cannot be turned into a document")
        entity_set = SET_OF_OBJECT[str(draft["DocObjectCode"])]
        self.writer.documents.post(entity_set, draft["_given"], request.asked, approved=True)
        self.company.table("Drafts").delete((draft["DocEntry"],))
        return empty(request.version)

    def event_catalogue(self, request: Request) -> Answer:
        told = {"Version": "1.0", "Description": "Events", "value": self.writer.webhooks.catalogue()}
        return json_answer(request.version, {**self._context(request, "EventCatagory"), **told})

    def _next(self, series: Row) -> int:
        given = self.company.numbers.get(f"series/{series['Series']}", 0)
        return int(series["InitialNumber"]) + given

    def _value(self, request: Request, value: Any) -> Answer:
        return json_answer(request.version, {**self._context(request, "Edm.String"), "value": value})

    def _complex(self, request: Request, type_name: str, row: Row) -> Answer:
        body = self.reader.writing(request).complex(type_name, row)
        if type_name == "AdminInfo" and not self.company.settings.webhooks:
            body = {name: value for name, value in body.items() if "Web" not in name and not name.startswith("Message")}
        return json_answer(request.version, {**self._context(request, type_name), **body})

    def _context(self, request: Request, what: str) -> Mapping[str, str]:
        name = "odata.metadata" if request.version == 1 else "@odata.context"
        return {name: f"{self.reader.base_url}/b1s/v{request.version}/$metadata#SAPB1.{what}"}


def _rest(terms: Any) -> tuple[Any, ...]:
    return terms.currency, terms.rate, terms.day, terms.foreign


def _inner(request: Request, name: str) -> dict[str, Any]:
    given = request.payload.get(name)
    if not isinstance(given, dict):
        raise bad_query(f"Parameter '{name}' is missing")
    return given  # pyright: ignore[reportUnknownVariableType]


def _flag(value: bool) -> str:
    return "tYES" if value else "tNO"
