"""Mutants of what stands beside exactly once: the chain of the audit, who is let in, orders left out, released holds.

`docs/exactly-once.md` does not list them; a run tells what they have shown.
"""

from functools import partial

from tests.mutations.mutants import mutant

# fmt: off
# ruff: noqa: E501 - what is searched for is as long as the lines of the source

CHAIN = "engine/audit_chain.py"
VERIFY = "engine/audit_verify.py"
GATE = "web/access/gate.py"
ATTEMPTS = "engine/access/attempts.py"
TOKENS = "engine/access/tokens.py"
SESSIONS = "engine/access/sessions.py"
ACTIONS = "desk/actions.py"

C = "engine_services/test_audit_chain.py::"
A = "engine/test_access.py::"
W = "web/test_access.py::"
EVERY = "web/test_every_route.py::test_a_role_is_let_in_where_it_may_and_nowhere_else"

chained = partial(mutant, "audit chain", fails_with=("ValueError",))
"""Its tests unpack the one finding that there must be; where there is none, that is a `ValueError`."""

AUDIT = (
    chained("the comparison of the rows with their seal", VERIFY,
           ("if bytes(found.root) == seal.root:", "if bytes(found.root):"),
           red=f"{C}test_an_altered_row_is_named {C}test_a_deleted_row_is_named_with_its_time {C}test_an_inserted_row_is_named"),
    chained("what a row says in its hash", CHAIN,
           ("a.refs, a.token, a.who, a.data)::text", "a.refs, a.token, a.who)::text"), red=f"{C}test_an_altered_row_is_named"),
    chained("who did it in the hash of a row", CHAIN,
           ("a.refs, a.token, a.who, a.data)::text", "a.refs, a.token, a.data)::text"), red=f"{C}test_an_altered_row_is_named"),
    chained("the ID of a row that is gone", VERIFY,
           ("if row is None or row[0] != was_id:", "if row is None:"), red=f"{C}test_a_deleted_row_is_named_with_its_time"),
    chained("rows that were put in", VERIFY,
           ("if row is not None and (was_id is None or row[0] < was_id):", "if row is not None and was_id is None:"),
           red=f"{C}test_an_inserted_row_is_named"),
    chained("the seal before in a seal", VERIFY,
           ("elif seal.previous != (last.hash if last.number else FIRST) or seal.after_id != last.upto_id:", "elif seal.after_id != last.upto_id:"),
           red=f"{C}test_a_segment_whose_seal_alone_was_made_anew_breaks_the_chain"),
    chained("the signature of a seal", VERIFY,
           ("elif self._key is not None and audit_chain.mac_of(self._key, seal.hash) != seal.mac:", "elif self._key is None and seal.mac is None:"),
           red=f"{C}test_a_segment_that_was_sealed_anew_is_seen"),
    chained("the hash of a seal's own facts", VERIFY,
           ("if audit_chain.hash_of(seal) != seal.hash:", "if not seal.hash:"), red=f"{C}test_an_altered_seal_is_seen"),
    chained("the note of the last seal", VERIFY,
           ("if end.number > last.number:", "if end.number < last.number:"), red=f"{C}test_a_tail_that_was_cut_off_is_seen"),
    chained("the copy that is kept elsewhere", VERIFY,
           ("for number in sorted(known):", "for number in ():"),
           red=f"{C}test_a_tail_cut_off_with_the_note_of_it_is_seen_by_the_copy"),
    chained("waiting for rows that are on their way", CHAIN, ("        while writing:\n", "        while False:\n"),
           red=f"{C}test_a_row_that_commits_late_with_a_low_id_is_not_left_out {C}test_an_id_that_was_given_and_not_used_yet_is_waited_for"),
    chained("the age of what retention may have taken", VERIFY,
           ("if self._kept or min(seal.last_at, seal.sealed_at) > removed_at - timedelta(days=DAYS_MIN):", "if self._kept:"),
           red=f"{C}test_rows_that_were_taken_in_the_name_of_retention_are_seen"),
    chained("the proof that it was retention", VERIFY,
            ('if hmac.compare_digest(wanted.encode(), (row.proof or "").encode()):', "if wanted:"),
            red=f"{C}test_old_rows_that_somebody_else_took_are_seen"),
    mutant("audit of calls", "a read that was cancelled after it had left", "connectors/http.py",
           ("            if attempt.sends:\n", "            if not attempt.sends:\n"),
           red="connectors/test_http_read.py::test_a_read_that_is_cancelled_beside_a_failing_one_is_kept "
           "connectors/test_http_read.py::test_a_read_whose_caller_has_no_time_left_is_kept "
           "connectors/test_http_read.py::test_a_read_that_is_cancelled_before_it_left_is_no_call"),
)

