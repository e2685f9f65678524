"""Checks that need both our own books and the system: what a connector's ping cannot know by itself."""

from ml_connector.connectors.base import Check, Connector, Ledger, Lookup
from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.codec import document_from_json
from ml_connector.engine import postings
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Integration


async def sees_own_documents(database: Database, integration: Integration, connector: Connector) -> Check | None:
    """Whether the look-up sees the youngest document of ours that it must show by now; None: none was posted yet, or
    no ledger.

    A user without the right to see documents gets the answer "absent", and absence is what licenses a post.
    """
    if not isinstance(connector, Ledger):
        return None
    async with database.connect() as connection:
        posting = await postings.youngest(connection, integration.id, integration.erp, connector.timing)
    if posting is None:
        return None
    name = f"look-up ({integration.name})"
    document = document_from_json(posting.content)
    try:
        found = await connector.find([Lookup(document)])
    except ConnectorError as error:
        return Check(name, ok=False, message=str(error), kind="right")
    if found.get(document.reference):
        return Check(name, ok=True, message=f"sees {document.reference}, posted as {posting.number}", kind="guard")
    fix = (
        "give the user the right to read accounting documents of this company code; if the document was deleted in the "
        "ERP, stop the workers until it is clear why"
    )
    message = f"does not see {document.reference}, which was posted as {posting.number}: it would be posted again"
    return Check(name, ok=False, message=message, fix=fix, kind="guard")
