"""How long the models are explored: the same examples each time in `make test`, others and more on demand."""

import os

from hypothesis import HealthCheck, Phase, settings

MORE = int(os.environ.get("ML_CONNECTOR_MODEL_EXAMPLES", "0"))
"""So many examples, drawn anew; a failing one is made as short as possible."""


def explored(*, examples: int, steps: int) -> settings:
    return settings(
        max_examples=MORE or examples,
        stateful_step_count=steps,
        derandomize=not MORE,
        phases=[Phase.generate, Phase.shrink] if MORE else [Phase.generate],
        report_multiple_bugs=False,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
