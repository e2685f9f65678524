"""The ERP's document numbers beside the order in the store: one order metafield of this API account.

Absolute: the value replaces what stood there. Its uniqueness (account, namespace, key, order) is the store's:
"Create Order Metafields" (Orders v3) answers 409 when it exists.
"""

import json
from collections.abc import Mapping

from ml_connector.connectors.bigcommerce.answers import SYSTEM
from ml_connector.connectors.bigcommerce.client import Client, whole_of
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.errors import Conflict, Rejected

LARGEST_VALUE = 65_535
DESCRIPTION = "Documents in the ERP: our reference and the ERP's number"


async def note_documents(client: Client, settings: StoreSettings, order_key: str, numbers: Mapping[str, str]) -> None:
    """Keeps reference -> number at the order. One call the first time, three later.

    Raises `Conflict` when the metafield vanished between two calls, `Rejected` when the order does not exist.
    """
    if not settings.write_back:
        return
    value = json.dumps(dict(sorted(numbers.items())), ensure_ascii=False, separators=(",", ":"))
    if len(value) > LARGEST_VALUE:
        raise Rejected(
            f"order {order_key} has {len(numbers)} documents, more than one metafield can hold", system=SYSTEM
        )
    path = f"/v3/orders/{int(order_key)}/metafields"
    body = {
        "permission_set": "app_only",
        "namespace": settings.metafield_namespace,
        "key": settings.metafield_key,
        "value": value,
        "description": DESCRIPTION,
    }
    answer = await client.put_absolute("POST", path, body)
    if answer.status != 409:
        return
    rows = await client.v3_list(path, {"namespace": settings.metafield_namespace, "key": settings.metafield_key})
    own = [
        row
        for row in rows
        if row.get("namespace") == settings.metafield_namespace and row.get("key") == settings.metafield_key
    ]
    if not own:
        raise Conflict(
            f"order {order_key} has a metafield {settings.metafield_namespace}/{settings.metafield_key} that this API "
            "account cannot see",
            system=SYSTEM,
            status=409,
        )
    answer = await client.put_absolute("PUT", f"{path}/{whole_of(own[0], 'id')}", body)
    if answer.status == 409:
        raise Conflict(f"the metafield of order {order_key} is being written elsewhere", system=SYSTEM, status=409)
