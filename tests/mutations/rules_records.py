"""Mutants of the rules of records (R1-R14)."""

from tests.mutations.mutants import mutant

# fmt: off
# ruff: noqa: E501 - what is searched for is as long as the lines of the source

SQL = "engine/records_sql.py"
RECORDS = "engine/records.py"
RUNS = "engine/runs.py"
WORKER = "engine/worker.py"
POSTINGS_SQL = "engine/postings_sql.py"

T = "engine/test_records.py::"
MODEL = "engine/test_records_model.py::test_the_queue_keeps_its_rules_in_any_order_of_events"
FENCED = f"{T}test_nothing_of_a_swept_run_is_written"
NOT_DEAD = "r.token IS NULL AND r.wakes AND r.status <> 'dead'"
LATE_SEQ = "CASE WHEN r.seq > l.seen OR b.behind OR b.unresolved OR l.next_at IS NOT NULL"
LATE_RUN = "CASE WHEN r.seq > l.seen THEN statement_timestamp()\n                     WHEN b.behind"
ALIVE = "SELECT 1 AS one FROM runs WHERE integration = :integration AND token = :token FOR KEY SHARE)"

RULES = (
    mutant(
        "R1", "the comparison with the count at the claim", SQL,
        (LATE_SEQ, LATE_SEQ.replace("r.seq > l.seen", "false")), (LATE_RUN, LATE_RUN.replace("r.seq > l.seen", "false")),
        red=f"{T}test_marks_during_a_run_cause_exactly_one_more_run "
        f"{T}test_a_mark_that_commits_while_finish_waits_is_seen {MODEL}",
    ),
    mutant(
        "R1", "the count of the claim in `done_seq` (the newest instead)", SQL,
        ("THEN r.done_seq ELSE l.seen END,", "THEN r.done_seq ELSE r.seq END,"),
        red=f"{T}test_what_a_run_has_done_is_what_it_saw",
    ),
    mutant("R1", "the count itself", SQL,
           ("  seq = r.seq + 1, want = greatest", "  seq = r.seq, want = greatest"),
           red=f"{T}test_marks_during_a_run_cause_exactly_one_more_run"),
    mutant(
        "R2", "the token in `finish`", SQL,
        ("AND r.flow = :flow AND r.token = :token ORDER BY r.key FOR UPDATE OF r),", "AND r.flow = :flow ORDER BY r.key FOR UPDATE OF r),"),
        ("AND r.key = l.key AND r.token = :token\n  RETURNING r.key),", "AND r.key = l.key\n  RETURNING r.key),"),
        ("  SELECT 1 AS one FROM runs WHERE integration = :integration AND token = :token FOR UPDATE),", "  SELECT 1 AS one),"),
        red=FENCED,
    ),
    mutant(
        "R2", "the token in `fail`", SQL,
        ("AND flow = :flow AND key = :key AND token = :token RETURNING key\n\"\"\")\n\n# Parked",
         "AND flow = :flow AND key = :key RETURNING key\n\"\"\")\n\n# Parked"), red=FENCED,
    ),
    mutant(
        "R2", "the token in `hold`", SQL, ("r.key = :key AND r.token = :token RETURNING r.status", "r.key = :key RETURNING r.status"),
        red=FENCED,
    ),
    mutant(
        "R2", "the token in `defer`", SQL,
        ("AND flow = :flow AND key = :key AND token = :token RETURNING key\n\"\"\")\n\nEND",
         "AND flow = :flow AND key = :key RETURNING key\n\"\"\")\n\nEND"), red=FENCED,
    ),
    mutant(
        "R2", "\"never clocks\" (a lapsed lease is not renewed)", RUNS,
        ("AND token = ANY(CAST(:tokens AS bigint[])) RETURNING token",
         "AND token = ANY(CAST(:tokens AS bigint[])) AND lease_until > statement_timestamp() RETURNING token"),
        red="engine/test_clock.py::test_a_lapsed_lease_that_nobody_swept_is_still_good",
    ),
    mutant(
        "R3", "the run's row in the statement that writes", POSTINGS_SQL, (ALIVE, "SELECT 1 AS one)"),
        red=[f"engine/test_postings.py::test_a_fenced_run_changes_no_posting[{act}]"
             for act in ("plan", "replan", "send", "answer", "found", "absent", "count", "hold")]
        + ["engine/test_postings_model.py::test_postings_keep_their_rules_in_any_order_of_events"],
    ),
    mutant(
        "R3", "its lock", POSTINGS_SQL, (ALIVE, ALIVE.replace(" FOR KEY SHARE", "")),
        red="engine/test_postings.py::test_a_sweep_cannot_come_between_the_check_of_the_token_and_the_write",
    ),
    mutant(
        "R3", "the fence of other writes", RUNS,
        ("    if (await connection.execute(_FENCE, parameters)).first() is None:", "    if not parameters:"),
        red="engine/test_worker.py::test_the_test_flow_itself_is_fenced",
        fails_with=["ProgrammingError", "UndefinedTable"],
    ),
    mutant(
        "R3", "the lock of other writes", RUNS, ("AND token = :token FOR KEY SHARE\")", "AND token = :token\")"),
        red="engine/test_locks.py::test_what_a_run_writes_beside_its_postings_keeps_the_sweep_away",
    ),
    mutant(
        "R4", "the story of an answer that came too late", "engine/send.py",
        ("            self.story(\"fenced\" if fenced else", "            if fenced:\n                continue\n"
         "            self.story(\"fenced\" if fenced else"),
        red="exactly_once/test_evidence.py::test_an_answer_that_reaches_a_fenced_run_is_kept_and_changes_nothing",
    ),
    mutant(
        "R5", "the comparison of the epoch", SQL,
        ("SELECT epoch <> :epoch AS moved FROM integrations", "SELECT CAST(:epoch AS bigint) < 0 AS moved FROM integrations"),
        red=f"{T}test_a_mapping_saved_between_plan_and_hold_is_not_missed",
    ),
    mutant(
        "R5", "the lock that the releaser takes too", SQL,
        ("WHERE integration = :integration FOR SHARE),\nline", "WHERE integration = :integration),\nline"),
        red="engine/test_locks.py::test_a_hold_waits_for_a_release_that_is_under_way",
    ),
    mutant(
        "R5", "the epoch of the connection", SQL,
        ("SELECT epoch <> CAST(:connection_epoch AS bigint) AS moved", "SELECT CAST(:connection_epoch AS bigint) < 0 AS moved"),
        red=f"{T}test_a_hold_of_a_connection_waits_for_that_connections_epoch",
    ),
    mutant(
        "R5", "the raising", SQL, ("UPDATE integrations SET epoch = epoch + 1", "UPDATE integrations SET epoch = epoch"),
        red=f"{T}test_a_mapping_saved_between_plan_and_hold_is_not_missed",
    ),
    mutant(
        "R6", "another run for a snapshot that is too old", SQL, ("coalesce(l.stamp < r.want AND r.behind < 3, false)", "false"),
        red=f"{T}test_a_snapshot_older_than_the_mark_runs_again_three_times_then_rests",
    ),
    mutant(
        "R6", "the end of it after three", SQL, ("l.stamp < r.want AND r.behind < 3, false", "l.stamp < r.want, false"),
        red=f"{T}test_a_snapshot_older_than_the_mark_runs_again_three_times_then_rests",
    ),
    mutant(
        "R6", "`want`, which the poll compares", SQL,
        ("       last_error = NULL, hold_kind = NULL, hold_key = NULL, rest_until = NULL, reason = l.reason,",
         "       last_error = NULL, hold_kind = NULL, hold_key = NULL, rest_until = NULL, reason = l.reason, want = NULL,"),
        red=f"{T}test_a_snapshot_older_than_the_mark_runs_again_three_times_then_rests",
    ),
    mutant(
        "R6", "the second look at a stamp that is too young", SQL, ("THEN interval '1 microsecond'", "THEN interval '0'"),
        red="engine/test_stamps.py::test_a_stamp_of_the_moment_of_our_read_is_read_once_more",
    ),
    mutant(
        "R7", "\"alone\"", SQL, ("CASE WHEN head THEN n = 1 ELSE NOT suspect END", "true"),
        red=f"{T}test_a_batch_that_died_runs_one_by_one_and_only_lone_deaths_park",
    ),
    mutant(
        "R7", "\"only lone deaths count\"", SQL, ("deaths = r.deaths + l.lone::int", "deaths = r.deaths + 1"),
        ("status = CASE WHEN l.lone AND r.deaths + 1", "status = CASE WHEN r.deaths + 1"),
        ("run_at = CASE WHEN l.lone AND r.deaths + 1", "run_at = CASE WHEN r.deaths + 1"),
        red="engine/test_worker.py::test_a_record_that_kills_its_worker_is_parked_and_its_neighbours_are_not",
    ),
    mutant(
        "R7", "the suspicion", SQL, ("UPDATE records r SET token = NULL, suspect = true, deaths",
        "UPDATE records r SET token = NULL, suspect = false, deaths"), red=MODEL,
    ),
    mutant(
        "R7", "\"three park\"", SQL, ("status = CASE WHEN l.lone AND r.deaths + 1 >= :park", "status = CASE WHEN l.lone AND r.deaths + 1 > 9 + :park"),
        ("run_at = CASE WHEN l.lone AND r.deaths + 1 >= :park", "run_at = CASE WHEN l.lone AND r.deaths + 1 > 9 + :park"),
        red=f"{T}test_a_batch_that_died_runs_one_by_one_and_only_lone_deaths_park",
    ),
    mutant(
        "R7", "\"in a process that runs nothing else\"", WORKER,
        ("        if suspect:\n            await self._until_idle(asks=True)\n        self._active", "        self._active"),
        ("        if suspect:\n            await self._until_idle()\n\n", "\n"),
        red="engine/test_worker.py::test_a_suspect_has_the_process_to_itself",
    ),
    mutant(
        "R7", "the end of long runs", WORKER,
        ("                active.run.stopping = True\n            wait_s", "                del active\n            wait_s"),
        red="engine/test_worker.py::test_a_long_run_ends_where_a_suspect_waits_for_the_process",
    ),
    mutant(
        "R8", "the full lease before a sweep", RUNS,
        ("        return not self._away and time.monotonic() >= self._sweep_from", "        return True"),
        red="engine/test_outage.py::test_a_run_outlives_an_outage_that_is_longer_than_its_lease",
    ),
    mutant(
        "R9", "the limit", RUNS, ("            over = time.monotonic() - run.started >= self._run_limit_s", "            over = False"),
        red="engine/test_worker.py::test_a_hung_run_is_given_up_and_taken_over",
    ),
    mutant(
        "R10", "\"only improve\"", SQL,
        ("THEN least(r.run_at, greatest(excluded.run_at, r.rest_until)) ELSE", "THEN greatest(excluded.run_at, r.rest_until) ELSE"),
        red=f"{T}test_a_mark_never_pushes_a_due_record_back",
    ),
    mutant(
        "R10", "the 5 s", SQL,
        ("THEN least(r.run_at, greatest(excluded.run_at, r.rest_until)) ELSE", "THEN least(r.run_at, excluded.run_at) ELSE"),
        red=f"{T}test_a_record_that_fails_on_every_mark_keeps_five_seconds_between_runs",
    ),
    mutant(
        "R11", "the turn", WORKER,
        ("                self._ring.append(lane)  # its turn comes again after the others", "                self._ring.appendleft(lane)"),
        ("                self._ring.append(lane)\n                continue\n", "                self._ring.appendleft(lane)\n                return None\n"),
        red="engine/test_worker.py::test_a_flood_in_one_lane_does_not_starve_the_others",
    ),
    mutant(
        "R11", "the places for integrations that have no run", WORKER,
        ("        return not own or (own < self._pace.runs_at_once and", "        return not own or (own < 99 or"),
        red="engine/test_worker.py::test_integrations_whose_runs_last_long_leave_places_for_the_others",
    ),
    mutant(
        "R12", "\"not by a mark\"", SQL,
        (f"run_at = CASE WHEN {NOT_DEAD}\n", f"run_at = CASE WHEN {NOT_DEAD.replace(chr(32) + 'AND r.status <> ' + repr('dead'), '')}\n"),
        red=f"{T}test_marks_on_a_dead_record_are_counted_and_only_a_replay_runs_it",
    ),
    mutant(
        "R12", "\"not by a release\"", SQL, ("     AND token IS NULL AND status <> 'dead'\n", "     AND token IS NULL\n"),
        red="exactly_once/test_dead.py::test_a_release_does_not_revive_it",
    ),
    mutant(
        "R12", "\"not by the end of what it waited for\"", POSTINGS_SQL,
        ("     AND token IS NULL AND status <> 'dead' ORDER BY", "     AND token IS NULL ORDER BY"),
        red="exactly_once/test_dead.py::test_the_end_of_what_it_waited_for_does_not_revive_it",
    ),
    mutant(
        "R12", "the way out", SQL, ("run_at = CASE WHEN r.token IS NULL THEN least(r.run_at, statement_timestamp()) END", "run_at = r.run_at"),
        red=f"{T}test_marks_on_a_dead_record_are_counted_and_only_a_replay_runs_it",
    ),
    mutant(
        "R13", "\"sorted\"", SQL,
        ("  FROM (SELECT DISTINCT k FROM unnest(CAST(:keys AS text[])) k ORDER BY k) d", "  FROM unnest(CAST(:keys AS text[])) k"),
        red="engine/test_locks.py::test_marks_lock_records_in_the_order_of_their_keys",
    ),
    mutant(
        "R13", "\"distinct\"", SQL,
        ("  FROM (SELECT DISTINCT k FROM unnest(CAST(:keys AS text[])) k ORDER BY k) d",
         "  FROM (SELECT k FROM unnest(CAST(:keys AS text[])) k ORDER BY k) d"),
        red=f"{T}test_a_marked_record_is_claimed_once_and_finishes", fails_with=["ProgrammingError", "CardinalityViolation"],
    ),
    mutant(
        "R13", "the limit", RECORDS, ("    if len(keys) > MARK_AT_ONCE:", "    if len(keys) < 0:"),
        red=f"{T}test_too_many_keys_in_one_marking_transaction_are_refused",
    ),
    mutant(
        "R14", "the handing back", WORKER,
        ("add_signal_handler(number, self.stop)", "add_signal_handler(number, os._exit, 0)"),
        red="engine/test_worker.py::test_sigterm_hands_back_without_suspicion",
    ),
    mutant(
        "R14", "\"without suspicion\"", SQL,
        ("suspect = r.suspect AND :keeps_suspicion,", "suspect = r.suspect OR :keeps_suspicion,"),
        red="engine/test_worker.py::test_sigterm_hands_back_without_suspicion",
    ),
    mutant(
        "R14", "the suspicion that was there", SQL,
        ("suspect = r.suspect AND :keeps_suspicion,", "suspect = r.suspect AND NOT :keeps_suspicion,"),
        red=f"{T}test_handing_back_keeps_suspicion_and_a_normal_end_clears_it",
    ),
)
