"""Switches of the company and the installation, set by ``POST /_control/seed`` ``{"settings": {...}}``."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ApprovalRule(BaseModel):
    """A document of this kind, of this user (or any), of at least this total is kept as a draft until approved."""

    model_config = ConfigDict(extra="forbid")

    entity_set: str = "Invoices"
    user: str | None = None
    min_total: Decimal = Decimal(0)


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    version: str = "1000230"
    database: Literal["hana", "mssql"] = "hana"
    """HANA compares texts by case, SQL Server does not."""
    prefixes: list[int] = [1, 2]
    v1_dates: Literal["plain", "zulu"] = "plain"
    times: Literal["seconds", "minutes"] = "seconds"
    string_301: bool = False
    next_link_form: Literal["absolute", "relative", "stray"] = "absolute"
    next_link_options: bool = True
    """Whether a next link repeats the query."""
    page_size: int = Field(default=20, ge=1)
    batch_allowed: bool = True
    etags: bool = True

    session_minutes: int = Field(default=30, ge=1)
    session_cap: int | None = None
    login_delay_s: float = 0.0
    """Wall seconds, the cold start."""
    lock_after: int = 5
    session_sharing: bool = True
    takeover_delay_s: float = 0.0

    time_zone: str = "America/Chicago"
    clock_skew_s: float = 0.0
    totals_accuracy: int = 2
    price_accuracy: int = 6
    rate_accuracy: int = 6
    percentage_accuracy: int = 6
    quantity_accuracy: int = 6
    local_currency: str = "USD"
    system_currency: str = "USD"
    localisation: Literal["vat", "sales_tax"] = "vat"
    """Which field of a line carries the tax code: VatGroup or TaxCode."""
    tax_rounding: Literal["line", "document"] = "line"
    default_tax_code: str = "X0"
    default_warehouse: str = "01"
    branches: bool = False
    block_negative_stock: bool = True
    periods_locked_until: date | None = None
    """Posting dates up to and with this day are refused."""
    period_statuses: dict[str, str] = {}
    """Of a month ("2026-03"), what is set for it by hand: a status of ``PeriodStatusEnum``."""
    approvals: list[ApprovalRule] = []
    credit_paid_invoices: bool = True
    credit_sum_sign: Literal["positive", "negative", "either"] = "either"
    """Of SumApplied for a credit memo in an outgoing payment."""
    cancellation_copies_number_at_card: bool = True
    payment_moves_stamp: bool = False
    """Whether paying an invoice moves its UpdateDate."""
    user_table_names_unique: bool = False
    """Whether the Name of a user table's row is unique, as in older versions."""
    withdrawn: list[str] = []
    """Entity sets that the users' authorisations no longer open."""
    sql_queries_allowed: bool = True
    user_objects_allowed: bool = True

    webhooks: bool = True
    """Whether the version has them at all (10.0 FP 2602)."""
    webhook_enabled: bool = False
    """The company's own switch, ``EnableWebhook``."""
    webhook_retry_times: int = 3
    webhook_retry_interval_s: float = 5.0
    webhook_timeout_s: float = 10.0
    webhook_duplicates: int = 0
    """How often each delivery is repeated."""
    webhook_reorder: bool = False
    webhook_wrong_key: bool = False
