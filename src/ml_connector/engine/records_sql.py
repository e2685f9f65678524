"""Every statement that moves a record, each with the rule that it keeps (R1-R14 of `docs/exactly-once.md`).

`statement_timestamp()` everywhere: one clock, the database's; volatile `clock_timestamp()` would cost the index
condition of the claim.
"""

from sqlalchemy import text

NOTIFY = text("SELECT pg_notify(:channel, :lane)")

LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '1s'")

# R1, R10, R12: a mark always raises seq; it brings a resting record forward, never back, and never wakes a dead one.
# R13: keys sorted and distinct. `rest_until` keeps 5 s between runs of a record that fails on every new mark.
_MARKED = """
ON CONFLICT (integration, flow, key) DO UPDATE SET
  seq = r.seq + 1, want = greatest(r.want, excluded.want),
  behind = CASE WHEN excluded.want > r.want THEN 0 ELSE r.behind END,
  heard_at = CASE WHEN r.done_seq = r.seq THEN excluded.heard_at ELSE r.heard_at END,
  status = CASE WHEN r.token IS NULL AND r.wakes AND r.status <> 'dead' THEN 'waiting' ELSE r.status END,
  hold_kind = CASE WHEN r.token IS NULL AND r.wakes AND r.status <> 'dead' THEN NULL ELSE r.hold_kind END,
  hold_key = CASE WHEN r.token IS NULL AND r.wakes AND r.status <> 'dead' THEN NULL ELSE r.hold_key END,
  run_at = CASE WHEN r.token IS NULL AND r.wakes AND r.status <> 'dead'
                THEN least(r.run_at, greatest(excluded.run_at, r.rest_until)) ELSE r.run_at END
"""

_MARK = """
INSERT INTO records AS r (integration, flow, key, want, run_at)
SELECT :integration, :flow, k, CAST(:want AS timestamptz), statement_timestamp()
  FROM (SELECT DISTINCT k FROM unnest(CAST(:keys AS text[])) k ORDER BY k) d
"""
MARK = text(_MARK + _MARKED)

# What was heard and its marks in one statement, hence one commit and one round trip. A repeated delivery is stored once
# and marks again. Both tables are written in the order of their keys, so that two processes cannot block each other.
_HEAR = """
WITH stored AS (
  INSERT INTO webhooks (integration, delivery_key, scope, body)
  SELECT * FROM unnest(CAST(:integrations AS int[]), CAST(:ids AS text[]), CAST(:scopes AS text[]),
                       CAST(:bodies AS bytea[])) AS d(integration, delivery_key, scope, body)
   ORDER BY 1, 2
  ON CONFLICT (integration, delivery_key) DO NOTHING)
INSERT INTO records AS r (integration, flow, key, run_at)
SELECT integration, flow, key, statement_timestamp()
  FROM (SELECT DISTINCT * FROM unnest(CAST(:mark_integrations AS int[]), CAST(:mark_flows AS text[]),
                                      CAST(:mark_keys AS text[])) AS m(integration, flow, key)
         ORDER BY 1, 2, 3) d
"""
HEAR = text(_HEAR + _MARKED)

# R11: lanes with due rows by skip scan over records_due; cost grows with lanes, not with records.
LANES = text("""
WITH RECURSIVE lane AS (
  (SELECT integration, flow, run_at FROM records WHERE run_at IS NOT NULL ORDER BY integration, flow, run_at LIMIT 1)
  UNION ALL
  SELECT n.* FROM lane, LATERAL (SELECT integration, flow, run_at FROM records
     WHERE run_at IS NOT NULL AND (integration, flow) > (lane.integration, lane.flow)
     ORDER BY integration, flow, run_at LIMIT 1) n)
SELECT integration, flow FROM lane WHERE run_at <= statement_timestamp()
""")

