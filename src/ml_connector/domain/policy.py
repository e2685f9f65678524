"""Policy: versioned choices of one integration. Defaults and reasons: `docs/policy.md`."""

from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class Policy:
    """Every choice that planning asks for. Names are the configuration keys with dots as underscores."""

    reference_tag: str
    posting_trigger: Literal["capture", "placement", "shipment", "completion"] = "capture"
    posting_cut_over: date | None = None
    posting_held_statuses: tuple[int, ...] = (12,)
    posting_settlement: Literal["two_step", "one_step"] = "two_step"
    posting_partial_capture: Literal["full_order", "wait_full"] = "full_order"
    posting_zero_total: Literal["post", "exclude"] = "post"
    posting_lines: Literal["aggregate", "per_line"] = "aggregate"
    discounts_presentation: Literal["gross", "net"] = "gross"
    rounding_tolerance_minor: int = 5
    tax_source: Literal["store", "erp"] = "store"
    tax_tolerance_minor: int = 2
    gift_certificates_voucher: Literal["multi_purpose", "single_purpose"] = "multi_purpose"
    refunds_revenue: Literal["original", "sales_returns"] = "original"
    refunds_declined: Literal["exclude", "hold"] = "exclude"
    refunds_post_when: Literal["created", "settled"] = "created"
    cancel_after_posting: Literal["reverse", "hold"] = "reverse"
    amendment: Literal["reverse_repost", "adjust", "hold"] = "reverse_repost"
    customers_guest: Literal["one_time", "by_email"] = "one_time"
    customers_registered: Literal["individual", "collective"] = "individual"
    dates_posting: Literal["order_date", "trigger_date"] = "order_date"
    dates_time_zone: str = "store"
    closed_period: Literal["hold", "first_open_day"] = "hold"
    fx_rate: Literal["erp", "store"] = "erp"
    offline_methods: Map[str, Literal["wait", "paid_by_status", "on_account"]] = field(
        default_factory=dict[str, Literal["wait", "paid_by_status", "on_account"]]
    )
    sales_document: Literal["invoice", "order", "delivery"] = "invoice"
    sales_several_addresses: Literal["text", "hold"] = "text"
    sales_deposits: Literal["apply", "leave"] = "apply"
    sales_tax: Literal["family", "store", "erp"] = "family"
    sales_erp_tax_rounding: Literal["per_code", "per_line"] = "per_code"
    stock_safety: int = 0
    stock_back_order: Literal["none", "on_order"] = "none"
    stock_oversell: Literal["alert", "floor_to_zero", "hold"] = "alert"
    stock_staleness_minutes: int = 60
    shipments_without_tracking: Literal["wait", "send"] = "wait"
    shipments_made_by_hand: Literal["adopt", "hold"] = "adopt"
    version: int = 0


@dataclass(frozen=True, slots=True)
class OpenPeriods:
    """The ERP's open posting periods, days included on both sides; None: no bound on that side. `closed`: stretches in
    between that are not open, in order."""

    open_from: date | None = None
    open_to: date | None = None
    closed: tuple[tuple[date, date], ...] = ()

    def contains(self, day: date) -> bool:
        within = (self.open_from is None or day >= self.open_from) and (self.open_to is None or day <= self.open_to)
        return within and not any(first <= day <= last for first, last in self.closed)

    def first_open(self, day: date) -> date | None:
        """The first open day from `day` on; None: there is none, as far as is known."""
        if self.open_from is not None and day < self.open_from:
            day = self.open_from
        for first, last in self.closed:
            if first <= day <= last:
                day = last + timedelta(days=1)
        return day if self.contains(day) else None

    def begins(self, day: date) -> bool:
        """Whether `day` is the first of an open stretch: where what falls into a closed one is moved to."""
        return self.contains(day) and not self.contains(day - timedelta(days=1))

    def within(self, other: "OpenPeriods") -> "OpenPeriods":
        """Open in both."""
        starts = [day for day in (self.open_from, other.open_from) if day is not None]
        ends = [day for day in (self.open_to, other.open_to) if day is not None]
        return OpenPeriods(
            max(starts) if starts else None,
            min(ends) if ends else None,
            tuple(sorted({*self.closed, *other.closed})),
        )
