"""References: the one name of each document, a function of its source alone.

Short form, 16 characters at most: `TAG-K<id>[-g]`. Long form, 34 at most: `BC-TAG-<order>-K[<id>][-g]`. Characters
`A-Z 0-9 -` only, which survive upper-casing and every ERP's key rules. No date, status, amount or attempt number.
"""

import hashlib
from dataclasses import dataclass

from ml_connector.planning.facts import ReferenceForm

SHORT_MAX = 16
LONG_MAX = 34
CUSTOMER_MAX = 20
LAST_GENERATION = 9
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLAIN_DIGITS = {"short": 8, "long": 12}  # longer IDs become Z + base 36
_PACKED_DIGITS = {"short": 7, "long": 8}
_ORDER_LETTERS = frozenset("OILSTGD")  # kinds whose ID is the order's: the long form does not repeat it
_GUEST_HASH_DIGITS = 13


class ReferenceOverflow(ValueError):
    """The ID or generation does not fit into the reference."""


def base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if number == 0:
            return digits


def serial(source_id: str, form: ReferenceForm) -> str:
    """The ID as it stands in a reference. Decimal IDs never begin with Z, so the two ways cannot collide."""
    if not (source_id.isascii() and source_id.isdigit()):
        raise ReferenceOverflow(f"the ID {source_id!r} is not a number")
    number = str(int(source_id))
    if len(number) <= _PLAIN_DIGITS[form]:
        return number
    packed = base36(int(number))
    if len(packed) > _PACKED_DIGITS[form]:
        raise ReferenceOverflow(f"the ID {source_id} is longer than {_PACKED_DIGITS[form]} digits in base 36")
    return f"Z{packed}"


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a document of one source thing through all its generations. `letter`: kind, see `Names.name`."""

    tag: str
    order_id: int
    letter: str
    source_id: str
    form: ReferenceForm

    @property
    def base(self) -> str:
        """The first generation's reference, which all generations share."""
        return self._reference(self.letter, 1, self.form)

    def reference(self, generation: int = 1) -> str:
        """First is 1 and unwritten. Raises `ReferenceOverflow`."""
        return self._reference(self.letter, generation, self.form)

    def reversal(self, generation: int = 1) -> str:
        """The reference of the document that reverses `generation`."""
        return self._reference(f"X{self.letter}", generation, self.form)

    def long(self, generation: int = 1, reversal: bool = False) -> str:
        """The unabridged form, for a second field; empty where it does not fit."""
        try:
            return self._reference(f"X{self.letter}" if reversal else self.letter, generation, "long")
        except ReferenceOverflow:
            return ""

    def _reference(self, letters: str, generation: int, form: ReferenceForm) -> str:
        if generation > LAST_GENERATION:
            raise ReferenceOverflow(f"generation {generation} of {letters} {self.source_id} is above {LAST_GENERATION}")
        suffix = f"-{generation}" if generation > 1 else ""
        if form == "short":
            reference, limit = f"{self.tag}-{letters}{serial(self.source_id, form)}{suffix}", SHORT_MAX
        else:
            own = "" if self.letter in _ORDER_LETTERS else serial(self.source_id, form)
            reference, limit = f"BC-{self.tag}-{self.order_id}-{letters}{own}{suffix}", LONG_MAX
        if len(reference) > limit:
            raise ReferenceOverflow(f"{reference} is longer than {limit} characters")
        return reference


@dataclass(frozen=True, slots=True)
class Names:
    tag: str
    order_id: int
    form: ReferenceForm = "short"

    def name(self, letter: str, source_id: int | str) -> Name:
        """`letter`: O order entry or sales order, I invoice, L delivery, P payment or deposit, S payment known by
        status, T store credit, G gift certificate, A deposit application, R refund, M money out, D adjustment."""
        return Name(self.tag, self.order_id, letter, str(source_id), self.form)

    @property
    def assignment(self) -> str:
        """What order, payment and refund share on the customer's account, for automatic clearing; 18 at most."""
        return f"{self.tag}-{self.order_id}"[:18]


def customer_reference(tag: str, customer_id: int) -> str:
    """The business partner of a registered customer."""
    return f"{tag}-C{serial(str(customer_id), 'short')}"


def guest_key(email: str) -> str:
    """A guest's identity without the e-mail, which could not be erased from a ledger: 13 digits of base 36."""
    digest = hashlib.sha256(email.strip().lower().encode()).digest()
    return base36(int.from_bytes(digest))[:_GUEST_HASH_DIGITS]


def guest_reference(tag: str, email: str) -> str:
    """The business partner of a guest, where policy keeps one per e-mail address."""
    return f"{tag}-CG{guest_key(email)}"
