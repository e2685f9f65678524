"""Every statement on stock, with the invariant that it keeps. Rows are locked in the order of their SKUs."""

from sqlalchemy import text

LIVE_KINDS = "'sales_order', 'sales_invoice', 'delivery'"
"""Documents of ours that take goods out of the ERP's stock, or promise them."""

_ALIVE = """
alive AS MATERIALIZED (
  SELECT 1 AS one FROM runs WHERE integration = :integration AND token = :token FOR KEY SHARE)"""

NOW = text("SELECT statement_timestamp()")

KNOWN = text("""
SELECT sku, version, sent, sent_seq, stale,
       extract(epoch FROM settles_at - statement_timestamp())::float8 AS settles_in_s
  FROM stock WHERE integration = :integration AND sku = ANY(CAST(:skus AS text[]))
""")

# A read that began earlier than the one kept changes nothing: its run is late.
NOTE = text(f"""
WITH {_ALIVE},
n AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:items AS text[]), CAST(:wanted AS jsonb[]),
                       CAST(:store AS jsonb[]), CAST(:read_at AS timestamptz[])) AS n(sku, item, wanted, store, read_at)
   WHERE EXISTS (SELECT 1 FROM alive) ORDER BY sku)
INSERT INTO stock AS s (integration, sku, item, read_at, wanted, store)
SELECT :integration, sku, item, read_at, wanted, store FROM n
ON CONFLICT (integration, sku) DO UPDATE SET item = excluded.item, wanted = excluded.wanted, store = excluded.store,
  read_at = greatest(s.read_at, excluded.read_at), stale = NULL, stale_at = NULL,
  drift = CASE WHEN excluded.store @> excluded.wanted THEN NULL ELSE s.drift END
 WHERE coalesce(s.read_at <= excluded.read_at, true)
RETURNING s.sku, s.version
""")  # noqa: S608 - constants of this module

# One write at a time, by a run that is alive, on what it read: otherwise an older figure could be the last.
ARM = text(f"""
WITH {_ALIVE},
w AS MATERIALIZED (
  SELECT s.sku, n.sent, n.seq
    FROM alive, stock s JOIN unnest(CAST(:skus AS text[]), CAST(:versions AS bigint[]), CAST(:sent AS jsonb[]),
                                    CAST(:seqs AS bigint[])) AS n(sku, version, sent, seq)
      ON s.sku = n.sku AND s.version = n.version
   WHERE s.integration = :integration AND coalesce(s.settles_at <= statement_timestamp(), true)
   ORDER BY s.sku FOR UPDATE OF s)
UPDATE stock s SET version = s.version + 1, sent = w.sent, sent_seq = w.seq, sent_at = statement_timestamp(),
       settles_at = statement_timestamp() + :horizon_s * interval '1 second'
  FROM w WHERE s.integration = :integration AND s.sku = w.sku
RETURNING s.sku, s.version
""")  # noqa: S608 - constants of this module

_MINE = """
  FROM unnest(CAST(:skus AS text[]), CAST(:versions AS bigint[])) AS n(sku, version)
 WHERE s.integration = :integration AND s.sku = n.sku AND s.version = n.version"""

ACCEPTED = text(f"""
UPDATE stock s SET settles_at = statement_timestamp() + :within_s * interval '1 second',
       store = coalesce(s.store, '{{}}'::jsonb) || s.sent {_MINE}
""")  # noqa: S608 - constants of this module

REFUSED = text(f"UPDATE stock s SET settles_at = NULL, sent = NULL, sent_seq = NULL {_MINE}")  # noqa: S608

VERIFIED = text("""
UPDATE stock SET sent = NULL, sent_seq = NULL, drift = NULL
 WHERE integration = :integration AND sku = ANY(CAST(:skus AS text[])) AND settles_at <= statement_timestamp()
""")

READ_ORDERS = text("""
SELECT order_key, stamp FROM stock_reserved
 WHERE integration = :integration AND sku = '' AND order_key = ANY(CAST(:orders AS text[]))
""")

