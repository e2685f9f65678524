"""`python -m tests.crash.long [--orders N] [--seed N]`; `docs/crash-run.md` explains it."""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.crash.long import report
from tests.crash.long.run import Found, LongRun, Wishes
from tests.crash.long.scene import TEMPLATE, LongCase, LongStage, Server, free_port
from tests.crash.long.show import Show
from tests.crash.long.verdict import verdict_on
from tests.crash.nursery import Nursery

PAGE = Path(__file__).parents[3] / "docs" / "crash-report.md"
INTERRUPTED = 130
SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything holds. 1: it does not. 130: interrupted."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed: int = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    wishes = Wishes(options.orders, seed, tamper=options.tamper)
    with Show() as show:
        show.say(f"seed {seed}, {wishes.orders} orders")
        try:
            found = _run(wishes, show, options.keep)
        except KeyboardInterrupt:
            found = Found(wishes, interrupted=True)
        if found.verdict is not None and not found.interrupted:
            options.report.write_text(report.page(found))
            show.say(f"report: {options.report.name}")
        wrong = (*found.verdict.complaints, *found.verdict.unsettled) if found.verdict else ()
        for words in wrong[:SHOWN]:
            show.say(f"wrong: {words}")
    print(report.line(found), flush=True)
    return INTERRUPTED if found.interrupted else 0 if found.clean else 1


def _run(wishes: Wishes, show: Show, keep: Path | None) -> Found:
    with ExitStack() as stack:
        home = stack.enter_context(_home(keep))
        server = Server(home)
        stack.callback(server.close)
        port = free_port()
        nursery = Nursery()
        stack.callback(nursery.close)
        hooks = f"http://127.0.0.1:{port}/hooks/web-store"
        stage = LongStage(server.url, TEMPLATE, home, webhook_url=hooks, nursery=nursery)
        stack.callback(stage.close)
        case = LongCase(stage, home, port)
        stack.callback(case.end)
        run = LongRun(wishes, case, server, show)
        stack.callback(run.close)
        show.say("both systems, PostgreSQL and the configuration stand")
        try:
            return run.play()
        except KeyboardInterrupt:
            show.say("interrupted: the processes are ended, then what is there is counted")
            run.close()
            return run.found(verdict_on(case), interrupted=True)
        except AssertionError:
            traceback.print_exc()
            run.close()
            return run.found(verdict_on(case))


@contextmanager
def _home(keep: Path | None) -> Generator[Path]:
    """Where logs and the database lie. PostgreSQL runs as another user when we are root: it must get through."""
    path = keep or Path(tempfile.mkdtemp(prefix="mlc-long-"))
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o711)
    try:
        yield path
    finally:
        if keep is None:
            shutil.rmtree(path, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make crash", description="The long random run.")
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--seed", type=int, help="draws everything that is tried; a new one each time unless given")
    parser.add_argument("--report", type=Path, default=PAGE, help="where the page is written")
    parser.add_argument("--keep", type=Path, help="keep logs and the database in this directory")
    parser.add_argument("--tamper", action="store_true", help="delete one ERP document before the verdict: must go red")
    return parser


if __name__ == "__main__":
    sys.exit(main())
