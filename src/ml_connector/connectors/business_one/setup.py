"""The user fields and the user table that we need: what is there, what is missing, and making it, with consent.

New fields are seen by the Service Layer after its restart. Source: Service Layer guide, user-defined fields and tables.
"""

from collections.abc import Sequence
from dataclasses import replace

from ml_connector.connectors.base import FreePermit, SetupStep
from ml_connector.connectors.business_one.answers import failure_of
from ml_connector.connectors.business_one.client import B1Client, literal
from ml_connector.connectors.business_one.tables import CLAIM_TABLE, USER_FIELDS, UserField
from ml_connector.connectors.odata_values import Row, text_of

RESTART = "restart the Service Layer, which sees new fields and tables from then on"


async def plan(client: B1Client) -> list[SetupStep]:
    """Every step, done or not. Raises what reading raises."""
    steps = [_field_step(field, done=await _has_field(client, field)) for field in USER_FIELDS]
    table = SetupStep(
        name=f"table {CLAIM_TABLE}",
        description=f"user table @{CLAIM_TABLE}: one row per document, in one change set with it (the hard guard)",
        done=await _has_table(client),
        needed=client.settings.claims,
    )
    return [*steps, table]


def _field_step(field: UserField, *, done: bool) -> SetupStep:
    return SetupStep(
        name=f"field {field.table}.{field.property}",
        description=f"user field {field.property} ({field.description}, {field.size} characters) on {field.table}",
        done=done,
    )


async def missing_fields(client: B1Client) -> list[UserField]:
    return [field for field in USER_FIELDS if not await _has_field(client, field)]


async def _has_field(client: B1Client, field: UserField) -> bool:
    where = f"TableName eq {literal(field.table)} and Name eq {literal(field.name)}"
    rows = await client.rows("UserFieldsMD", key="FieldID", where=where, select=("TableName", "Name", "FieldID"))
    return bool(rows)


async def _has_table(client: B1Client) -> bool:
    where = f"TableName eq {literal(CLAIM_TABLE)}"
    rows = await client.rows("UserTablesMD", key="TableName", where=where, select=("TableName",))
    return any(text_of(row, "TableName") == CLAIM_TABLE for row in rows)


async def apply(client: B1Client, steps: Sequence[SetupStep]) -> list[SetupStep]:
    """Makes the missing ones in order. A field or table that is there meanwhile is fine."""
    by_name = {f"field {field.table}.{field.property}": field for field in USER_FIELDS}
    made: list[SetupStep] = []
    for step in steps:
        if step.done:
            made.append(step)
            continue
        field = by_name.get(step.name)
        if field is not None:
            body = {
                "TableName": field.table,
                "Name": field.name,
                "Description": field.description,
                "Type": "db_Alpha",
                "SubType": "st_None",
                "Size": field.size,
                "EditSize": field.size,
            }
            await _create(client, "UserFieldsMD", body)
        else:
            body = {
                "TableName": CLAIM_TABLE,
                "TableDescription": "Web store claims",
                "TableType": "bott_NoObject",
            }
            await _create(client, "UserTablesMD", body)
        made.append(replace(step, done=True, after=RESTART))
    return made


async def _create(client: B1Client, entity_set: str, body: Row) -> None:
    part = await client.write("POST", entity_set, body=body, permit=FreePermit())
    if part.status >= 400 and not part.told.already_there:
        raise failure_of(part.told, f"{entity_set} {body.get('Name') or body['TableName']}", write=True)
