"""Which holds a change of configuration may end. To run a record once too often is harmless: it is held again."""

from collections.abc import Iterable, Mapping

from ml_connector.config.diff import Change

POLICY: Mapping[str, tuple[str, ...]] = {
    "reference.tag": ("connection",),
    "posting.trigger": ("awaiting_capture", "unsupported_document"),
    "sales.document": ("unsupported_document",),
    "sales.deposits": ("unsupported_document", "master_data"),
    "customers.registered": ("unsupported_document",),
    "posting.partial_capture": ("awaiting_capture",),
    "posting.held_statuses": ("status_held",),
    "offline_methods": ("awaiting_capture",),
    "rounding.tolerance_minor": ("totals_mismatch", "refund_mismatch"),
    "tax.tolerance_minor": ("tax_mismatch",),
    "tax.source": ("tax_overridden", "erp_tax_difference"),
    "gift_certificates.voucher": ("voucher_taxed", "single_purpose_redeemed"),
    "refunds.declined": ("refund_partly_declined",),
    "amendment": ("amended_after_posting", "unsupported_document"),
    "cancel.after_posting": ("cancelled_after_posting", "unsupported_document"),
    "closed_period": ("closed_period",),
    "sales.several_addresses": ("multi_ship",),
    "fx.rate": ("currency_mismatch",),
    "shipments.without_tracking": ("awaiting_tracking",),
}

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "open_from": ("closed_period",),
    "open_to": ("closed_period",),
    "b2b": ("b2b_unknown",),
    "read_categories": ("unmapped",),
    "document_types": ("rejected",),
    "journal_version": ("unsupported_document",),
}

MAPPING = ("master_data",)
"""Holds on an account or centre that the ERP does not have: another one may be mapped now."""

CONNECTION = "connection"
"""Holds of a connection whose credentials or right were refused; the key is the connection's number."""


def kinds_ended_by_integration(changes: Iterable[Change]) -> set[str]:
    """Kinds of holds (other than `unmapped`) that changes of an integration's own entry may end."""
    kinds: set[str] = set()
    for change in changes:
        part = change.path[2] if len(change.path) > 2 else ""
        if part == "policy" and len(change.path) > 3:
            kinds.update(POLICY.get(change.path[3], ()))
        elif part == "mapping":
            kinds.update(MAPPING)
    return kinds


def kinds_ended_by_connection(changes: Iterable[Change]) -> set[str]:
    """Kinds of holds that changes of a connection's settings may end, in every integration that uses it."""
    kinds: set[str] = set()
    for change in changes:
        if len(change.path) > 3 and change.path[2] == "settings":
            kinds.update(SETTINGS.get(change.path[3], ()))
    return kinds