# R7: a suspect at the head runs alone, others are claimed without suspects. The floor lets the scan skip index entries
# that died at the head of the lane while an old snapshot is open. statement_timestamp(), because a volatile clock
# would give up the index condition.
CLAIM = text("""
WITH due AS MATERIALIZED (
  SELECT key, suspect, run_at FROM records
   WHERE integration = :integration AND flow = :flow
     AND run_at <= statement_timestamp() AND run_at >= CAST(:floor AS timestamptz)
   ORDER BY run_at LIMIT :batch FOR UPDATE SKIP LOCKED),
pick AS MATERIALIZED (
  SELECT key FROM (SELECT key, suspect, row_number() OVER w AS n, first_value(suspect) OVER w AS head
                     FROM due WINDOW w AS (ORDER BY run_at, key)) d
   WHERE CASE WHEN head THEN n = 1 ELSE NOT suspect END),
run AS (
  INSERT INTO runs (integration, token, flow, worker, keys, lease_until)
  SELECT :integration, nextval('run_token'), :flow, :worker, array_agg(key),
         statement_timestamp() + :lease_s * interval '1 second'
    FROM pick HAVING count(*) > 0 RETURNING token)
UPDATE records r SET token = run.token, run_at = NULL, status = 'running' FROM run, pick
 WHERE r.integration = :integration AND r.flow = :flow AND r.key = pick.key
RETURNING r.key, r.seq, r.want, r.attempts, r.hold_kind, r.suspect, r.token, (SELECT min(run_at) FROM due) AS floor,
          (SELECT epoch FROM integrations g WHERE g.integration = :integration) AS epoch
""")

# R1: one UPDATE with a CASE on the current seq; it waits for an uncommitted mark of the row and then sees it. R6: a
# snapshot older than `want` leaves the record unfinished three times. P1: no record rests while a posting of its own
# is open, whatever the flow believed. `ends` deletes the run in the same commit; the run row is locked first, as the
# sweep does, so that the two cannot wait for each other. A stamp so young that the source may still give the same one
# to another edit is kept as a moment earlier, so that a poll asks once more (`stamps.py`).
FINISH = text("""
WITH own AS MATERIALIZED (
  SELECT 1 AS one FROM runs WHERE integration = :integration AND token = :token FOR UPDATE),
f AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:seqs AS bigint[]), CAST(:stamps AS timestamptz[]),
                       CAST(:next_at AS timestamptz[]), CAST(:next_in AS float8[]), CAST(:statuses AS text[]),
                       CAST(:reasons AS text[])) AS f(key, seen, stamp, next_at, next_in, status, reason)),
l AS MATERIALIZED (
  SELECT r.key, f.seen, f.stamp, f.status, f.reason,
         coalesce(f.next_at, statement_timestamp() + f.next_in * interval '1 second') AS next_at,
         (SELECT min(greatest(p.resolve_at, statement_timestamp() + interval '5 seconds')) FROM postings p
           WHERE p.integration = :integration AND p.flow = :flow AND p.record_key = r.key
             AND p.state IN ('sending', 'uncertain')) AS open_until
    FROM own, records r JOIN f USING (key)
   WHERE r.integration = :integration AND r.flow = :flow AND r.token = :token ORDER BY r.key FOR UPDATE OF r),
done AS (
  UPDATE records r SET token = NULL, attempts = 0, defects = 0, suspect = false, deaths = 0, wakes = true,
       last_error = NULL, hold_kind = NULL, hold_key = NULL, rest_until = NULL, reason = l.reason,
       stamp = greatest(r.stamp, l.stamp - CASE
         WHEN l.stamp > statement_timestamp() - (:run_age_s + :stamp_settles_s) * interval '1 second'
         THEN interval '1 microsecond' ELSE interval '0' END),
       (done_seq, done_at, behind, status, run_at) = (
         SELECT CASE WHEN b.behind OR b.unresolved THEN r.done_seq ELSE l.seen END,
                CASE WHEN b.behind OR b.unresolved THEN r.done_at ELSE statement_timestamp() END,
                CASE WHEN b.behind THEN r.behind + 1 ELSE 0 END,
                CASE WHEN r.seq > l.seen OR b.behind OR b.unresolved OR l.next_at IS NOT NULL THEN 'waiting'
                     ELSE l.status END,
                CASE WHEN r.seq > l.seen THEN statement_timestamp()
                     WHEN b.behind THEN statement_timestamp() + (ARRAY[2, 10, 30])[r.behind + 1] * interval '1 second'
                     ELSE least(l.next_at, l.open_until) END
           FROM (SELECT coalesce(l.stamp < r.want AND r.behind < 3, false) AS behind,
                        l.open_until IS NOT NULL AS unresolved) b)
    FROM l WHERE r.integration = :integration AND r.flow = :flow AND r.key = l.key AND r.token = :token
  RETURNING r.key),
gone AS (
  DELETE FROM runs USING own WHERE :ends AND integration = :integration AND token = :token)
SELECT key FROM done
""")

