"""Every statement on postings, each with the licence that it demands (R3, P2-P8 and P11 of `docs/exactly-once.md`).

`alive` is the fence: the run's row, locked so that the sweep, which deletes it, cannot come between the check and the
write (R3). Batches arrive as arrays; rows are locked in the order of their names, so that two batches cannot deadlock.
"""

from sqlalchemy import TextClause, text

Statement = TextClause

_ALIVE = """
alive AS MATERIALIZED (
  SELECT 1 AS one FROM runs WHERE integration = :integration AND token = :token FOR KEY SHARE)"""

_COLUMNS = """p.integration, p.reference, p.generation, p.connection, p.flow, p.record_key, p.kind, p.step,
  p.reverses_reference, p.reverses_generation, p.state, p.version, p.attempt, p.sent_at, p.resolve_at, p.fingerprint,
  p.sent_fingerprints, p.content, p.before, p.stored, p.number, p.source_digest, p.mapping_version, p.policy_version,
  p.adopted, p.error, p.posted_at, p.checked_at, p.count_at, statement_timestamp() AS read_at"""

_STATE_COLUMNS = _COLUMNS.replace("p.content, p.before,", "CAST('{}' AS jsonb) AS content, NULL AS before,")

# The unique key decides between two runs that plan the same document; the loser reads the winner's row. What was
# inserted is known and needs no reading; no row at all for a fenced run, a row without a name where nothing was new.
PLAN = text(f"""
WITH {_ALIVE},
n AS (
  INSERT INTO postings (integration, reference, generation, connection, flow, record_key, kind, step,
                        reverses_reference, reverses_generation, fingerprint, content, before, source_digest,
                        mapping_version, policy_version, token)
  SELECT :integration, d.reference, d.generation, d.connection, d.flow, d.record_key, d.kind, d.step,
         d.reverses_reference, d.reverses_generation, d.fingerprint, d.content, d.before, d.digest,
         d.mapping_version, d.policy_version, :token
    FROM alive, unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:connections AS int[]), CAST(:flows AS text[]),
      CAST(:record_keys AS text[]), CAST(:kinds AS text[]), CAST(:steps AS text[]),
      CAST(:reverses_references AS text[]), CAST(:reverses_generations AS int[]), CAST(:fingerprints AS text[]),
      CAST(:contents AS jsonb[]), CAST(:befores AS jsonb[]), CAST(:digests AS text[]),
      CAST(:mapping_versions AS int[]), CAST(:policy_versions AS int[]))
    AS d(reference, generation, connection, flow, record_key, kind, step, reverses_reference, reverses_generation,
         fingerprint, content, before, digest, mapping_version, policy_version)
   ORDER BY d.reference, d.generation
  ON CONFLICT (integration, reference, generation) DO NOTHING
  RETURNING reference, generation, version)
SELECT n.reference, n.generation, n.version, statement_timestamp() AS read_at FROM alive LEFT JOIN n ON true
""")  # noqa: S608 - constants of this module

# P5: the fingerprint may change in place only where nothing is in flight and nothing stands in the target.
# `rejected -> planned` keeps resolve_at, so that the next look-up counts from refusal + V.
REPLAN = text(f"""
WITH {_ALIVE},
w AS MATERIALIZED (
  SELECT p.reference, p.generation, d.step, d.reverses_reference, d.reverses_generation, d.fingerprint, d.content,
         d.before, d.digest, d.mapping_version, d.policy_version
    FROM alive, postings p JOIN unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:versions AS bigint[]), CAST(:steps AS text[]),
      CAST(:reverses_references AS text[]), CAST(:reverses_generations AS int[]),
      CAST(:fingerprints AS text[]), CAST(:contents AS jsonb[]), CAST(:befores AS jsonb[]), CAST(:digests AS text[]),
      CAST(:mapping_versions AS int[]), CAST(:policy_versions AS int[]))
    AS d(reference, generation, version, step, reverses_reference, reverses_generation, fingerprint, content, before,
         digest, mapping_version, policy_version)
      ON p.reference = d.reference AND p.generation = d.generation AND p.version = d.version
   WHERE p.integration = :integration AND p.state IN ('planned', 'rejected')
   ORDER BY p.reference, p.generation FOR UPDATE OF p)
UPDATE postings p SET state = 'planned', version = p.version + 1, token = :token, fingerprint = w.fingerprint,
       step = w.step, reverses_reference = w.reverses_reference, reverses_generation = w.reverses_generation,
       content = w.content, before = w.before, source_digest = w.digest, mapping_version = w.mapping_version,
       policy_version = w.policy_version, error = NULL
  FROM w WHERE p.integration = :integration AND p.reference = w.reference AND p.generation = w.generation
RETURNING p.reference, p.generation
""")  # noqa: S608

