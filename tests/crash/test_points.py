"""SIGKILL at every named point on the order path, then a clean worker, then the count in the sandbox's own state.

No exception stands in for the death: the wait status says SIGKILL, the crash log says where. A second pass stops the
process (SIGSTOP) past lease, P and H and lets it go on.
"""

from collections import Counter

import pytest

from ml_connector.engine import crash
from tests.crash.conftest import Theatre
from tests.crash.points import ELSEWHERE, FAST, STORIES
from tests.crash.stories import Story

pytestmark = pytest.mark.crash


def test_every_point_has_its_story() -> None:
    reached = {point for story in FAST for point in story.points}
    assert reached | ELSEWHERE.keys() == crash.POINTS
    assert not reached & ELSEWHERE.keys()
    assert [name for name, count in Counter(story.name for story in FAST).items() if count > 1] == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_one_document_per_reference(story: Story, theatre: Theatre) -> None:
    theatre.ending(story)