# R10: back-off by the database's clock with jitter; a mark during the run cuts it only where new data can help, and
# never below the floor. Throttled (`counts` false): exactly the floor and a little jitter, no attempt counted.
# An error of our own (`defect`) in a shared run makes suspects, so that only lone runs count (as in R7).
FAIL = text("""
UPDATE records r SET token = NULL, attempts = attempts + CAST(:counts AS int), wakes = :wakes, deaths = 0,
       last_error = :error, suspect = :suspect, defects = defects + CAST(:defect AS int),
       rest_until = statement_timestamp() + :rest_s * interval '1 second',
       (status, run_at) = (
         SELECT CASE WHEN dead THEN 'dead' ELSE 'waiting' END,
                CASE WHEN NOT dead THEN statement_timestamp() + interval '1 second' * CASE
                  WHEN r.seq > :seq AND :wakes THEN :floor_s
                  WHEN NOT :counts THEN :floor_s * (1 + random() / 5)
                  ELSE least(3600, :floor_s * 2 ^ least(attempts, 12)) * (0.5 + random() / 2) END END
           FROM (SELECT r.defects + CAST(:defect AS int) >= :park AND :defect AS dead) d)
 WHERE integration = :integration AND flow = :flow AND key = :key AND token = :token RETURNING key
""")

# Parked for a person: nothing runs until a replay (R12).
PARK = text("""
UPDATE records SET token = NULL, run_at = NULL, status = 'dead', last_error = :error, suspect = false
 WHERE integration = :integration AND flow = :flow AND key = :key AND token = :token RETURNING key
""")

# R5: a hold is written only if its condition is still false, under a lock that the releaser also takes: the epoch of
# the integration, and of the connection where the hold is the connection's. Else the record is due now. A hold with
# an open posting wakes at its resolve_at (P1).
HOLD = text("""
WITH gate AS MATERIALIZED (
  SELECT epoch <> :epoch AS moved FROM integrations WHERE integration = :integration FOR SHARE),
line AS MATERIALIZED (
  SELECT epoch <> CAST(:connection_epoch AS bigint) AS moved FROM connections
   WHERE connection = CAST(:connection AS int) FOR SHARE)
UPDATE records r SET token = NULL, suspect = false, deaths = 0, attempts = 0, last_error = :message,
       rest_until = statement_timestamp() + :rest_s * interval '1 second',
       (wakes, status, hold_kind, hold_key, run_at) = (
         SELECT again OR :wakes, CASE WHEN again THEN 'waiting' ELSE 'held' END,
                CASE WHEN NOT again THEN :kind END, CASE WHEN NOT again THEN :hold_key END,
                CASE WHEN a.moved THEN statement_timestamp()
                     WHEN again THEN statement_timestamp() + :rest_s * interval '1 second'
                     ELSE least(CAST(:resolve_at AS timestamptz), (
                       SELECT min(greatest(p.resolve_at, statement_timestamp() + interval '5 seconds')) FROM postings p
                        WHERE p.integration = :integration AND p.flow = :flow AND p.record_key = :key
                          AND p.state IN ('sending', 'uncertain'))) END
           FROM (SELECT m.moved, m.moved OR (:wakes AND r.seq > :seq) AS again
                   FROM (SELECT gate.moved OR coalesce((SELECT line.moved FROM line), false) AS moved) m) a)
  FROM gate
 WHERE r.integration = :integration AND r.flow = :flow AND r.key = :key AND r.token = :token RETURNING r.status
""")

# P4: who waits for a posting that somebody else has in flight is found by whoever resolves it (hold_kind 'posting').
# The posting is locked, so that an outcome between reading it and resting cannot be missed: if it is no longer open,
# the record is due at once. Without `reference` it is a plain "run again". R14: `keeps_suspicion` for records that
# are handed back unfinished.
DEFER = text("""
WITH open AS MATERIALIZED (
  SELECT bool_or(state IN ('sending', 'uncertain')) AS still FROM (
    SELECT state FROM postings WHERE integration = :integration AND reference = CAST(:reference AS text) FOR SHARE) p)
UPDATE records r SET token = NULL, wakes = true, last_error = coalesce(CAST(:why AS text), r.last_error),
       suspect = r.suspect AND :keeps_suspicion, deaths = CASE WHEN :keeps_suspicion THEN r.deaths ELSE 0 END,
       status = 'waiting',
       (hold_kind, hold_key, run_at) = (
         SELECT CASE WHEN NOT now AND :reference IS NOT NULL THEN 'posting' END,
                CASE WHEN NOT now THEN CAST(:reference AS text) END,
                CASE WHEN now THEN statement_timestamp()
                     WHEN r.seq > :seq THEN statement_timestamp() + least(:after_s, :rest_s) * interval '1 second'
                     ELSE statement_timestamp() + :after_s * interval '1 second' END
           FROM (SELECT CAST(:reference AS text) IS NOT NULL AND NOT coalesce((SELECT still FROM open), false)
                 AS now) n)
 WHERE integration = :integration AND flow = :flow AND key = :key AND token = :token RETURNING key
""")