_GATE = """gate AS MATERIALIZED (
  SELECT 1 AS one FROM cluster c, pg_control_system() s
   WHERE c.system_identifier = s.system_identifier::text
     AND c.timeline = substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
     AND (c.lost_at IS NULL OR c.lost_at + :h_s * interval '1 second' <= statement_timestamp()))"""

# `planned -> sending`, all of one request or nothing. What must be true, each by a line below:
#  - P2: the version is the one read before the look-up, and the row was read after resolve_at, so that the look-up
#    which found nothing counts (after a refusal, or after a send that was given up);
#  - P7: a repost only when every lower generation is reversed, or void and nothing of it can arrive any more
#    (adjustments add up instead); a reversal only of what is posted;
#  - P8: an update only when nothing before it is in flight; one that takes over the reference of a document (a sales
#    order) is its repost and its reversal in one request: P7 holds for all generations but the one that it replaces,
#    which stands, and nothing else undoes or replaces that one, or has;
#  - 3.4: the server is the one that has our commits, or H has passed since it changed.
SEND = text(f"""
WITH {_ALIVE},
{_GATE},
w AS MATERIALIZED (
  SELECT p.reference, p.generation, d.fingerprint
    FROM alive, gate, postings p JOIN unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:versions AS bigint[]),
      CAST(:read_at AS timestamptz[]), CAST(:fingerprints AS text[]))
    AS d(reference, generation, version, read_at, fingerprint)
      ON p.reference = d.reference AND p.generation = d.generation AND p.version = d.version
   WHERE p.integration = :integration AND p.state = 'planned' AND (p.resolve_at IS NULL OR p.resolve_at <= d.read_at)
     AND NOT EXISTS (
       SELECT 1 FROM postings b
        WHERE b.integration = p.integration AND b.reference = p.reference AND b.generation < p.generation
          AND (p.step <> 'update' OR b.generation IS DISTINCT FROM p.reverses_generation)
          AND CASE CASE WHEN p.step = 'update' AND p.reverses_reference IS NOT NULL THEN 'create' ELSE p.step END
              WHEN 'create' THEN NOT (b.state = 'void' AND coalesce(b.resolve_at <= d.read_at, true))
                AND NOT (b.state IN ('posted', 'checked') AND (
                p.kind = 'adjustment' OR EXISTS (
                SELECT 1 FROM postings x
                 WHERE x.integration = b.integration AND x.reverses_reference = b.reference
                   AND x.reverses_generation = b.generation AND (x.state IN ('posted', 'checked')
                        OR (x.step = 'update' AND x.state = 'void' AND x.number IS NOT NULL)))))
              WHEN 'update' THEN b.state IN ('sending', 'uncertain', 'held')
              ELSE b.state IN ('sending', 'uncertain') END)
     AND (p.reverses_reference IS NULL OR EXISTS (
       SELECT 1 FROM postings o
        WHERE o.integration = p.integration AND o.reference = p.reverses_reference
          AND o.generation = p.reverses_generation AND o.state IN ('posted', 'checked')))
     AND (p.reverses_reference IS NULL OR NOT EXISTS (
       SELECT 1 FROM postings r
        WHERE r.integration = p.integration AND r.reverses_reference = p.reverses_reference
          AND r.reverses_generation = p.reverses_generation
          AND (r.reference, r.generation) <> (p.reference, p.generation)
          AND (r.state IN ('sending', 'uncertain', 'posted', 'checked', 'held')
               OR (r.step = 'update' AND r.state = 'void' AND r.number IS NOT NULL))))
   ORDER BY p.reference, p.generation FOR UPDATE OF p)
UPDATE postings p SET state = 'sending', attempt = p.attempt + 1, version = p.version + 1, token = :token,
       fingerprint = w.fingerprint, sent_fingerprints = p.sent_fingerprints || w.fingerprint, error = NULL,
       sent_at = statement_timestamp(), resolve_at = statement_timestamp() + :h_s * interval '1 second',
       recount_at = CASE WHEN p.recount_at IS NOT NULL
                         THEN statement_timestamp() + 2 * :h_s * interval '1 second' END
  FROM w
 WHERE p.integration = :integration AND p.reference = w.reference AND p.generation = w.generation
   AND (SELECT count(*) FROM w) = :expected
RETURNING p.reference, p.generation, p.attempt, p.version, p.sent_at, p.resolve_at
""")  # noqa: S608

