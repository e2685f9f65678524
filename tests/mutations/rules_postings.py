"""Mutants of the rules of postings (P1-P14, H, the send gate, the watchdog)."""

from tests.mutations.mutants import mutant, together

# fmt: off
# ruff: noqa: E501 - what is searched for is as long as the lines of the source

SQL = "engine/postings_sql.py"
POSTINGS = "engine/postings.py"
RECORDS_SQL = "engine/records_sql.py"
APPLY = "engine/apply.py"
ROWS = "engine/rows.py"
EVIDENCE = "engine/evidence.py"

T = "engine/test_postings.py::"
MODEL = "engine/test_postings_model.py::test_postings_keep_their_rules_in_any_order_of_events"
DESK = "exactly_once/test_evidence.py::"
ON = "      ON p.reference = d.reference AND p.generation = d.generation"
VERSION = " AND p.version = d.version\n   WHERE p.integration = :integration AND p.state"
ANY_VERSION = "\n   WHERE p.integration = :integration AND p.state"


def versionless(state: str) -> tuple[str, str]:
    """The statement whose condition on the state begins like this, without the comparison of versions."""
    return f"{ON}{VERSION} {state}", f"{ON}{ANY_VERSION} {state}"


RULES = (
    mutant(
        "P1", "\"first\" (the orders flow reads at once)", "flows/orders.py",
        ("(await self.applier.resolve(self.run.keys)).items()", "(await self.applier.resolve([])).items()"),
        red=f"{DESK}test_an_open_posting_is_resolved_though_the_plan_does_not_name_it_any_more",
    ),
    mutant(
        "P1", "\"no record rests while one is open\"", RECORDS_SQL, ("l.open_until IS NOT NULL AS unresolved", "false AS unresolved"),
        ("ELSE least(l.next_at, l.open_until) END", "ELSE l.next_at END"),
        red="engine/test_records.py::test_a_record_does_not_rest_while_a_posting_of_its_own_is_open",
    ),
    mutant(
        "P1", "the same of a hold", RECORDS_SQL,
        ("                        WHERE p.integration = :integration AND p.flow = :flow AND p.record_key = :key\n"
         "                          AND p.state IN ('sending', 'uncertain'))) END",
         "                        WHERE p.integration = :integration AND p.flow = :flow AND p.record_key = :key\n"
         "                          AND false)) END"),
        red="engine/test_records.py::test_a_held_record_wakes_for_a_posting_of_its_own_that_is_open",
    ),
    mutant(
        "P2", "the version in `send`", SQL, versionless("= 'planned' AND (p.resolve_at"),
        red=f"{T}test_send_needs_the_version_read_before_the_look_up",
    ),
    mutant(
        "P2", "the version in `found`", SQL, versionless("IN ('planned', 'sending', 'uncertain')"),
        red="engine/test_versions.py::test_what_was_read_before_a_change_licenses_nothing[found]",
    ),
    mutant(
        "P2", "the version in `absent`", SQL, versionless("IN ('sending', 'uncertain') AND p.resolve_at"),
        red="engine/test_versions.py::test_what_was_read_before_a_change_licenses_nothing[absent]",
    ),
    mutant(
        "P2", "the version in `count`", SQL, versionless("IN ('posted', 'checked') AND p.count_at"),
        red="engine/test_versions.py::test_what_was_read_before_a_change_licenses_nothing[count]",
    ),
    mutant(
        "P2", "the version in `replan`", SQL, versionless("IN ('planned', 'rejected')\n"),
        red="engine/test_versions.py::test_what_was_read_before_a_change_licenses_nothing[replan]",
    ),
    mutant(
        "P2", "the version in `decide`", SQL, (" AND generation = :generation AND version = :version\n", " AND generation = :generation\n"),
        red=f"{T}test_a_decision_on_what_has_changed_meanwhile_is_refused",
    ),
    mutant(
        "P3", "the attempt", SQL, (" AND p.attempt = d.attempt\n", "\n"),
        red=f"{T}test_a_late_answer_touches_no_later_attempt",
    ),
    mutant(
        "P3", "\"while it is still `sending`\"", SQL,
        ("   WHERE p.integration = :integration AND p.state = 'sending'\n", "   WHERE p.integration = :integration\n"),
        red=f"{T}test_an_answer_after_the_outcome_is_known_is_refused",
    ),
    mutant(
        "P4", "the wake-up", POSTINGS, ("        if written:\n            references", "        if written and not told:\n            references"),
        red=f"{T}test_who_waits_for_a_shared_posting_is_due_when_it_is_resolved",
    ),
    mutant(
        "P4", "the lock of who begins to wait", RECORDS_SQL,
        ("AND reference = CAST(:reference AS text) FOR SHARE) p)", "AND reference = CAST(:reference AS text)) p)"),
        red=f"{T}test_a_posting_that_is_resolved_just_while_the_record_rests_is_not_waited_for",
    ),
    mutant(
        "P5", "\"only in `planned` and `rejected`\"", SQL, ("p.state IN ('planned', 'rejected')\n", "p.state <> 'void'\n"),
        red=f"{T}test_content_changes_only_where_nothing_is_in_flight",
    ),
    mutant(
        "P6", "\"at any time\"", SQL, ("p.state IN ('planned', 'sending', 'uncertain')\n",
        "p.state IN ('planned', 'sending', 'uncertain') AND coalesce(p.resolve_at <= statement_timestamp(), true)\n"),
        red=f"{T}test_presence_is_believed_at_any_time",
    ),
    mutant(
        "P6", "\"found two: hold\"", EVIDENCE, ("    if len(mine) > 1:", "    if len(mine) > 9:"),
        red=f"{DESK}test_of_two_documents_none_is_chosen",
    ),
    mutant(
        "P6", "the comparison with what is there", EVIDENCE, ("    if differences:\n", "    if differences and not ours:\n"),
        red=f"{DESK}test_a_document_that_says_something_else_is_held",
    ),
    mutant(
        "P6", "\"adopted\" of what we never sent", EVIDENCE, ("    ours = posting.fingerprint in posting.sent_fingerprints", "    ours = True"),
        red=f"{DESK}test_what_we_never_sent_is_adopted",
    ),
    mutant(
        "P7", "\"every lower generation is reversed\"", SQL,
        ("AND NOT (b.state IN ('posted', 'checked') AND (\n                p.kind", "AND b.state = 'void' AND NOT (b.state IN ('posted', 'checked') AND (\n                p.kind"),
        red=f"{T}test_a_repost_waits_until_its_reversal_is_posted",
    ),
    mutant(
        "P7", "\"posted\" of the reversal", SQL,
        ("AND x.reverses_generation = b.generation AND (x.state IN ('posted', 'checked')\n"
         "                        OR (x.step = 'update' AND x.state = 'void' AND x.number IS NOT NULL)))))",
         "AND x.reverses_generation = b.generation)))"),
        red=f"{T}test_a_repost_waits_until_its_reversal_is_posted",
    ),
    mutant(
        "P7", "\"a reversal only of what is posted\"", SQL,
        ("AND o.generation = p.reverses_generation AND o.state IN ('posted', 'checked')))", "AND o.generation = p.reverses_generation))"),
        red=f"{T}test_a_reversal_needs_something_posted",
    ),
    mutant(
        "P7", "the reversal in what counts as live", POSTINGS,
        ("posting.state in LIVE and posting.name not in reversed_names:", "posting.state in LIVE:"),
        red=f"{T}test_the_live_generation_is_the_highest_posted_that_is_not_reversed",
    ),
    mutant(
        "P7", "\"and nothing of it can arrive any more\"", SQL,
        ("coalesce(b.resolve_at <= d.read_at, true)", "true"),
        red="engine/test_clock.py::test_what_may_still_arrive_bars_the_next_generation",
    ),
    mutant(
        "P7", "\"and not there in the look-up\"", APPLY,
        ("            elif row.name.generation > 1 and (why := risen.get(row.name.reference)):", "            elif (why := risen.get(\"\")):"),
        red=f"{DESK}test_what_arrives_after_it_was_declared_gone_bars_the_next_generation",
    ),
    mutant(
        "P6", "the horizon of our own request beside a stranger's document", SQL,
        ("fingerprint = w.fingerprint, adopted = w.adopted, error = w.error,\n", "fingerprint = w.fingerprint, adopted = w.adopted, error = w.error, resolve_at = NULL,\n"),
        red="engine/test_clock.py::test_what_may_still_arrive_is_not_tried_again",
    ),
    mutant(
        "P8", "\"one in flight\"", SQL, ("WHEN 'update' THEN b.state IN ('sending', 'uncertain', 'held')", "WHEN 'update' THEN false"),
        red=f"{T}test_one_update_of_a_document_is_in_flight_at_a_time",
    ),
    mutant(
        "P7", "\"every lower generation\" of a change in place", SQL,
        ("CASE CASE WHEN p.step = 'update' AND p.reverses_reference IS NOT NULL THEN 'create' ELSE p.step END", "CASE p.step"),
        red=f"{T}test_a_change_is_barred_by_an_earlier_generation_that_stands_too",
    ),
    mutant(
        "P8", "\"changed or reversed by one request\"", SQL,
        ("AND (r.reference, r.generation) <> (p.reference, p.generation)", "AND false"),
        red=f"{T}test_one_document_is_changed_or_reversed_by_one_request_at_a_time",
    ),
    mutant(
        "P8", "the name that a change in place has taken over", "engine/postings.py",
        ("(p.state in LIVE or p.has_replaced)", "p.state in LIVE"),
        red=f"{T}test_what_was_changed_and_is_gone_leaves_the_next_generation_free",
    ),
    mutant(
        "P8", "the old name in what a look-up must show", SQL,
        ("p.kind <> 'customer' {{when}} AND {_STANDS}\n", "p.kind <> 'customer' {{when}}\n"),
        red=f"{T}test_after_a_change_only_the_new_name_is_live_and_bars_the_next",
    ),
    mutant(
        "P8", "`If-Match`", "connectors/business_one/changing.py",
        ('REPLACE | ({"If-Match": etag} if etag else {})', "REPLACE"),
        red="connectors/business_one/test_changing.py::test_a_change_that_comes_late_does_not_undo_what_came_after_it",
    ),
    mutant(
        "P11", "the name that the counted document has now", "flows/count.py",
        ("    if update is not None:  #", "    if update is None:  #"),
        red="exactly_once/test_count.py::test_what_was_changed_in_place_is_not_looked_for_under_its_old_name",
    ),
    mutant(
        "P9", "\"once more when the lost one can no longer arrive\"", "flows/write_back.py",
        ("    return Fail(str(error), wakes=False, floor_s=2 * LATE_S)", "    return Fail(str(error), wakes=True)"),
        red="exactly_once/test_notes.py::test_a_note_whose_answer_was_lost_is_written_again_when_the_lost_one_cannot_come",
    ),
    mutant(
        "P10", "\"counts from refusal + V\"", SQL,
        ("p.state = 'planned' AND (p.resolve_at IS NULL OR p.resolve_at <= d.read_at)\n", "p.state = 'planned'\n"),
        red=f"{T}test_after_a_refusal_the_look_up_must_start_v_later",
    ),
    mutant(
        "P11", "the count", SQL,
        ("       count_at = CASE WHEN w.state = 'posted' THEN statement_timestamp() + :v_s * interval '1 second' END,\n"
         "       recount_at = CASE WHEN w.state = 'uncertain'",
         "       count_at = NULL,\n       recount_at = CASE WHEN w.state = 'uncertain'"),
        red=f"{T}test_the_count_waits_for_v_and_holds_anything_but_one",
    ),
    mutant(
        "P11", "the mark of its record", POSTINGS, ("parameters, marks=wrong)", "parameters)"),
        red=f"{T}test_what_the_count_holds_and_the_mark_of_its_record_are_one_commit",
    ),
    mutant(
        "P11", "\"exactly one\"", POSTINGS, ("[result.count == 1 for result in counted]", "[result.count >= 1 for result in counted]"),
        red=f"{T}test_the_count_waits_for_v_and_holds_anything_but_one",
    ),
    mutant(
        "P11", "\"once more at `sent_at + 2H`\"", SQL,
        ("       count_at = CASE WHEN w.is_right AND p.recount_at > p.count_at THEN p.recount_at END,", "       count_at = NULL,"),
        red=f"{T}test_what_was_uncertain_is_counted_once_more_at_twice_h",
    ),
    together(
        mutant(
            "P12", "\"the next generation\" (the same again)", ROWS, ("    if row.state is State.VOID:", "    if row.state is None:"),
            red=f"{DESK}test_a_generation_that_is_gone_is_not_sent_again",
        ),
        mutant(
            "P12", "", APPLY,
            ("if row.state is State.REJECTED or (row.state is State.PLANNED", "if row.state in (State.REJECTED, State.VOID) or (row.state is State.PLANNED"),
            red="",
        ),
    ),
    mutant(
        "P12", "the decision that frees the next generation", SQL,
        ("NOT (b.state = 'void' AND coalesce(b.resolve_at <= d.read_at, true))\n", "true\n"),
        red=f"{T}test_a_repost_never_overtakes_a_generation_in_flight_or_held",
    ),
    mutant(
        "P13", "the two ways of writing a number apart", "planning/references.py", ("    return f\"Z{packed}\"", "    return packed"),
        red="planning/test_references.py::test_packed_and_plain_numbers_never_meet",
    ),
    mutant(
        "P13", "the refusal of what does not fit", "planning/references.py",
        ("    if not (source_id.isascii() and source_id.isdigit()):", "    if not source_id:"),
        red="planning/test_references.py::test_an_overflow_holds_the_order", fails_with=["ValueError"],
    ),
    mutant(
        "P13", "one tag for one store in one file", "config/load.py",
        ("        for name in names[1:] if tag else ():", "        for name in names[9:] if tag else ():"),
        red="config/test_bad_files.py::test_two_stores_with_one_tag_in_one_erp_are_refused", fails_with=["ValueError"],
    ),
    mutant(
        "P13", "the unique key", "engine/migrations/versions/0001_kernel.py",
        ("UNIQUE (name),\n      CONSTRAINT integrations_erp_store_tag_key UNIQUE (erp, store_tag))", "UNIQUE (name))"),
        red="engine/test_migrations.py::test_a_store_tag_is_unique_per_erp_connection", own_server=True,
    ),
    mutant(
        "H", "the horizon in `absent`", SQL, (" AND p.resolve_at <= d.read_at\n", "\n"),
        red=f"{T}test_absence_counts_only_from_a_look_up_after_h {MODEL}",
    ),
    mutant(
        "H", "the horizon itself (T only)", "engine/postings.py", ("        \"h_s\": timing.h_s,\n", "        \"h_s\": timing.t_s,\n"),
        red=f"{T}test_a_document_goes_from_planned_to_checked",
    ),
    mutant(
        "send gate", "the comparison of the server", SQL, ("   WHERE c.system_identifier = s.system_identifier::text\n", "   WHERE true\n"),
        red=["engine/test_gate.py::test_a_server_that_may_lack_our_commits_sends_nothing_for_h[system_identifier = '1']"],
    ),
    mutant(
        "send gate", "the comparison of the timeline", SQL,
        ("     AND c.timeline = substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)\n     AND (c.lost_at", "     AND (c.lost_at"),
        red=["engine/test_gate.py::test_a_server_that_may_lack_our_commits_sends_nothing_for_h[timeline = '00000000']"],
    ),
    mutant(
        "P14", "H from the second write", SQL,
        ("UPDATE postings p SET version = p.version + 1, resolve_at = statement_timestamp() + :h_s * interval '1 second',\n       sent_at = statement_timestamp()\n  FROM w\n",
         "UPDATE postings p SET version = p.version + 1\n  FROM w\n"),
        red="conformance/test_unfinished.py::test_the_horizon_counts_from_the_second_write_and_a_run_that_was_taken_over_makes_none",
    ),
    mutant(
        "P14", "\"an attempt of ours\"", EVIDENCE,
        (' or mine[0].state != "unfinished" or posting.fingerprint not in posting.sent_fingerprints:', ' or mine[0].state != "unfinished":'),
        red="conformance/test_unfinished.py::test_what_we_have_not_made_is_not_booked",
    ),
    mutant(
        "P14", "\"says what was sent\"", EVIDENCE,
        ("    return None if ledger.differences(document, mine[0]) else mine[0]\n", "    return mine[0]\n"),
        red="conformance/test_unfinished.py::test_what_says_something_else_by_now_is_not_booked",
    ),
    mutant(
        "send gate", "H after the loss", SQL,
        ("     AND (c.lost_at IS NULL OR c.lost_at + :h_s * interval '1 second' <= statement_timestamp()))", ")"),
        red="engine/test_gate.py::test_a_declared_restore_closes_the_gate",
    ),
    mutant(
        "watchdog", "the re-arming by a loop that runs", "engine/watchdog.py",
        ("        self._next = asyncio.get_running_loop().call_later(self._timer_s / _REARMS, self._rearm)\n", ""),
        red="engine/test_watchdog.py::test_a_loop_that_runs_is_not_ended",
    ),
    mutant(
        "watchdog", "\"once is enough\" (a refused send disarms twice)", "engine/permit.py",
        ("        if self._watched:\n", "        if self._batch:\n"),
        red="exactly_once/test_permit.py::test_a_permit_that_is_refused_leaves_the_watchdog_to_the_others",
    ),
)