END = text("DELETE FROM runs WHERE integration = :integration AND token = :token RETURNING token")

RAISE_EPOCH = text("UPDATE integrations SET epoch = epoch + 1 WHERE integration = :integration RETURNING epoch")
RAISE_CONNECTION = text("UPDATE connections SET epoch = epoch + 1 WHERE connection = :connection RETURNING epoch")

# R5: after the epoch was raised in the same transaction. Rows are locked in key order (R13). A dead one may still
# carry the hold that it had when its worker died; only a replay revives it (R12).
RELEASE = text("""
WITH l AS MATERIALIZED (
  SELECT flow, key FROM records WHERE integration = :integration AND hold_kind = :kind
     AND (CAST(:hold_keys AS text[]) IS NULL OR hold_key = ANY(CAST(:hold_keys AS text[])))
     AND token IS NULL AND status <> 'dead'
   ORDER BY flow, key FOR UPDATE)
UPDATE records r SET status = 'waiting', hold_kind = NULL, hold_key = NULL, wakes = true, rest_until = NULL,
       run_at = least(r.run_at, statement_timestamp())
  FROM l WHERE r.integration = :integration AND r.flow = l.flow AND r.key = l.key AND r.token IS NULL
   AND r.hold_kind = :kind
RETURNING r.flow, r.key
""")

# R12: the only way out of `dead`. A running record runs once more afterwards; a suspect stays one.
REPLAY = text("""
WITH l AS MATERIALIZED (
  SELECT key FROM records WHERE integration = :integration AND flow = :flow AND key = ANY(CAST(:keys AS text[]))
   ORDER BY key FOR UPDATE)
UPDATE records r SET seq = r.seq + 1, attempts = 0, defects = 0, deaths = 0, behind = 0, wakes = true,
       rest_until = NULL,
       heard_at = CASE WHEN r.done_seq = r.seq THEN statement_timestamp() ELSE r.heard_at END,
       status = CASE WHEN r.token IS NULL THEN 'waiting' ELSE r.status END,
       hold_kind = CASE WHEN r.token IS NULL THEN NULL ELSE r.hold_kind END,
       hold_key = CASE WHEN r.token IS NULL THEN NULL ELSE r.hold_key END,
       run_at = CASE WHEN r.token IS NULL THEN least(r.run_at, statement_timestamp()) END
  FROM l WHERE r.integration = :integration AND r.flow = :flow AND r.key = l.key RETURNING r.key
""")

# Deleting the run row is the fence. Only locked *runs* are skipped; a locked record is waited for, or it would run for
# ever. R7: after a sweep all are suspects, and only the death of a lone run counts.
SWEEP = text("""
WITH lapsed AS MATERIALIZED (
  SELECT integration, token FROM runs WHERE lease_until < statement_timestamp()
   ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED),
gone AS (DELETE FROM runs r USING lapsed l WHERE r.integration = l.integration AND r.token = l.token
         RETURNING r.integration, r.token, r.flow, r.keys),
l AS MATERIALIZED (
  SELECT r.integration, r.flow, r.key, cardinality(g.keys) = 1 AS lone
    FROM gone g JOIN records r ON r.integration = g.integration AND r.flow = g.flow AND r.key = ANY(g.keys)
                              AND r.token = g.token
   ORDER BY r.key FOR UPDATE OF r),
swept AS (
  UPDATE records r SET token = NULL, suspect = true, deaths = r.deaths + l.lone::int,
       status = CASE WHEN l.lone AND r.deaths + 1 >= :park THEN 'dead' ELSE 'waiting' END,
       last_error = CASE WHEN l.lone THEN 'The worker that ran this record alone died or stopped answering (time '
                         || r.deaths + 1 || ').' ELSE r.last_error END,
       run_at = CASE WHEN l.lone AND r.deaths + 1 >= :park THEN NULL ELSE statement_timestamp() END
    FROM l WHERE r.integration = l.integration AND r.flow = l.flow AND r.key = l.key AND r.token IS NOT NULL
  RETURNING r.integration, r.flow, r.key, r.status)
SELECT g.integration, g.flow, g.token, s.key, s.status FROM gone g LEFT JOIN swept s ON true
""")