# The next write of an attempt that is `sending` (P14): of a run that is alive, past an open gate. `resolve_at` moves
# with it, so that absence, and what is found unfinished, count from the last write of all.
SEND_AGAIN = text(f"""
WITH {_ALIVE},
{_GATE},
w AS MATERIALIZED (
  SELECT p.reference, p.generation
    FROM alive, gate, postings p JOIN unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:attempts AS int[]))
    AS d(reference, generation, attempt)
      ON (p.reference, p.generation, p.attempt) = (d.reference, d.generation, d.attempt)
   WHERE p.state = 'sending' AND p.integration = :integration
   ORDER BY p.reference, p.generation FOR UPDATE OF p)
UPDATE postings p SET version = p.version + 1, resolve_at = statement_timestamp() + :h_s * interval '1 second',
       sent_at = statement_timestamp()
  FROM w
 WHERE p.integration = :integration AND p.reference = w.reference AND p.generation = w.generation
   AND (SELECT count(*) FROM w) = :expected
RETURNING p.reference, p.generation, p.attempt, p.version, p.sent_at, p.resolve_at
""")  # noqa: S608

# P3: an answer touches its own attempt, while that is still `sending`. `planned` = no byte left, at once free again.
# An unknown outcome is counted once more at sent_at + 2H (P11); a refusal counts from now + V (P10).
ANSWER = text(f"""
WITH {_ALIVE},
w AS MATERIALIZED (
  SELECT p.reference, p.generation, d.state, d.number, d.stored, d.error
    FROM alive, postings p JOIN unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:attempts AS int[]), CAST(:states AS text[]),
      CAST(:numbers AS text[]), CAST(:stored AS jsonb[]), CAST(:errors AS text[]))
    AS d(reference, generation, attempt, state, number, stored, error)
      ON p.reference = d.reference AND p.generation = d.generation AND p.attempt = d.attempt
   WHERE p.integration = :integration AND p.state = 'sending'
   ORDER BY p.reference, p.generation FOR UPDATE OF p)
UPDATE postings p SET state = w.state, version = p.version + 1, token = :token, error = w.error,
       number = coalesce(w.number, p.number), stored = coalesce(w.stored, p.stored),
       posted_at = CASE WHEN w.state = 'posted' THEN statement_timestamp() END,
       count_at = CASE WHEN w.state = 'posted' THEN statement_timestamp() + :v_s * interval '1 second' END,
       recount_at = CASE WHEN w.state = 'uncertain' THEN p.resolve_at + (p.resolve_at - p.sent_at)
                         ELSE p.recount_at END,
       resolve_at = CASE w.state WHEN 'rejected' THEN statement_timestamp() + :v_s * interval '1 second'
                                 WHEN 'uncertain' THEN p.resolve_at END
  FROM w WHERE p.integration = :integration AND p.reference = w.reference AND p.generation = w.generation
RETURNING p.reference, p.generation
""")  # noqa: S608

