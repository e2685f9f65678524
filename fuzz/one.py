"""One target in a process of its own, driven by coverage (atheris, libFuzzer): `python -m fuzz.one TARGET ...`.

A finding does not end the run: each is kept once, by its signature, and the run goes on. Hangs and memory end it;
libFuzzer writes the input that did it.
"""

import argparse
import json
import random
import sys
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ml_connector"]):
    from fuzz.targets import TARGETS
from fuzz.mutation import mutated
from fuzz.target import digest, signature


class Keeper:
    """Writes the first input of every signature, at once: libFuzzer ends the process without a word."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: set[str] = set()

    def keep(self, data: bytes, error: BaseException) -> None:
        name = signature(error)
        if name in self._known:
            return
        self._known.add(name)
        file = self._folder / f"crash-{digest(data)}"
        file.write_bytes(data)
        told = {"signature": name, "input": str(file), "trace": "".join(traceback.format_exception(error)[-12:])}
        with (self._folder / "findings.jsonl").open("a") as out:
            out.write(json.dumps(told) + "\n")
        print(f"FINDING {name} {file}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz.one")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of the grown corpus and of findings")
    parser.add_argument("--input-seconds", type=int, default=20, help="longer for one input is a hang")
    parser.add_argument("--rss-mb", type=int, default=2048)
    arguments = parser.parse_args()
    target = TARGETS[arguments.target]
    corpus, findings = arguments.work / "corpus", arguments.work / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    keeper = Keeper(findings)
    for seed in target.inputs():
        (corpus / f"seed-{digest(seed.read_bytes())}").write_bytes(seed.read_bytes())

    def one(data: bytes) -> None:
        try:
            target.try_one(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            keeper.keep(data, error)

    def mutate(data: bytes, largest: int, seed: int) -> bytes:
        return mutated(target.form, data, random.Random(seed), largest, atheris.Mutate)

    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={arguments.seconds}",
            f"-timeout={arguments.input_seconds}",
            f"-rss_limit_mb={arguments.rss_mb}",
            f"-max_len={target.largest}",
            f"-artifact_prefix={findings}/",
            "-print_final_stats=1",
            "-reload=0",
            str(corpus),
        ],
        one,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
