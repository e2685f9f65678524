"""What is fuzzed: a function of bytes that may raise our own error types and nothing else."""

import hashlib
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
SEEDS = HERE / "seeds"
FINDINGS = HERE / "findings"

Form = Literal["json", "http", "text"]
"""How an input is mutated: as a JSON document; as headers, an empty line and a body (JSON or XML); as plain text."""


class NotUsable(Exception):
    """The input does not even say what is to be done: no case, and no finding."""


@dataclass(frozen=True, slots=True)
class Target:
    """`run` is called with every input. `allowed`: what the code under test may raise. `largest`: bytes of an input."""

    name: str
    about: str
    form: Form
    run: Callable[[bytes], None]
    allowed: tuple[type[BaseException], ...]
    largest: int = 32_768

    def try_one(self, data: bytes) -> None:
        """Raises what is a finding, and nothing else."""
        try:
            self.run(data)
        except (NotUsable, *self.allowed):
            return

    def inputs(self) -> Iterator[Path]:
        """Seeds, then what was found in the past."""
        for folder in (SEEDS / self.name, FINDINGS / self.name):
            if folder.is_dir():
                yield from sorted(path for path in folder.iterdir() if path.is_file())


def signature(error: BaseException) -> str:
    """The same defect has the same signature, whatever input showed it: type and innermost place in our code."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "ml_connector" in frame.filename] or list(frames)
    place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "?"
    return f"{type(error).__name__}@{place}"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
