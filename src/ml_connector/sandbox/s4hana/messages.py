"""Messages of the ledger, by class and number, in English and German.

Recorded with the real service: RW/605, RW/609, F5/102, F5/507, FH/004, F5/808. The others are the ones to expect;
their numbers are not verified, and a client must not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INFORMATION, WARNING, ERROR = "1", "2", "3"

TEXTS: Mapping[str, tuple[str, str]] = {
    "RW/605": ("Document posted successfully: BKPFF {0} {1}", "Beleg wurde erfolgreich gebucht: BKPFF {0} {1}"),
    "RW/609": ("Error in document: BKPFF $ {0}", "Fehler im Beleg: BKPFF $ {0}"),
    "F5/102": (
        "Customer {0} is not defined in company code {1}",
        "Debitor {0} ist im Buchungskreis {1} nicht definiert",
    ),
    "F5/104": (
        "Supplier {0} is not defined in company code {1}",
        "Kreditor {0} ist im Buchungskreis {1} nicht definiert",
    ),
    "F5/507": (
        "G/L account {0} is not defined in chart of accounts {1}",
        "Sachkonto {0} ist im Kontenplan {1} nicht definiert",
    ),
    "FH/004": ("Account {0} does not exist in company code {1}", "Konto {0} existiert nicht im Buchungskreis {1}"),
    "F5/808": ("Field {0} is a required field for G/L account {1}", "Feld {0} ist ein Mussfeld für Sachkonto {1}"),
    "F5/809": ("Field {0} is a required field", "Feld {0} ist ein Mussfeld"),
    "F5/201": (
        "Posting period {0} {1} is not open",
        "Buchungsperiode {0} {1} ist nicht geöffnet",
    ),
    "F5/702": ("Balance in transaction currency {1}: {0}", "Saldo in Transaktionswährung {1}: {0}"),
    "F5/506": (
        "Account {0} is blocked for posting in company code {1}",
        "Konto {0} ist im Buchungskreis {1} zum Buchen gesperrt",
    ),
    "F5/354": (
        "Account {0} is a reconciliation account and cannot be posted to directly",
        "Konto {0} ist ein Abstimmkonto und kann nicht direkt bebucht werden",
    ),
    "F5/165": ("Company code {0} is not defined", "Buchungskreis {0} ist nicht definiert"),
    "F5/115": ("Document type {0} is not defined", "Belegart {0} ist nicht definiert"),
    "F5/263": ("Customer {0} is blocked for posting", "Debitor {0} ist zum Buchen gesperrt"),
    "F5/146": ("Customer {0} is not a one-time account", "Debitor {0} ist kein CPD-Konto"),
    "F5/145": ("Enter name and address of one-time account {0}", "Name und Anschrift für CPD-Konto {0} angeben"),
    "F5/286": (
        "Amount {0} has more decimals than currency {1} allows",
        "Betrag {0} hat zu viele Nachkommastellen für {1}",
    ),
    "F5/234": ("Currency {0} is not defined", "Währung {0} ist nicht definiert"),
    "F5/702S": (
        "Debit/credit code {0} does not agree with amount {1}",
        "Soll-/Haben-Kennzeichen {0} passt nicht zu Betrag {1}",
    ),
    "F5/727": ("Document has no line items", "Beleg hat keine Positionen"),
    "F5/727M": (
        "Maximum number of 999 items in FI is exceeded",
        "Maximalanzahl der Positionen (999) im FI überschritten",
    ),
    "FF/753": ("Tax code {0} is not defined", "Steuerkennzeichen {0} ist nicht definiert"),
    "FF/805": ("Tax item for tax code {0} is missing", "Steuerposition zum Steuerkennzeichen {0} fehlt"),
    "FF/806": (
        "Tax base {1} of tax code {0} differs from the lines of that code: {2}",
        "Steuerbasis {1} zum Steuerkennzeichen {0} weicht von den Positionen ab: {2}",
    ),
    "FF/807": (
        "Condition type of the tax item with code {0} is empty",
        "Konditionsart der Steuerposition {0} ist leer",
    ),
    "FF/747": ("Tax entered for code {0} incorrect (amount {1})", "Steuer zum Kennzeichen {0} falsch (Betrag {1})"),
    "FF/808": (
        "Tax base and tax amount of code {0} differ in sign",
        "Steuerbasis und Steuerbetrag zu {0} haben verschiedene Vorzeichen",
    ),
    "KI/235": ("Cost center {0} does not exist for {1}", "Kostenstelle {0} existiert nicht zum {1}"),
    "KM/026": ("Profit center {0} does not exist for {1}", "Profitcenter {0} existiert nicht zum {1}"),
    "F5/361": ("Document {0} does not exist", "Beleg {0} existiert nicht"),
    "F5/362": ("Document {0} has already been reversed with {1}", "Beleg {0} wurde bereits mit {1} storniert"),
    "F5/363": (
        "Document {0} contains cleared items and cannot be reversed",
        "Beleg {0} enthält ausgeglichene Posten, Storno nicht möglich",
    ),
    "F5/364": ("A reversal has no items", "Ein Storno hat keine Positionen"),
    "F5/117": ("A document with reference {0} exists already: {1}", "Beleg mit Referenz {0} existiert bereits: {1}"),
    "NR/751": ("Number range {0} is exhausted", "Nummernkreis {0} ist erschöpft"),
    "MC/601": ("Object requested is currently locked by user {0}", "Objekt wird bereits durch Benutzer {0} gesperrt"),
    "FF/010": ("Posting date {0} is far from the document date", "Buchungsdatum {0} liegt weit vom Belegdatum"),
}


@dataclass(frozen=True)
class Message:
    """``code`` is class and number; ``type_id`` writes it as the log does, number first.

    A letter after the number tells two texts of one number apart and is not written.
    """

    code: str
    values: tuple[str, ...] = ()
    severity: str = ERROR

    @property
    def type_id(self) -> str:
        kind, _, number = self.code.partition("/")
        return f"{number.rstrip('SM')}({kind})"

    def text(self, language: str) -> str:
        english, german = TEXTS[self.code]
        return (german if language == "DE" else english).format(*self.values)[:200]


def error(code: str, *values: object) -> Message:
    return Message(code, tuple(str(value) for value in values))
