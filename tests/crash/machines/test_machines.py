"""Workers on three machines and one PostgreSQL; one machine loses its line to the database, to the ERP, to both, with
a posting under way, and comes back. The others carry on without it, and nothing is posted twice.

Needs the right to make network namespaces; skips by name where there is none.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.machines.network import Network, NoNamespaces, network
from tests.crash.machines.scene import LinkedCase, LinkedServer, LinkedStage
from tests.crash.processes import until
from tests.crash.stories import Shop, at_post

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def machines() -> Iterator[Network]:
    try:
        with network() as made:
            yield made
    except NoNamespaces as reason:
        pytest.skip(f"network namespaces cannot be made here: {reason}")


@pytest.fixture(scope="module")
def stage(machines: Network) -> Iterator[LinkedStage]:
    home = Path(tempfile.mkdtemp(prefix="mlc-machines-"))
    home.chmod(0o711)
    server = LinkedServer(home, machines)
    made = LinkedStage(server, home, machines)
    yield made
    made.close()
    server.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def case(stage: LinkedStage, machines: Network, tmp_path: Path) -> Iterator[LinkedCase]:
    made = LinkedCase(stage, tmp_path, machines)
    yield made
    made.close()


@pytest.mark.parametrize("lines", [("database",), ("erp",), ("database", "store", "erp")], ids="+".join)
def test_a_machine_is_cut_off_with_a_posting_under_way_and_comes_back(case: LinkedCase, lines: tuple[str, ...]) -> None:
    """The posting is committed in the ERP, its answer is on the way when the line goes."""
    shop = Shop.open(case)
    case.fault(at_post("slow_answer", 1, delay_s=3.0))
    first = case.worker_on(1, "send.body_out#2:stop", watchdog=False)
    first.stopped_at("send.body_out")
    case.cut(1, *lines)
    first.go_on()
    others = [case.worker_on(2), case.worker_on(3)]
    case.settled()
    assert case.query("SELECT 1 FROM audit WHERE kind = 'stored' AND data ->> 'by' = 'look-up'"), "nobody looked"
    assert first.running, first.said()
    case.network.heal(1)
    for other in others:
        other.stop()
    shop.edit()
    case.check()  # by the first one alone: it is back
    assert first.running, first.said()


def test_machines_lose_their_lines_in_turn_under_a_crowd_of_orders(case: LinkedCase) -> None:
    shop = Shop.open(case)
    workers = [case.worker_on(machine) for machine in (1, 2, 3)]
    for worker in workers:  # one that is cut off before it has begun ends, and says why
        until(lambda worker=worker: "worker.started" in worker.said(), worker.said)
    for machine, lines in ((1, ("database",)), (2, ("erp",)), (3, ("database", "store", "erp"))):
        case.place("paid", guest=False, orders=4)
        posts = case.posts()
        case.cut(machine, *lines)
        case.place("paid", orders=4)
        case.until_posted(posts)
        case.network.heal(machine)
    shop.edit()
    case.check()
    for worker in workers:
        worker.stop()