# What an order no longer names is zero. A SKU is looked at again when an order that was known takes something else,
# or when a figure was written after the order was placed and before it was known: the clocks of store and database
# may differ by two minutes.
RESERVE = text("""
WITH n AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:orders AS text[]), CAST(:skus AS text[]), CAST(:quantities AS int[]),
                       CAST(:stamps AS timestamptz[]), CAST(:created AS timestamptz[]))
    AS n(order_key, sku, quantity, stamp, created)),
old AS MATERIALIZED (
  SELECT r.order_key, r.sku, r.quantity FROM stock_reserved r
   WHERE r.integration = :integration AND r.order_key IN (SELECT order_key FROM n)),
gone AS (
  UPDATE stock_reserved r SET quantity = 0, stamp = h.stamp
    FROM n h WHERE h.sku = '' AND r.integration = :integration AND r.order_key = h.order_key AND r.stamp <= h.stamp
     AND r.quantity > 0 AND NOT EXISTS (SELECT 1 FROM n WHERE n.order_key = r.order_key AND n.sku = r.sku)
  RETURNING r.sku),
put AS (
  INSERT INTO stock_reserved AS r (integration, order_key, sku, quantity, stamp)
  SELECT :integration, order_key, sku, quantity, stamp FROM n ORDER BY order_key, sku
  ON CONFLICT (integration, order_key, sku) DO UPDATE SET quantity = excluded.quantity, stamp = excluded.stamp
   WHERE r.stamp <= excluded.stamp
  RETURNING r.order_key, r.sku, r.quantity)
SELECT sku, bool_or(look) AS look FROM (
  SELECT sku, true AS look FROM gone
  UNION ALL
  SELECT put.sku,
         EXISTS (SELECT 1 FROM old o WHERE o.order_key = put.order_key)
         OR EXISTS (SELECT 1 FROM stock s WHERE s.integration = :integration AND s.sku = put.sku
                       AND s.sent_at > n.created - interval '2 minutes')
    FROM put
    JOIN n ON n.order_key = put.order_key AND n.sku = put.sku
    LEFT JOIN old ON old.order_key = put.order_key AND old.sku = put.sku
   WHERE put.sku <> '' AND coalesce(old.quantity, 0) <> put.quantity) c
 GROUP BY sku ORDER BY sku
""")

# Documents of an order that stand, or may: another one is no document of ours, or one that we have undone.
_LIVE = f"""
  FROM postings p
 WHERE p.integration = :integration AND p.flow = 'orders' AND p.record_key = o.order_key AND p.kind IN ({LIVE_KINDS})
   AND NOT EXISTS (SELECT 1 FROM postings v
                    WHERE v.integration = p.integration AND v.reverses_reference = p.reference
                      AND v.reverses_generation = p.generation AND v.state IN ('posted', 'checked'))"""  # noqa: S608

# An order that is left out by a rule will never be posted: the ERP got it in another way, or never will. One whose
# document is on its way, or of unknown outcome, may be in the figure already: it is taken off, and looked at again.
# Of one that is in the figure, what an edit has added since is not.
RESERVED = text(f"""
WITH n AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:items AS text[]),
                       CAST(:counted_before AS timestamptz[])) AS n(key, sku, item, counted_before)),
o AS MATERIALIZED (
  SELECT n.key, n.item, n.counted_before, r.order_key, sum(r.quantity) AS quantity
    FROM n JOIN stock_reserved r ON r.integration = :integration AND r.sku = n.sku AND r.quantity > 0
   GROUP BY n.key, n.item, n.counted_before, r.order_key)
SELECT o.key AS sku, coalesce(bool_or(d.is_there AND NOT d.counted), false) AS unsure,
       sum(CASE WHEN d.counted THEN greatest(0, o.quantity - coalesce(d.booked, o.quantity)) ELSE o.quantity END)::int
         AS quantity
  FROM o
  LEFT JOIN records w ON w.integration = :integration AND w.flow = 'orders' AND w.key = o.order_key
  LEFT JOIN LATERAL (
    SELECT true AS is_there, sum(x.booked) AS booked,
           coalesce(bool_or(x.state IN ('posted', 'checked') AND x.posted_at < o.counted_before), false) AS counted
      FROM (SELECT p.state, p.posted_at,
                   (SELECT sum((l -> 'itemised' ->> 'quantity')::numeric)
                      FROM jsonb_array_elements(p.content -> 'lines') l
                     WHERE l -> 'itemised' ->> 'item' = o.item) AS booked {_LIVE}
               AND p.state IN ('posted', 'checked', 'sending', 'uncertain')) x
    HAVING count(*) > 0) d ON true
 WHERE w.status IS DISTINCT FROM 'excluded'
 GROUP BY o.key
""")  # noqa: S608 - constants of this module

