"""Journal entries by hand: balanced, on accounts that take postings."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ml_connector.sandbox.business_one import checks
from ml_connector.sandbox.business_one.balances import add_to_balance
from ml_connector.sandbox.business_one.company import Asked, Company, number
from ml_connector.sandbox.business_one.errors import business, missing_reference, refused
from ml_connector.sandbox.business_one.fields import Row

SWAPPED = {"Debit": "Credit", "Credit": "Debit", "FCDebit": "FCCredit", "FCCredit": "FCDebit"}


@dataclass
class Journals:
    company: Company

    def post(self, given: Row, asked: Asked) -> Row:
        """Raises ``B1Error``."""
        company = self.company
        day = given.get("ReferenceDate") or company.today()
        checks.posting_date(company, day, closed="closed_period" in asked.faults)
        lines = [self._line(index, line) for index, line in enumerate(given.get("JournalEntryLines") or ())]
        if len(lines) < 2:
            raise refused("A journal entry has at least two lines")
        for debit, credit in (("Debit", "Credit"), ("FCDebit", "FCCredit")):
            if sum((number(line, debit) - number(line, credit) for line in lines), Decimal(0)):
                raise business("Unbalanced transaction")
        return self._store({"TaxDate": day, "DueDate": day, **given, "ReferenceDate": day, "JournalEntryLines": lines})

    def cancel(self, row: Row) -> Row:
        """A reversing entry with the same references."""
        if row.get("_cancelled"):
            raise refused("Journal entry is already cancelled")
        swap = [{SWAPPED.get(name, name): value for name, value in line.items()} for line in row["JournalEntryLines"]]
        self.company.table("JournalEntries").change((row["JdtNum"],), _cancelled=True)
        memo = f"{row.get('Memo') or ''} (Reversal) - {row['JdtNum']}"[-50:]
        today = self.company.today()
        return self._store({**row, "ReferenceDate": today, "Memo": memo, "JournalEntryLines": swap, "_cancelled": True})

    def _store(self, row: Row) -> Row:
        number_ = self.company.next_number("JournalEntries")
        row = {**row, "JdtNum": number_, "Number": number_, "Original": number_, "OriginalJournal": "ttJournalEntry"}
        self.company.table("JournalEntries").put((number_,), row)
        for line in row["JournalEntryLines"]:
            if line.get("ShortName") != line.get("AccountCode"):
                amount = number(line, "Debit") - number(line, "Credit")
                add_to_balance(self.company, str(line["ShortName"]), "CurrentAccountBalance", amount)
        self.company.tell("JournalEntries", (number_,), "Created")
        return row

    def _line(self, index: int, line: Row) -> Row:
        name = line.get("ShortName")
        if name and self.company.table("BusinessPartners").get(name) is not None:
            card = checks.partner(self.company, name)
            account = card.get("DebitorAccount")
            return {**line, "Line_ID": index, "AccountCode": account, "ContraAccount": line.get("ContraAccount")}
        code = line.get("AccountCode") or name
        if not code:
            raise refused(f"Specify an account [line: {index + 1}]")
        account = checks.account(self.company, str(code))
        if account.get("LockManualTransaction") == "tYES":
            raise business(f"Account '{code}' is a control account")
        for position, center in enumerate(checks.CENTERS, start=1):
            if line.get(center):
                rule = self.company.table("DistributionRules").get(line[center])
                if rule is None or rule.get("InWhichDimension") != position:
                    raise missing_reference()
        return {**line, "Line_ID": index, "AccountCode": code, "ShortName": code}