# P6: found by a look-up, at any time; the version is the one read before it. `fingerprint` becomes that of what was
# found, so that a later amendment starts from the truth. `resolve_at` stays: what was found may be a stranger's, and
# our own request still on its way when a person has taken that away.
FOUND = text(f"""
WITH {_ALIVE},
w AS MATERIALIZED (
  SELECT p.reference, p.generation, d.state, d.number, d.stored, d.fingerprint, d.adopted, d.error
    FROM alive, postings p JOIN unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:versions AS bigint[]), CAST(:states AS text[]),
      CAST(:numbers AS text[]), CAST(:stored AS jsonb[]), CAST(:fingerprints AS text[]), CAST(:adopted AS boolean[]),
      CAST(:errors AS text[]))
    AS d(reference, generation, version, state, number, stored, fingerprint, adopted, error)
      ON p.reference = d.reference AND p.generation = d.generation AND p.version = d.version
   WHERE p.integration = :integration AND p.state IN ('planned', 'sending', 'uncertain')
   ORDER BY p.reference, p.generation FOR UPDATE OF p)
UPDATE postings p SET state = w.state, version = p.version + 1, token = :token, number = w.number, stored = w.stored,
       fingerprint = w.fingerprint, adopted = w.adopted, error = w.error,
       posted_at = CASE WHEN w.state = 'posted' THEN statement_timestamp() END,
       count_at = CASE WHEN w.state = 'posted' THEN statement_timestamp() + :v_s * interval '1 second' END,
       recount_at = CASE WHEN p.state <> 'planned' THEN p.resolve_at + (p.resolve_at - p.sent_at)
                         ELSE p.recount_at END
  FROM w WHERE p.integration = :integration AND p.reference = w.reference AND p.generation = w.generation
RETURNING p.reference, p.generation
""")  # noqa: S608

# Absence is proved only by a look-up that started at or after resolve_at = sent_at + H: the row was read (read_at) at
# or after it, and the look-up came after the reading.
ABSENT = text(f"""
WITH {_ALIVE},
w AS MATERIALIZED (
  SELECT p.reference, p.generation
    FROM alive, postings p JOIN unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:versions AS bigint[]),
      CAST(:read_at AS timestamptz[])) AS d(reference, generation, version, read_at)
      ON p.reference = d.reference AND p.generation = d.generation AND p.version = d.version
   WHERE p.integration = :integration AND p.state IN ('sending', 'uncertain') AND p.resolve_at <= d.read_at
   ORDER BY p.reference, p.generation FOR UPDATE OF p)
UPDATE postings p SET state = 'planned', version = p.version + 1, token = :token, resolve_at = NULL,
       recount_at = p.resolve_at + (p.resolve_at - p.sent_at)
  FROM w WHERE p.integration = :integration AND p.reference = w.reference AND p.generation = w.generation
RETURNING p.reference, p.generation
""")  # noqa: S608

# P11: counted V after posting; what had an unknown outcome is counted once more at sent_at + 2H.
COUNT = text(f"""
WITH {_ALIVE},
w AS MATERIALIZED (
  SELECT p.reference, p.generation, d.is_right, d.error
    FROM alive, postings p JOIN unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:versions AS bigint[]),
      CAST(:read_at AS timestamptz[]), CAST(:right AS boolean[]), CAST(:errors AS text[]))
    AS d(reference, generation, version, read_at, is_right, error)
      ON p.reference = d.reference AND p.generation = d.generation AND p.version = d.version
   WHERE p.integration = :integration AND p.state IN ('posted', 'checked') AND p.count_at <= d.read_at
   ORDER BY p.reference, p.generation FOR UPDATE OF p)
UPDATE postings p SET state = CASE WHEN w.is_right THEN 'checked' ELSE 'held' END, version = p.version + 1,
       token = :token, error = w.error, checked_at = statement_timestamp(),
       count_at = CASE WHEN w.is_right AND p.recount_at > p.count_at THEN p.recount_at END,
       recount_at = CASE WHEN w.is_right AND p.recount_at > p.count_at THEN p.recount_at END
  FROM w WHERE p.integration = :integration AND p.reference = w.reference AND p.generation = w.generation
RETURNING p.reference, p.generation
""")  # noqa: S608

