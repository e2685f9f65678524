"""The statements of leased sessions (`sessions.py`). Whatever a holder writes names the version that it took."""

from sqlalchemy import text

ENSURE = text(
    """
    INSERT INTO sessions (connection, name, place)
    SELECT CAST(:connection AS int), CAST(:name AS text), generate_series(0, CAST(:size AS int) - 1)
    ON CONFLICT DO NOTHING
    """
)

TAKE = text(
    """
    WITH free AS (
      SELECT place FROM sessions
       WHERE connection = :connection AND name = :name AND place < :size
         AND (leased_until IS NULL OR leased_until < statement_timestamp())
         AND NOT EXISTS (
           SELECT FROM session_waits w
            WHERE w.connection = :connection AND w.name = :name AND w.waiter <> :waiter
              AND w.until > statement_timestamp()
              AND w.since < coalesce((SELECT mine.since FROM session_waits mine
                                       WHERE mine.connection = :connection AND mine.name = :name
                                         AND mine.waiter = :waiter), statement_timestamp()))
       ORDER BY sealed IS NULL, used_at DESC, place
       LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE sessions s SET version = s.version + 1, holder = :holder,
           leased_until = statement_timestamp() + :lease_s * interval '1 second'
      FROM free WHERE s.connection = :connection AND s.name = :name AND s.place = free.place
    RETURNING s.place, s.version, s.master, s.wrapped, s.sealed,
              extract(epoch FROM statement_timestamp() - s.used_at)::float8 AS unused_s
    """
)
"""A place that is free, with a session rather than without, unless somebody has waited for longer."""

TAKE_OWN = text(
    """
    UPDATE sessions SET version = version + 1, holder = :holder,
           leased_until = statement_timestamp() + :lease_s * interval '1 second'
     WHERE connection = :connection AND name = :name AND opened_by = :holder
       AND place = (SELECT min(place) FROM sessions
                     WHERE connection = :connection AND name = :name AND opened_by = :holder
                       AND (leased_until IS NULL OR leased_until < statement_timestamp()))
       AND (leased_until IS NULL OR leased_until < statement_timestamp())
    RETURNING place, version, master, wrapped, sealed, 0::float8 AS unused_s
    """
)

WAIT = text(
    """
    INSERT INTO session_waits AS w (connection, name, waiter, since, until)
    VALUES (:connection, :name, :waiter, statement_timestamp(),
            statement_timestamp() + :ticket_s * interval '1 second')
    ON CONFLICT (connection, name, waiter) DO UPDATE SET until = excluded.until
    """
)

WAITED = text(
    """
    DELETE FROM session_waits
     WHERE connection = :connection AND name = :name
       AND (waiter = :waiter OR until < statement_timestamp() - interval '1 minute')
    """
)

RENEW = text(
    """
    UPDATE sessions SET leased_until = statement_timestamp() + :lease_s * interval '1 second'
     WHERE connection = :connection AND name = :name AND place = :place AND version = :version AND holder = :holder
    """
)
"""Of a session that was not given back meanwhile: giving back raises no version."""

STORE = text(
    """
    UPDATE sessions SET master = :master, wrapped = :wrapped, sealed = :sealed,
           opened_by = coalesce(CAST(:opened_by AS text), opened_by),
           used_at = statement_timestamp()
     WHERE connection = :connection AND name = :name AND place = :place AND version = :version
    """
)

GIVE_BACK = text(
    """
    UPDATE sessions SET holder = NULL, leased_until = NULL,
           used_at = CASE WHEN sealed IS NULL THEN NULL ELSE statement_timestamp() END
     WHERE connection = :connection AND name = :name AND place = :place AND version = :version
    """
)

DISCARD = text(
    """
    UPDATE sessions SET master = NULL, wrapped = NULL, sealed = NULL, opened_by = NULL, used_at = NULL
     WHERE connection = :connection AND name = :name AND place = :place AND version = :version
    """
)

DOOR = text(
    """
    INSERT INTO session_pools AS p (connection, name, opener, opening_until)
    VALUES (:connection, :name, :opener, statement_timestamp() + :lease_s * interval '1 second')
    ON CONFLICT (connection, name) DO UPDATE SET opener = excluded.opener, opening_until = excluded.opening_until
     WHERE (p.opening_until IS NULL OR p.opening_until < statement_timestamp())
       AND (p.refused_until IS NULL OR p.refused_until < statement_timestamp())
    """
)
"""Who logs in has this row; nobody has it while logins are refused."""

REFUSED = text(
    """
    SELECT refused FROM session_pools
     WHERE connection = :connection AND name = :name AND refused_until > statement_timestamp()
    """
)

RENEW_DOOR = text(
    """
    UPDATE session_pools SET opening_until = statement_timestamp() + :lease_s * interval '1 second'
     WHERE connection = :connection AND name = :name AND opener = :opener
    """
)

LEAVE_DOOR = text(
    """
    UPDATE session_pools
       SET opener = NULL, opening_until = statement_timestamp() + :pause_s * interval '1 second',
           refused = :refused, refused_until = statement_timestamp() + :refused_s * interval '1 second'
     WHERE connection = :connection AND name = :name AND opener = :opener
    """
)

FORGIVE = text(
    "UPDATE session_pools SET refused = NULL, refused_until = NULL WHERE connection = :connection AND name = :name"
)

FORGET = text(
    """
    UPDATE sessions SET version = version + 1, master = NULL, wrapped = NULL, sealed = NULL, opened_by = NULL,
           used_at = NULL
     WHERE connection = :connection
    """
)
"""Who holds one loses the fence; its place becomes free when its lease lapses."""

FORGIVE_ALL = text("UPDATE session_pools SET refused = NULL, refused_until = NULL WHERE connection = :connection")
