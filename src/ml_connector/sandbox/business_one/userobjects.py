"""User-defined fields, tables and keys, and the rows of user tables.

What is created is known to a node only after it was restarted; the row of the definition can be read at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ml_connector.sandbox.business_one.access import Node
from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.errors import B1Error, bad_query, duplicate_key, missing_reference, refused
from ml_connector.sandbox.business_one.fields import EntitySet, Row, udf_home
from ml_connector.sandbox.business_one.store import Table

TABLE_NAME_LENGTH, KEY_NAME_LENGTH, ALPHA_LENGTH = 19, 10, 254


@dataclass
class UserObjects:
    company: Company

    def create_field(self, given: Row, nodes: Iterable[Node]) -> Row:
        """Raises ``B1Error``."""
        name, table = given.get("Name"), str(given.get("TableName") or "")
        home = udf_home(table)
        if not name or home is None:
            raise refused("Specify Name and TableName of an existing table")
        if home.startswith("@") and self.company.table("UserTablesMD").get(home[1:].upper()) is None:
            raise missing_reference()
        home = home.upper()
        size = int(given.get("Size") or given.get("EditSize") or 10)
        if given.get("Type", "db_Alpha") == "db_Alpha" and size > ALPHA_LENGTH:
            raise refused("The size of an alphanumeric field is at most 254")
        fields = self.company.table("UserFieldsMD")
        known = [row for _, row in fields.matching({"TableName": frozenset({home})})]
        if any(str(row["Name"]).upper() == str(name).upper() for row in known):
            raise duplicate_key()
        number = len(known)
        row = {
            "Type": "db_Alpha",
            "SubType": "st_None",
            "Mandatory": "tNO",
            **given,
            "TableName": home,
            "FieldID": number,
            "Size": size,
            "EditSize": size,
        }
        fields.put((home, number), row)
        for node in nodes:
            node.hidden.add((home, f"U_{name}"))
        return row

    def create_table(self, given: Row, nodes: Iterable[Node]) -> Row:
        """Raises ``B1Error``. Kept in upper case."""
        name = str(given.get("TableName") or "").lstrip("@").upper()
        if not name or len(name) > TABLE_NAME_LENGTH or not given.get("TableDescription"):
            raise refused("Specify TableName (at most 19 characters) and TableDescription")
        tables = self.company.table("UserTablesMD")
        if tables.get(name) is not None:
            raise duplicate_key()
        row = {"TableType": "bott_NoObject", **given, "TableName": name}
        tables.put((name,), row)
        self.company.tables.setdefault("U_" + name, Table(self.company.undo))
        for node in nodes:
            node.hidden.add(("@" + name, ""))
        return row

    def create_key(self, given: Row) -> Row:
        """Raises ``B1Error``. Kept for user tables alone, as the SDK documents them."""
        table = str(given.get("TableName") or "").upper()
        if not table.startswith("@") or self.company.table("UserTablesMD").get(table[1:]) is None:
            raise missing_reference()
        if not given.get("KeyName") or len(given["KeyName"]) > KEY_NAME_LENGTH or not given.get("UserKeysMD_Elements"):
            raise refused("Specify KeyName (at most 10 characters) and UserKeysMD_Elements")
        keys = self.company.table("UserKeysMD")
        number = 1 + max((key[1] for key in keys.rows if key[0] == table), default=0)
        row = {"Unique": "tNO", **given, "TableName": table, "KeyIndex": number}
        keys.put((table, number), row)
        return row

    def table_set(self, name: str, node: Node) -> EntitySet | None:
        """``U_MLC_CLAIM`` as an entity set, where this node knows it."""
        row = self.company.user_table(name, node)
        return None if row is None else EntitySet(name, name, 0, "@" + str(row["TableName"]), creatable=True)

    def create_row(self, name: str, given: Row) -> Row:
        """Raises ``B1Error`` -2035 for a Code that is there already."""
        definition = self.company.user_table(name, None) or {}
        table = self.company.table(name)
        row = dict(given)
        if definition.get("TableType") == "bott_NoObjectAutoIncrement":
            row["Code"] = str(self.company.next_number(name))
            row.setdefault("Name", row["Code"])
        if not row.get("Code") or row.get("Name") in (None, ""):
            raise B1Error(400, -1, "Specify Code and Name")
        if table.get(row["Code"]) is not None:
            raise duplicate_key()
        unique = self.company.settings.user_table_names_unique
        if unique and any(each["Name"] == row["Name"] for each in table.rows.values()):
            raise duplicate_key()
        for columns in self._unique_keys("@" + str(definition.get("TableName"))):
            values = [row.get(column) for column in columns]
            if any([each.get(column) for column in columns] == values for each in table.rows.values()):
                raise duplicate_key()
        table.put((row["Code"],), row)
        return row

    def _unique_keys(self, table: str) -> list[list[str]]:
        return [
            ["U_" + str(element["ColumnAlias"]) for element in row["UserKeysMD_Elements"]]
            for key, row in self.company.table("UserKeysMD").rows.items()
            if key[0] == table and row.get("Unique") == "tYES"
        ]


def restart(node: Node) -> None:
    """The node reads the definitions anew."""
    node.hidden.clear()


def check_rights(allowed: bool) -> None:
    if not allowed:
        raise bad_query("You are not permitted to perform this action")