# What is synced is in the books, or has nothing to be there.
UNPOSTED_ORDERS = text("""
SELECT key FROM records WHERE integration = :integration AND flow = 'orders' AND status NOT IN ('excluded', 'synced')
""")

HEARD_ORDERS = text("""
SELECT key FROM records WHERE integration = :integration AND flow = 'orders' AND status <> 'excluded'
   AND key = ANY(CAST(:orders AS text[]))
""")

# Those that hold nothing any more; and those that are in the books as they are, or a SKU that sells well would be
# planned ever more slowly. One that changes is read, and noted, again.
FORGET_ORDERS = text(f"""
DELETE FROM stock_reserved o
 WHERE o.integration = :integration AND (
       o.stamp < statement_timestamp() - interval '30 days'
       AND NOT EXISTS (SELECT 1 FROM stock_reserved r WHERE r.integration = o.integration
                          AND r.order_key = o.order_key AND r.quantity > 0)
    OR EXISTS (SELECT 1 FROM records w WHERE w.integration = o.integration AND w.flow = 'orders'
                  AND w.key = o.order_key AND w.status = 'synced' AND w.done_seq >= w.seq)
       AND EXISTS (SELECT 1 {_LIVE} AND p.state IN ('posted', 'checked')
                      AND p.posted_at < statement_timestamp() - interval '1 day'))
""")  # noqa: S608 - constants of this module

NEWS = text("""
SELECT n.item FROM unnest(CAST(:items AS text[]), CAST(:digests AS text[])) AS n(item, digest)
  LEFT JOIN stock_seen s ON s.integration = :integration AND s.item = n.item
 WHERE coalesce(s.digest, '-') <> n.digest
""")

SEE = text("""
INSERT INTO stock_seen AS s (integration, item, digest, content, seen_at)
SELECT :integration, item, digest, content, CAST(:seen_at AS timestamptz)
  FROM unnest(CAST(:items AS text[]), CAST(:digests AS text[]), CAST(:contents AS jsonb[])) AS n(item, digest, content)
 ORDER BY item
ON CONFLICT (integration, item) DO UPDATE SET digest = excluded.digest, content = excluded.content,
  seen_at = excluded.seen_at
""")

# A complete scan confirms whatever it did not change.
SCANNED = text("""
SELECT item, digest, content, as_of FROM (
  SELECT s.item, s.digest, s.content,
         greatest(s.seen_at, (SELECT (value ->> 'scanned_at')::timestamptz FROM watermarks w
                               WHERE w.integration = s.integration AND w.flow = 'stock')) AS as_of
    FROM stock_seen s
   WHERE s.integration = :integration AND s.item = ANY(CAST(:items AS text[])) AND s.content IS NOT NULL) f
 WHERE as_of > statement_timestamp() - :younger_s * interval '1 second'
""")

SPELLED = text("SELECT key FROM records WHERE integration = :integration AND flow = 'stock' AND key <> upper(key)")

SEEN = text("SELECT item FROM stock_seen WHERE integration = :integration AND digest <> ''")

SET_STALE = text("""
UPDATE stock SET stale = :stale, stale_at = coalesce(stale_at, statement_timestamp())
 WHERE integration = :integration AND sku = ANY(CAST(:skus AS text[])) AND stale IS DISTINCT FROM :stale
""")

