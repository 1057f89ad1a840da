"""Two builds of Aether beside each other: what a change costs whoever has no use for it.

    python benches/builds.py OTHER_PYTHON [--rounds N]

`OTHER_PYTHON` is the interpreter of an environment with the other build. Each round starts a process of each in turn, in
which a burst of 100 waves is emitted without waiting and taken, again and again; its fastest burst counts, in which
nothing else came between. Shown are the fastest round and the median of the rounds, in nanoseconds a wave, and how much
the build of this interpreter takes more. With valgrind there are the instructions too, which noise does not reach: what
20,000 waves more take, in the interpreter and in Aether.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

EMITTED = """
import gc
import sys
from time import perf_counter_ns as now
from aether import Aether

bursts = int(sys.argv[1])
waves = range(100)

async def main():
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        await reader.resonate_on("bench.builds.wave")
        emit = medium.vibrator("writer").emitter().emit_nowait
        receive = reader.receive
        emitting = taking = 1e9
        for _ in range(bursts):
            begun = now()
            for number in waves:
                emit("bench.builds.wave", number)
            emitted = now()
            for _ in waves:
                await receive()
            taken = now()
            emitting = min(emitting, emitted - begun)
            taking = min(taking, taken - emitted)
        print(emitting / len(waves), taking / len(waves))

import asyncio
gc.disable()
asyncio.run(main())
"""

BURSTS = 2_000
MORE = 200
"""Bursts, under valgrind."""


def timed(python: Path, bursts: int = BURSTS) -> tuple[float, float]:
    """Nanoseconds for each wave that is emitted, and that is taken."""
    command = [python, "-c", EMITTED, str(bursts)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    emitting, taking = map(float, done.stdout.split())
    return emitting, taking


def instructions(python: Path) -> float:
    """What a wave more takes, emitted and taken."""

    def of(bursts: int) -> int:
        with tempfile.NamedTemporaryFile("r") as out:
            command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
            command += [f"--log-file={out.name}", str(python), "-c", EMITTED, str(bursts)]
            environment = {**os.environ, "PYTHONHASHSEED": "0"}
            subprocess.run(command, check=True, capture_output=True, env=environment)
            found = re.search(r"Collected : (\d+)", out.read())
        assert found, "valgrind says how many it has counted"
        return int(found[1])

    return (of(2 * MORE) - of(MORE)) / (MORE * 100)


def shown(what: str, ours: list[float], others: list[float]) -> None:
    for name, of in (("fastest", min), ("median", median)):
        one, other = of(ours), of(others)
        print(f"{what:10}{name:10}{one:10.1f}{other:10.1f}{one - other:+10.1f}")


def main() -> int:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("other", type=Path)
    asked.add_argument("--rounds", type=int, default=30)
    given = asked.parse_args()
    builds = (Path(sys.executable), given.other)
    times: tuple[list[tuple[float, float]], ...] = ([], [])
    for number in range(given.rounds):
        # Who begins takes turns too.
        for place in (0, 1) if number % 2 else (1, 0):
            times[place].append(timed(builds[place]))
    print(f"{'ns a wave':20}{'this':>10}{'other':>10}{'more':>10}")
    for place, what in enumerate(("emitted", "taken")):
        shown(what, *([one[place] for one in of] for of in times))
    if shutil.which("valgrind"):
        one, other = map(instructions, builds)
        print(f"{'instructions':20}{one:10.0f}{other:10.0f}{one - other:+10.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