HOLD = text(f"""
WITH {_ALIVE},
w AS MATERIALIZED (
  SELECT p.reference, p.generation
    FROM alive, postings p JOIN unnest(
      CAST(:references AS text[]), CAST(:generations AS int[]), CAST(:versions AS bigint[]))
    AS d(reference, generation, version)
      ON p.reference = d.reference AND p.generation = d.generation AND p.version = d.version
   WHERE p.integration = :integration AND p.state IN ('planned', 'posted', 'checked', 'rejected') FOR UPDATE OF p)
UPDATE postings p SET state = 'held', version = p.version + 1, token = :token, error = :error, count_at = NULL
  FROM w WHERE p.integration = :integration AND p.reference = w.reference AND p.generation = w.generation
RETURNING p.reference, p.generation
""")  # noqa: S608

# A person's decision; never on a posting that is in flight. It keeps resolve_at: absence still has to be proved. And
# what is right as it is may be a stranger's, with our own request still on its way: it is counted at sent_at + 2H.
DECIDE = text("""
UPDATE postings SET state = :state, version = version + 1, error = :why,
       count_at = CASE WHEN :state = 'posted' THEN recount_at END,
       adopted = adopted OR :state = 'posted', number = coalesce(CAST(:number AS text), number),
       posted_at = CASE WHEN :state = 'posted' THEN coalesce(posted_at, statement_timestamp()) ELSE posted_at END
 WHERE integration = :integration AND reference = :reference AND generation = :generation AND version = :version
   AND state = ANY(CASE :state WHEN 'planned' THEN ARRAY['held', 'rejected']
                                 || CASE WHEN step = 'reverse' OR (step = 'create' AND kind = 'customer')
                                    THEN ARRAY['checked', 'void'] ELSE ARRAY[]::text[] END
                               WHEN 'posted' THEN ARRAY['held']
                               ELSE ARRAY['held', 'checked', 'posted', 'rejected', 'planned'] END)
RETURNING version
""")

# P4: records that wait for a posting which is no longer open are due, but for dead ones (R12). In key order (R13).
WAKE = text("""
WITH l AS MATERIALIZED (
  SELECT flow, key FROM records
   WHERE integration = :integration AND hold_kind = 'posting' AND hold_key = ANY(CAST(:references AS text[]))
     AND token IS NULL AND status <> 'dead' ORDER BY flow, key FOR UPDATE)
UPDATE records r SET run_at = least(r.run_at, statement_timestamp()), hold_kind = NULL, hold_key = NULL
  FROM l WHERE r.integration = :integration AND r.flow = l.flow AND r.key = l.key AND r.token IS NULL
""")

# R13: for a transaction that wakes some records and marks others.
LOCK_RECORDS = text("""
SELECT 1 FROM records
 WHERE integration = :integration
   AND ((hold_kind = 'posting' AND hold_key = ANY(CAST(:references AS text[])))
        OR (flow, key) IN (SELECT * FROM unnest(CAST(:flows AS text[]), CAST(:keys AS text[]))))
 ORDER BY flow, key FOR UPDATE
""")

READ = text(f"""
SELECT {_COLUMNS} FROM postings p
 WHERE p.integration = :integration AND p.reference = ANY(CAST(:references AS text[]))
""")  # noqa: S608

OF_RECORDS = text(f"""
SELECT {_COLUMNS} FROM postings p
 WHERE p.integration = :integration AND p.flow = :flow AND p.record_key = ANY(CAST(:keys AS text[]))
""")  # noqa: S608

