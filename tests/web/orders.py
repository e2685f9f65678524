"""Orders in every state that a person meets, as rows of the first integration."""

from sqlalchemy import text

from tests.web.serving import Served

_RECORDS = text("""
INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, last_error, heard_at, done_at, run_at)
SELECT 1, 'orders', k, s, CASE WHEN s = 'held' THEN 'unmapped' END, CASE WHEN s = 'held' THEN :about END,
       CASE WHEN s = 'held' THEN 'no account' END, statement_timestamp() - n * interval '1 minute',
       CASE WHEN s = 'synced' THEN statement_timestamp() END, statement_timestamp()
  FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS k(k, n), (SELECT CAST(:status AS text)) AS s(s)
""")
_LABELS = text("""
INSERT INTO labels (integration, flow, key, title, party, total, currency, terms)
SELECT 1, 'orders', k, k, 'Moreau & Fils', 118.10, 'EUR', '' FROM unnest(CAST(:keys AS text[])) AS k
""")
_POSTED = text("""
INSERT INTO postings (integration, reference, connection, flow, record_key, kind, state, fingerprint, content, number,
                      posted_at, resolve_at)
SELECT 1, 'S1-O' || k, 2, 'orders', k, 'order', 'posted', 'f', '{}', '0100' || k, statement_timestamp(),
       statement_timestamp()
  FROM unnest(CAST(:keys AS text[])) AS k
""")
ABOUT = "payment_method|Later&Co"


async def orders(served: Served, status: str, *keys: str, about: str = ABOUT, booked: bool = False) -> None:
    """The first of `keys` is the newest. `booked`: a journal entry stands in the ERP."""
    async with served.database.transaction() as sql:
        await sql.execute(_RECORDS, {"keys": list(keys), "status": status, "about": about})
        await sql.execute(_LABELS, {"keys": list(keys)})
        if booked:
            await sql.execute(_POSTED, {"keys": list(keys)})


async def name_of(served: Served) -> str:
    """Of the first integration."""
    rows = await served.rows("SELECT name FROM integrations WHERE integration = 1")
    return str(rows[0].name)