ACCESS = (
    mutant("access", "the right that a route asks for", GATE, ("elif not found.may(self.right):", "elif found.role is None:"),
           red=f"{EVERY} web/test_api.py::test_a_viewer_changes_nothing"),
    mutant("access", "that a token has no account", GATE, ('if found.via != "session":', 'if found.via == "nothing":'), red=EVERY),
    mutant("access", "the CSRF token", GATE, ("if not right or not from_a_page_of_ours(request):", "if not from_a_page_of_ours(request):"),
           red=f"{W}test_a_form_of_another_site_changes_nothing {W}test_the_token_of_one_session_is_not_that_of_another"),
    mutant("access", "the browser's word about where a request began", GATE,
           ("if not right or not from_a_page_of_ours(request):", "if not right:"), red=f"{W}test_a_form_of_another_site_changes_nothing"),
    mutant("access", "the lock after wrong passwords", ATTEMPTS,
           ("WHEN a.tries + 1 >= :free THEN statement_timestamp()", "WHEN a.tries + 1 >= :free + 1000 THEN statement_timestamp()"),
           red=f"{A}test_an_account_is_locked_and_says_so_only_to_who_knows_the_password {A}test_many_tries_at_once_gain_nothing "
           f"{A}test_an_address_that_tries_too_often_is_stopped_before_any_work"),
    mutant("access", "the end of a token", TOKENS,
           ("WHERE t.digest = :digest AND t.revoked_at IS NULL AND t.expires_at > statement_timestamp()", "WHERE t.digest = :digest AND t.revoked_at IS NULL"),
           red=f"{A}test_a_token_may_no_more_than_its_maker_and_ends"),
    mutant("access", "the revocation of a token", TOKENS,
           ("WHERE t.digest = :digest AND t.revoked_at IS NULL AND t.expires_at > statement_timestamp()", "WHERE t.digest = :digest AND t.expires_at > statement_timestamp()"),
           red=f"{A}test_a_token_may_no_more_than_its_maker_and_ends"),
    mutant("access", "the maker's role over a token's", TOKENS,
           ("role = min(Role(row.role), Role(row.makers), key=level)", "role = Role(row.role)"), red=f"{A}test_a_token_may_no_more_than_its_maker_and_ends"),
    mutant("access", "the end of a session", SESSIONS,
           ("WHERE s.digest = :digest AND u.disabled_at IS NULL AND s.expires_at > statement_timestamp()", "WHERE s.digest = :digest AND u.disabled_at IS NULL"),
           red=f"{A}test_sessions_end_when_idle_when_over_and_when_the_user_is_disabled"),
    mutant("access", "the disabling of a user", SESSIONS,
           ("WHERE s.digest = :digest AND u.disabled_at IS NULL AND s.expires_at > statement_timestamp()", "WHERE s.digest = :digest AND s.expires_at > statement_timestamp()"),
           red=f"{A}test_sessions_end_when_idle_when_over_and_when_the_user_is_disabled"),
)

DECISIONS = (
    mutant("left out", "a person's word in the plan", "planning/gate.py", ("    if facts.left_out:\n", "    if facts.left_out == policy:\n"),
           red="planning/test_gate.py::test_what_a_person_left_out_is_excluded_with_the_reason"),
    mutant("left out", "the refusal of what is booked", ACTIONS, ("        if live:\n", "        if not mine:\n"),
           red="web/test_api.py::test_an_order_that_is_booked_is_not_left_out"),
    mutant("left out", "the refusal of what may be booked", ACTIONS, ("        elif open_ones:\n", "        elif not mine:\n"),
           red="web/test_api.py::test_an_order_that_may_be_booked_is_not_left_out"),
    mutant("entry of the mapping", "the keys of what it releases", "engine/records_sql.py",
           ("     AND (CAST(:hold_keys AS text[]) IS NULL OR hold_key = ANY(CAST(:hold_keys AS text[])))\n     AND token IS NULL AND status <> 'dead'\n",
            "     AND (CAST(:hold_keys AS text[]) IS NULL OR true)\n     AND token IS NULL AND status <> 'dead'\n"),
           red="web/test_api.py::test_an_entry_of_the_mapping_releases_what_waited_for_it web/test_api.py::test_release_ends_the_holds_that_are_named"),
    mutant("entry of the mapping", "the release itself", "config/apply.py",
           ("(await records.release(self._connection, id, ended.kind, ended.keys)).items()", "dict().items()"),
           red="web/test_api.py::test_an_entry_of_the_mapping_releases_what_waited_for_it"),
)

RULES = (*AUDIT, *ACCESS, *DECISIONS)
