"""Mutants of the rules of time (T1-T13) and of "one request, once" (W1-W8)."""

from tests.mutations.mutants import mutant

# fmt: off
# ruff: noqa: E501 - what is searched for is as long as the lines of the source

BASE = "connectors/base/ledger.py"
HTTP = "connectors/http.py"
HTTP_WRITE = "connectors/http_write.py"
ODATA = "connectors/odata.py"
PERMIT = "engine/permit.py"
POSTINGS_SQL = "engine/postings_sql.py"
SEND = "engine/send.py"
S4_CONNECTOR = "connectors/s4hana/connector.py"
S4_CLIENT = "connectors/s4hana/client.py"

SUM = "return self.p_s + self.t_s + self.l_s + self.v_s + self.s_s"
WRITES = "connectors/test_http_write.py::"
H_TEST = "engine/test_postings.py::test_absence_counts_only_from_a_look_up_after_h"

TIME = (
    *(
        mutant(
            "T1", f"{part.upper()} in the sum", BASE, (SUM, SUM.replace(f"self.{part}_s", "0")),
            red="engine/test_timing.py::test_h_is_the_sum_of_its_parts",
        )
        for part in "ptlvs"
    ),
    mutant(
        "T1", "the refusal of shorter times", "connectors/given.py",
        ("if not sandbox and (wanted.t_s", "if wanted.t_s < 0 and (wanted.t_s"),
        red="engine/test_timing.py::test_timing_is_shortened_in_a_sandbox_only",
    ),
    mutant(
        "T2", "the horizon in `absent`", POSTINGS_SQL, (" AND p.resolve_at <= d.read_at\n", "\n"), red=H_TEST,
    ),
    mutant(
        "T2", "the horizon in what a run believes", "engine/posting_values.py",
        ("return self.resolve_at is None or self.resolve_at <= self.read_at", "return True"),
        red="engine/test_postings.py::test_after_a_refusal_the_look_up_must_start_v_later",
    ),
    mutant(
        "T3", "the time taken before the statement", PERMIT,
        ("        self._began = time.monotonic()\n", ""),
        ("        if not self.sent:\n            self.close()",
         "        self._began = time.monotonic()\n        if not self.sent:\n            self.close()"),
        red="engine/test_timing.py::test_p_counts_from_before_the_commit",
    ),
    mutant(
        "T4", "the comparison with P", PERMIT, ("if late_s > self._timing.p_s:", "if late_s < 0:"),
        red="engine/test_timing.py::test_p_counts_from_before_the_commit",
    ),
    mutant(
        "T4", "the check before the first piece", HTTP_WRITE,
        ("        self.check()\n        self.written = True\n        yield", "        self.written = True\n        yield"),
        red=f"{WRITES}test_late_check_sends_zero_bytes[body0]", fails_with=["Uncertain"],
    ),
    mutant(
        "T4", "the check of a write without a body", HTTP_WRITE, ("            attempt.check()\n", ""),
        red=f"{WRITES}test_late_check_sends_zero_bytes[None]",
    ),
    mutant(
        "T4", "the check before the second piece", HTTP_WRITE,
        ("        self.check()\n        yield body[middle:]", "        yield body[middle:]"),
        red=f"{WRITES}test_refused_in_the_middle_of_the_body_is_uncertain",
    ),
    mutant(
        "T4", "the check before a replay", ODATA,
        ("    async def arm(self) -> None:\n        self._permit.check()\n\n    def check(self) -> None:\n"
         "        self._permit.check()\n",
         "    async def arm(self) -> None:\n        pass\n\n    def check(self) -> None:\n        pass\n"),
        red="connectors/test_odata.py::test_replay_asks_the_clock_of_the_permit",
    ),
    mutant(
        "T5", "`planned` at once", SEND, ("[Answer(sent, State.PLANNED, error=str(error)) for sent in permit.sent]",
        "[Answer(sent, State.UNCERTAIN, error=str(error)) for sent in permit.sent]"),
        red="exactly_once/test_evidence.py::test_where_no_byte_has_left_the_document_is_free_at_once",
    ),
    mutant(
        "T6", "the timer", "engine/watchdog.py",
        ("signal.setitimer(signal.ITIMER_REAL, self._timer_s)", "signal.setitimer(signal.ITIMER_REAL, 0)"),
        red="engine/test_watchdog.py::test_a_process_stopped_for_longer_than_p_never_runs_again",
    ),
    mutant(
        "T6", "the shortest P", "engine/watchdog.py", ("        if p_s < SHORTEST_P_S:\n", "        if p_s < SHORTEST_P_S:\n            return\n        if p_s < 0:\n"),
        red="engine/test_watchdog.py::test_a_p_that_would_kill_healthy_workers_is_refused",
    ),
    mutant(
        "T7", "the connection before `sending`", HTTP,
        ("        sent_headers = CIMultiDict(headers or {})\n",
         "        await attempt.permit.arm()\n        sent_headers = CIMultiDict(headers or {})\n"),
        red=f"{WRITES}test_nobody_listening_is_unreachable_and_never_armed",
    ),
    mutant(
        "T7", "the end of a write whose commit failed", HTTP_WRITE,
        ("            self.refusal = error\n            raise\n        if transport",
         "            self.refusal = error\n        if transport"),
        red=f"{WRITES}test_a_commit_that_fails_while_arming_reaches_the_caller_as_it_is",
    ),
    mutant(
        "T8", "the total deadline (a per-read one in its place)", HTTP_WRITE,
        ("self.deadline.reschedule(asyncio.get_running_loop().time() + self.write_s)",
         "self.deadline.reschedule(asyncio.get_running_loop().time() + 20 * self.write_s)"),
        red=f"{WRITES}test_deadline_is_total_and_resets_the_connection "
        f"{WRITES}test_trickling_answer_does_not_move_the_deadline",
        fails_with=["TimeoutError"],
    ),
    mutant(
        "T8", "the first byte as its start", HTTP_WRITE,
        ("        self.deadline.reschedule(None)\n",
         "        self.deadline.reschedule(asyncio.get_running_loop().time() + self.write_s)\n"),
        red=f"{WRITES}test_deadline_counts_from_the_first_byte_not_from_the_arming",
        fails_with=["CancelledError", "NotSent", "TimeoutError", "Unreachable", "Uncertain"],
    ),
    mutant(
        "T9", "the reset", HTTP_WRITE, ("        self.transport.abort()\n", "        self.transport.close()\n"),
        ('            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))\n',
         '            struct.pack("ii", sock.fileno(), 0)\n'),
        red=f"{WRITES}test_cancelled_write_resets_the_connection",
    ),
    mutant(
        "T10", "L counted from T (from the noticing instead)", POSTINGS_SQL,
        ("WHEN 'uncertain' THEN p.resolve_at END", "WHEN 'uncertain' THEN statement_timestamp() END"),
        red=f"{H_TEST}[uncertain]",
    ),
    mutant(
        "T11", "V before the count", POSTINGS_SQL, (" AND p.count_at <= d.read_at\n", "\n"),
        red="engine/test_postings.py::test_the_count_waits_for_v_and_holds_anything_but_one",
    ),
    mutant(
        "T11", "V after a refusal", POSTINGS_SQL,
        ("CASE w.state WHEN 'rejected' THEN statement_timestamp() + :v_s * interval '1 second'",
         "CASE w.state WHEN 'rejected' THEN statement_timestamp() + 0 * :v_s * interval '1 second'"),
        red="engine/test_postings.py::test_after_a_refusal_the_look_up_must_start_v_later",
    ),
    mutant(
        "T12", "the clock of the database (the worker's instead)", "engine/posting_values.py",
        ("from datetime import datetime\n", "from datetime import UTC, datetime\n"),
        ("count_at=row.count_at,\n        read_at=row.read_at,\n", "count_at=row.count_at,\n        read_at=datetime.now(UTC),\n"),
        red="engine/test_clock.py::test_the_clock_of_a_worker_is_never_asked",
    ),
    mutant(
        "T13", "the horizon once the run that sent is gone", POSTINGS_SQL,
        (" AND p.resolve_at <= d.read_at\n",
         " AND (p.resolve_at <= d.read_at OR NOT EXISTS (SELECT 1 FROM runs x\n"
         "      WHERE x.integration = p.integration AND x.token = p.token))\n"),
        red="engine/test_clock.py::test_a_swept_run_leaves_its_attempt_to_the_horizon",
    ),
)