# What became of the documents of these records, without what is in them.
STANDING = text(f"""
SELECT {_STATE_COLUMNS} FROM postings p
 WHERE p.integration = :integration AND p.flow = :flow AND p.record_key = ANY(CAST(:keys AS text[]))
""")  # noqa: S608

OPEN = text(f"""
SELECT {_COLUMNS} FROM postings p
 WHERE p.integration = :integration AND p.flow = :flow AND p.record_key = ANY(CAST(:keys AS text[]))
   AND p.state IN ('sending', 'uncertain')
""")  # noqa: S608

DUE_COUNTS = text(f"""
SELECT {_COLUMNS} FROM postings p
 WHERE p.integration = :integration AND p.connection = :target AND p.count_at <= statement_timestamp()
 ORDER BY p.count_at LIMIT :limit
""")  # noqa: S608

# Planned by another run that is still at work: it may send the row at any moment, as it planned it.
OWNERS = text("""
SELECT reference, min(record_key) AS record_key,
       coalesce(array_agg(number) FILTER (WHERE number IS NOT NULL), '{}') AS numbers
  FROM postings WHERE integration = :integration AND reference = ANY(CAST(:references AS text[])) GROUP BY reference
""")

IN_HAND = text("""
SELECT p.reference, p.generation
  FROM postings p JOIN runs r ON r.integration = p.integration AND r.token = p.token
 WHERE p.integration = :integration AND p.reference = ANY(CAST(:references AS text[])) AND p.state = 'planned'
   AND p.token <> :token
""")

REVERSED = text("""
SELECT reverses_reference, reverses_generation FROM postings
 WHERE integration = :integration AND reverses_reference = ANY(CAST(:references AS text[]))
   AND state IN ('sending', 'uncertain', 'posted', 'checked')
""")

# What an update has replaced, or may be replacing now, under another generation of the name, with the update's state.
UPDATED = text("""
SELECT reverses_reference, reverses_generation, state FROM postings
 WHERE integration = :integration AND reverses_reference = ANY(CAST(:references AS text[])) AND step = 'update'
   AND (state IN ('sending', 'uncertain', 'posted', 'checked', 'held') OR (state = 'void' AND number IS NOT NULL))
""")

# No update has taken over its name, or may be doing so: a look-up need not show it any more.
_STANDS = """NOT EXISTS (
       SELECT 1 FROM postings u
        WHERE u.integration = p.integration AND u.reverses_reference = p.reference
          AND u.reverses_generation = p.generation AND u.step = 'update' AND u.state NOT IN ('planned', 'rejected'))"""

# The youngest of those that the look-up must show by now; where there is none, the youngest of all. Each by the index.
_YOUNGEST = f"""
  SELECT {_COLUMNS}, {{shown}} AS shown FROM postings p
   WHERE p.integration = :integration AND p.connection = :target AND p.state IN ('posted', 'checked')
     AND p.kind <> 'customer' {{when}} AND {_STANDS}
   ORDER BY p.posted_at DESC LIMIT 1
"""  # noqa: S608
# Of each of these kinds, the youngest that a count has seen in the ERP, none of `references`. By the witnesses' index.
COUNTED_BEFORE = text(f"""
SELECT w.* FROM unnest(CAST(:kinds AS text[])) AS k(kind), LATERAL (
  SELECT {_COLUMNS} FROM postings p
   WHERE p.integration = :integration AND p.connection = :target AND p.state = 'checked' AND p.kind <> 'customer'
     AND p.kind = k.kind AND p.reference <> ALL(:references) AND {_STANDS}
   ORDER BY p.posted_at DESC LIMIT 1) w
""")  # noqa: S608

YOUNGEST = text(f"""
SELECT * FROM (
  ({_YOUNGEST.format(shown="true", when="AND p.posted_at <= statement_timestamp() - :v_s * interval '1 second'")})
  UNION ALL
  ({_YOUNGEST.format(shown="false", when="")})
) each ORDER BY shown DESC LIMIT 1
""")  # noqa: S608