DRIFTED = text("""
INSERT INTO stock AS s (integration, sku, drift, drift_at)
SELECT :integration, sku, drift, statement_timestamp()
  FROM unnest(CAST(:skus AS text[]), CAST(:drift AS jsonb[])) AS n(sku, drift) ORDER BY sku
ON CONFLICT (integration, sku) DO UPDATE SET drift = excluded.drift, drift_at = excluded.drift_at
""")

# As fresh as the last read of the ERP, or as the last complete scan where no mark has waited since.
FRESH_AT = """
CASE WHEN r.done_seq >= r.seq
     THEN greatest(s.read_at, (SELECT (value ->> 'scanned_at')::timestamptz FROM watermarks w
                                WHERE w.integration = s.integration AND w.flow = 'stock'))
     ELSE s.read_at END"""

_WITH_RECORD = """
  FROM stock s JOIN records r ON r.integration = s.integration AND r.flow = 'stock' AND r.key = s.sku
 WHERE s.integration = :integration AND s.read_at IS NOT NULL AND r.status <> 'excluded'"""

_OLD = f"({FRESH_AT}) < statement_timestamp() - :minutes * interval '1 minute'"

GONE_STALE = text(f"""
SELECT s.sku, s.version {_WITH_RECORD} AND s.stale IS NULL AND {_OLD} ORDER BY s.sku LIMIT :limit
""")

# Only what was told and nothing else: a figure that was floored or held ends with the run that reads again.
FRESH_AGAIN = text(f"""
UPDATE stock u SET stale = NULL, stale_at = NULL
  FROM (SELECT s.sku {_WITH_RECORD} AND s.stale = 'found' AND NOT {_OLD}) f
 WHERE u.integration = :integration AND u.sku = f.sku RETURNING u.sku
""")  # noqa: S608 - constants of this module

SKUS = text(f"""
SELECT s.sku, s.item, s.wanted, s.store, s.sent_at, s.settles_at > statement_timestamp() AS settling, s.drift,
       s.drift_at, s.stale, s.stale_at, s.read_at, r.status, r.reason, r.last_error, {FRESH_AT} AS fresh_at,
       extract(epoch FROM statement_timestamp() - {FRESH_AT})::float8 AS age_s,
       (SELECT coalesce(sum(quantity), 0) FROM stock_reserved o
         WHERE o.integration = s.integration AND o.sku = s.sku AND o.quantity > 0)::bigint AS on_orders
  FROM stock s LEFT JOIN records r ON r.integration = s.integration AND r.flow = 'stock' AND r.key = s.sku
 WHERE s.integration = :integration AND (CAST(:sku AS text) IS NULL OR s.sku = :sku)
   AND (NOT :troubled OR s.stale IS NOT NULL OR s.drift IS NOT NULL)
 ORDER BY s.sku LIMIT :limit
""")  # noqa: S608 - constants of this module

SUMMARY = text(f"""
SELECT s.integration, count(*) AS skus, count(*) FILTER (WHERE s.stale IS NOT NULL) AS stale,
       count(*) FILTER (WHERE s.drift IS NOT NULL) AS drifted, min({FRESH_AT}) AS oldest_at,
       coalesce(extract(epoch FROM statement_timestamp() - min({FRESH_AT})), 0)::float8 AS oldest_s
  FROM stock s JOIN records r ON r.integration = s.integration AND r.flow = 'stock' AND r.key = s.sku
 WHERE r.status <> 'excluded' GROUP BY s.integration ORDER BY s.integration
""")  # noqa: S608 - constants of this module

# `pending`: a run is due, under way, or has to look once more at what was written.
STANDINGS = text("""
SELECT n.sku, s.item, s.wanted, s.sent IS NOT NULL OR coalesce(s.settles_at > statement_timestamp(), false) AS sent,
       s.stale, r.status, coalesce(r.last_error, r.reason, '') AS why, r.heard_at,
       coalesce(r.token IS NOT NULL OR r.run_at IS NOT NULL OR r.done_seq < r.seq, false) AS pending
  FROM unnest(CAST(:skus AS text[])) AS n(sku)
  LEFT JOIN stock s ON s.integration = :integration AND s.sku = n.sku
  LEFT JOIN records r ON r.integration = :integration AND r.flow = 'stock' AND r.key = n.sku
""")