WRITES_ONCE = (
    mutant(
        "W1", "the connection of its own", HTTP,
        ("ssl=self._ssl(), force_close=True, ", "ssl=self._ssl(), "),
        red=f"{WRITES}test_every_write_has_its_own_connection",
    ),
    mutant(
        "W2", "the refusal of a second request", HTTP_WRITE, ("if self._attempt.requested:", "if self._attempt is None:"),
        red=f"{WRITES}test_dropped_connection_is_uncertain_and_not_repeated[DELETE]",
    ),
    mutant(
        "W3", "the unknown outcome of a redirect", HTTP,
        ("        if response.status in _REDIRECTS:\n            raise Uncertain",
         "        if response.status < 0:\n            raise Uncertain"),
        red=f"{WRITES}test_redirect_of_a_write_is_not_followed",
    ),
    mutant(
        "W3", "\"do not follow\"", HTTP,
        ("allow_redirects=False,\n                        expect100", "allow_redirects=True,\n                        expect100"),
        red=f"{WRITES}test_redirect_of_a_write_is_not_followed",
    ),
    mutant(
        "W4", "the question before the first byte (after it instead)", HTTP_WRITE,
        ("        await attempt.ask(conn)\n        if self._body", "        if self._body"),
        ("        return await super().send(conn)\n",
         "        response = await super().send(conn)\n        await asyncio.sleep(0.1)\n"
         "        await attempt.ask(conn)\n        return response\n"),
        red=f"{WRITES}test_write_asks_before_the_first_byte_and_sends_once", fails_with=["Uncertain"],
    ),
    mutant(
        "W5", "the end of a write whose permit is refused", HTTP_WRITE,
        ("            self.refusal = error\n            raise\n        if transport",
         "            self.refusal = error\n        if transport"),
        red=f"{WRITES}test_refused_arm_sends_nothing",
    ),
    mutant(
        "W6", "\"unknown\" for a broken connection", HTTP,
        ("return Uncertain(f\"the connection broke", "return Unreachable(f\"the connection broke"),
        red=f"{WRITES}test_cut_or_unreadable_answer_is_uncertain", fails_with=["Unreachable"],
    ),
    mutant(
        "W6", "\"unknown\" for an answer that is no answer", S4_CONNECTOR,
        ("return Uncertain(f\"the answer to the posting is not readable",
         "return Rejected(f\"the answer to the posting is not readable"),
        red="connectors/s4hana/test_journal.py::test_no_definite_answer_is_uncertain_and_sent_once[html_503]",
        fails_with=["Rejected"],
    ),
    mutant(
        "W7", "\"only what proves not executed\" (a server error is replayed)", S4_CLIENT,
        ("                permit=granted,\n                references=references,\n            )\n"
         "            if response.status != 401 or",
         "                permit=granted,\n                references=references,\n            )\n"
         "            if response.status >= 500 and not last:\n                granted = AgainPermit(permit)\n"
         "                continue\n            if response.status != 401 or"),
        red="connectors/s4hana/test_journal.py::test_no_definite_answer_is_uncertain_and_sent_once[html_503]",
    ),
    mutant(
        "W7", "\"one\" replay", ODATA, ("        for last in (False, True):\n            session", "        for last in "
        "(False, False, True):\n            session"),
        red="connectors/test_odata.py::test_the_second_refusal_is_final", fails_with=["Unreachable"],
    ),
    mutant(
        "W8", "\"none twice\" (an unknown outcome is sent again)", S4_CONNECTOR,
        ("        response = await self._client.write(\n", "        response = await _twice(\n            self._client.write,\n"),
        ("class S4Connector", "async def _twice(write: Any, *args: Any, **kwargs: Any) -> Any:\n"
         "    try:\n        return await write(*args, **kwargs)\n    except Uncertain:\n"
         "        return await write(*args, **kwargs)\n\n\nclass S4Connector"),
        red="connectors/s4hana/test_journal.py::test_no_definite_answer_is_uncertain_and_sent_once[reset_before]",
    ),
)
