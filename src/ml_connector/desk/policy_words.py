"""Every key of the policy as a sentence, its choices with what follows from them, and one worked example each.

The long form is `docs/policy.md`. A key that has no words here is shown under its own name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Says:
    """Of one key. `title`: the question; `choices`: value -> what it is called and what follows; `example`: one case,
    worked through; `unit`: of a number."""

    title: str
    example: str
    about: str = ""
    choices: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    unit: str = ""


GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "When an order is posted": (
        "posting.trigger", "posting.cut_over", "posting.held_statuses", "posting.partial_capture", "posting.zero_total",
        "offline_methods",
    ),
    "How the entry looks": (
        "posting.settlement", "posting.lines", "discounts.presentation", "rounding.tolerance_minor",
        "gift_certificates.voucher", "fx.rate",
    ),
    "Tax": ("tax.source", "tax.tolerance_minor", "sales.tax", "sales.erp_tax_rounding"),
    "Sales documents": ("sales.document", "sales.several_addresses", "sales.deposits"),
    "Refunds, cancellations, edits": (
        "refunds.revenue", "refunds.declined", "refunds.post_when", "cancel.after_posting", "amendment",
    ),
    "Dates and customers": (
        "dates.posting", "dates.time_zone", "closed_period", "customers.guest", "customers.registered", "reference.tag",
    ),
    "Stock": ("stock.safety", "stock.back_order", "stock.oversell", "stock.staleness_minutes"),
    "Shipments": ("shipments.without_tracking", "shipments.made_by_hand"),
}  # fmt: skip

WAYS: Final[Mapping[str, tuple[str, str]]] = {
    "wait": ("Wait for a payment", "It posts when the store shows a payment."),
    "paid_by_status": ("Paid by its status", "A paid status counts as the whole payment."),
    "on_account": ("On account", "It posts now, and the receivable stays open."),
}

SAYS: Final[Mapping[str, Says]] = {
    "posting.trigger": Says(
        "What makes an order due?",
        "Placed on Nov 17, paid on Nov 18, shipped on Nov 20: booked on the 18th, 17th, 20th, or when it is completed.",
        choices={
            "capture": ("Captured money", "Checkouts that fail never become revenue."),
            "placement": ("The order itself", "It is booked as soon as it exists, and the receivable is open."),
            "shipment": ("Shipment", "Revenue when the goods leave; money before that is a customer deposit."),
            "completion": ("Completion", "Revenue when the order is completed: for digital goods, which never ship."),
        },
    ),
    "posting.cut_over": Says(
        "From which day on do orders count?",
        "With Jan 1, an order of Dec 31 stays out, and so does its refund on Jan 5. A backfill brings it in.",
        "Orders that were placed before it are left out, with their later payments and refunds. Empty: all count.",
    ),
    "posting.held_statuses": Says(
        "Which order statuses wait for somebody in the store?",
        "Status 12 is manual verification: a fraud review may still end in a void, so nothing is booked meanwhile.",
        "Numbers of statuses, apart by commas.",
    ),
    "posting.partial_capture": Says(
        "What if only a part of the money came?",
        "100.00 ordered, 60.00 captured: 100.00 booked and 40.00 left open; or nothing until the 40.00 come.",
        choices={
            "full_order": ("Book the whole order", "The rest stays open on the receivable: the goods usually go."),
            "wait_full": ("Wait for all of it", "The order is held until everything is captured."),
        },
    ),
    "posting.zero_total": Says(
        "Are orders over nothing booked?",
        "A 25.00 giveaway: 25.00 revenue against 25.00 discount, so that its cost shows; or no entry at all.",
        choices={
            "post": ("Yes", "Revenue against the discount: what it cost can be seen."),
            "exclude": ("No", "They are left out. Sales documents are made all the same, because goods move."),
        },
    ),
    "offline_methods": Says(
        "How is it known that an offline payment came?",
        "Bank Deposit, paid by its status: somebody moves the order to Awaiting Fulfillment when the money is there, "
        "and that day it is booked as paid.",
        "For each payment method that the store has no transaction for, by its name in the order. One that is not "
        "listed holds the order.",
        choices=WAYS,
    ),
    "posting.settlement": Says(
        "How is the payment booked?",
        "100.00 by card: receivable to revenue, then clearing to receivable; or clearing to revenue at once.",
        "Journal entries only.",
        choices={
            "two_step": ("By a document of its own", "Partial captures, late money and refunds follow one rule."),
            "one_step": ("With the order", "Half the documents, for prepaid sales with one shared customer."),
        },
    ),
    "posting.lines": Says(
        "How many lines has an entry?",
        "Three shirts of one account: one line of 60.00, or three of 20.00. The account’s total is the same.",
        "Journal entries only.",
        choices={
            "aggregate": ("Summed", "One line for each account, tax code and dimension."),
            "per_line": ("Each by itself", "One for each line of the order; above 900 lines they are summed anyhow."),
        },
    ),
    "discounts.presentation": Says(
        "Where do discounts show?",
        "100.00 less 10 %: revenue 100.00 and discount 10.00; or revenue 90.00.",
        "Journal entries only.",
        choices={
            "gross": ("On accounts of their own", "Revenue at list price: marketing sees what it gives away."),
            "net": ("In the revenue", "Revenue after discounts, for a chart without contra accounts."),
        },
    ),
    "rounding.tolerance_minor": Says(
        "How far may the store’s total be from its own parts?",
        "Total 49.99, parts 49.97: 0.02 go to rounding. Parts 49.90: the order is held with both sums.",
        "Within it the difference goes to the rounding account; beyond it the order is held.",
        unit="cents (minor units of the currency)",
    ),
    "gift_certificates.voucher": Says(
        "What is a gift certificate?",
        "One over 50.00: a debt of 50.00 until it is redeemed; or 50.00 revenue, and its redemption is held.",
        choices={
            "multi_purpose": ("A debt", "It carries no tax when it is sold; revenue comes with what it buys."),
            "single_purpose": (
                "A sale",
                "Taxed and revenue when it is sold; redeeming it is held, or revenue came twice.",
            ),
        },
    ),
    "fx.rate": Says(
        "Whose exchange rate counts?",
        "100.00 GBP in a USD ledger: by the ERP’s rate of the posting date, or by the one the store took at checkout.",
        choices={
            "erp": ("The ERP’s own", "One source for the whole ledger."),
            "store": ("The store’s", "Only for ledgers without daily rates."),
        },
    ),
    "tax.source": Says(
        "Whose tax is booked?",
        "The store charged 8.25 on 100.00: 8.25 are booked, because that is on the buyer’s invoice.",
        "Journal entries always take what the store charged.",
        choices={
            "store": ("The store’s", "What the buyer was charged."),
            "erp": ("The ERP’s", "Where the ERP computes it from the codes."),
        },
    ),
    "tax.tolerance_minor": Says(
        "How far may the tax rows be from the order’s tax?",
        "Rows of 4.13 and 4.13, order tax 8.25: one code is rounded down by 0.01. Off by 0.30: the order is held.",
        unit="cents (minor units of the currency)",
    ),
    "sales.tax": Says(
        "Does the ERP take the store’s tax on sales documents?",
        "8.25 % on 33.33: the ERP is told 2.75, or is told the code and computes 2.75 itself.",
        choices={
            "family": (
                "As is usual for the ERP",
                "Acumatica and NetSuite take it; Business One and Business Central compute.",
            ),
            "store": ("It takes it", "The store’s amounts stand on the document."),
            "erp": ("It computes", "From the tax codes; a difference beyond the tolerance is held."),
        },
    ),
    "sales.erp_tax_rounding": Says(
        "How does the ERP round the tax that it computes?",
        "Three lines of 0.33 at 8.25 %: 0.08 on their sum, or 0.03 on each, which is 0.09.",
        "Set it as the ERP is set: otherwise orders of several lines are off by cents, and held.",
        choices={
            "per_code": ("Once for each code", "On the sum of its lines."),
            "per_line": ("Line by line", "Each line by itself, then added up."),
        },
    ),
    "sales.document": Says(
        "What does an order become?",
        "A web order of 120.00: an invoice of 120.00; an open order that the warehouse invoices; or a delivery first.",
        "For ERPs that leave the choice, such as Business One.",
        choices={
            "invoice": ("An invoice", "Revenue and receivable stand at once, and payments apply to it."),
            "order": ("A sales order", "The warehouse picks and invoices in the ERP; money before that is on account."),
            "delivery": ("A delivery", "Goods leave stock at once, and the ERP invoices later."),
        },
    ),
    "sales.several_addresses": Says(
        "What if the goods go to several addresses?",
        "Two gifts to two aunts: one document, whose second line says where it goes; or the order is held.",
        choices={
            "text": ("One document", "Lines that go elsewhere say where in words."),
            "hold": ("Hold the order", "For a warehouse that does not read lines."),
        },
    ),
    "sales.deposits": Says(
        "Who matches money that came before the invoice?",
        "50.00 paid on Monday, invoiced on Thursday: matched by us on Thursday, or by the ERP’s run at night.",
        "For Business One with invoices, where revenue waits for shipment or completion.",
        choices={
            "apply": ("We do", "The customer’s account is settled, and dunning asks for nothing."),
            "leave": ("Somebody in the ERP", "Such as an automatic reconciliation at night."),
        },
    ),
    "refunds.revenue": Says(
        "Where do returned goods go?",
        "A shirt of 20.00 comes back: 20.00 off the account that it was sold on, or 20.00 on sales returns.",
        "Journal entries only.",
        choices={
            "original": ("Back to the accounts of the sale", "Discounts included."),
            "sales_returns": ("To one account for returns", "The same net amount, on one contra account."),
        },
    ),
    "refunds.declined": Says(
        "What of a refund whose payments were all declined?",
        "20.00 were to go back and the card refused: no money moved.",
        choices={
            "exclude": ("Leave it out", "With a note: nothing happened in money."),
            "hold": ("Ask", "The order is held until somebody decides."),
        },
    ),
    "refunds.post_when": Says(
        "When is a refund booked?",
        "Given on Nov 20, paid out by the provider on Nov 22: booked on the 20th, or on the 22nd.",
        choices={
            "created": ("When it is given", "The buyer’s claim exists from then on."),
            "settled": ("When the provider has paid", "Refunds by hand do not wait."),
        },
    ),
    "cancel.after_posting": Says(
        "What if a booked order is cancelled without a refund?",
        "Booked on Nov 17, cancelled on Nov 20: its entry is reversed on the 20th, or somebody is asked.",
        choices={
            "reverse": ("Reverse it", "On the day of the cancellation."),
            "hold": ("Ask", "The order is held, and nothing is reversed by itself."),
        },
    ),
    "amendment": Says(
        "What if a booked order is edited?",
        "120.00 become 110.00: reversed and booked anew with 110.00; or 10.00 taken off by a document of their own.",
        "A changed mapping alone is no edit.",
        choices={
            "reverse_repost": ("Reverse it and book anew", "Every live document equals one state of the order."),
            "adjust": ("Book the difference", "For ledgers where cleared items cannot be reversed."),
            "hold": ("Ask", "The order is held until somebody decides."),
        },
    ),
    "dates.posting": Says(
        "Which day is an order booked on?",
        "Ordered at 23:50 on Nov 17, captured on Nov 18: the 17th, or the 18th.",
        "For orders that are due by captured money; the other triggers bring their own day.",
        choices={
            "order_date": ("The day of the order", "As the store’s own reports count it."),
            "trigger_date": ("The day of the first capture", "When the money was seen."),
        },
    ),
    "dates.time_zone": Says(
        "Where does a day begin and end?",
        "An order at 23:50 in Chicago is an order of the next day in Berlin.",
        "“store”, or the name of a zone such as America/Chicago.",
    ),
    "closed_period": Says(
        "What if the posting day is closed?",
        "An order of Oct 31 comes on Nov 2 and October is closed: held, or booked on Nov 1 with its date of Oct 31.",
        choices={
            "hold": ("Ask", "Moving revenue to another month is the accountant’s decision."),
            "first_open_day": ("Take the first open day", "The posting date moves, the document date stays."),
        },
    ),
    "customers.guest": Says(
        "Whose debt is a guest’s order?",
        "jo@shop.example orders twice as a guest: both on the one-time customer, or both on an account of their own.",
        choices={
            "one_time": ("The one-time customer’s", "The name stands on the document; no flood of master data."),
            "by_email": ("One account for each address", "Named by a hash of it, never by the address."),
        },
    ),
    "customers.registered": Says(
        "Has every registered customer an account?",
        "Customer 77 orders first: an account is made for them in the ERP, or the collective customer takes it.",
        choices={
            "individual": ("Yes, each", "Made where the mapping names none."),
            "collective": ("No, one for all", "The collective customer of the mapping."),
        },
    ),
    "reference.tag": Says(
        "What does every reference begin with?",
        "With S1, order 1042 is S1-O1042 in the ERP.",
        "A capital letter and one or two capital letters or digits. Two stores that post into one company need two.",
    ),
    "stock.safety": Says(
        "How many of each SKU are kept back?",
        "12 in the warehouse, 2 kept back: the store offers 10.",
        "For each location. More than 0 where other channels sell from the same shelf.",
        unit="units",
    ),
    "stock.back_order": Says(
        "Does the store offer what is not there yet?",
        "3 in the warehouse, 50 on a purchase order: the store offers 3, or 53.",
        choices={
            "none": ("No", "What lies there and is not promised; never less than zero."),
            "on_order": ("What is on order, too", "For shops that promise a delivery date."),
        },
    ),
    "stock.oversell": Says(
        "What if the ERP has not told a SKU’s stock for too long?",
        "The ERP has been down for two hours: the store sells on what it had, offers nothing, or the SKU is held.",
        choices={
            "alert": ("Tell the operator", "The store goes on selling down what it has."),
            "floor_to_zero": ("Offer none", "For scarce goods that other channels sell too."),
            "hold": ("Hold the SKU", "Nothing is written until somebody has looked."),
        },
    ),
    "stock.staleness_minutes": Says(
        "How long is too long?",
        "60 minutes outlast a restart and the nightly backup of most ERPs.",
        unit="minutes",
    ),
    "shipments.without_tracking": Says(
        "What of a delivery without a tracking number?",
        "Packed at 10:00, the label comes at 15:00: the shopper is told at 15:00 with the number, or at 10:00 without.",
        "The store mails the shopper once, when the shipment is made.",
        choices={
            "wait": ("Wait for the number", "The mail has it."),
            "send": ("Make the shipment at once", "The number is added when it comes."),
        },
    ),
    "shipments.made_by_hand": Says(
        "What if somebody has made the same shipment in the store?",
        "Same tracking number, address and pieces as the ERP’s delivery.",
        choices={
            "adopt": ("It is this one", "Nothing is sent."),
            "hold": ("Ask", "A person decides."),
        },
    ),
}
