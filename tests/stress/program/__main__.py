"""`python -m tests.stress.program`: rounds until the time is over or a promise is broken."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import os
import random
import sys
import time
import traceback
import warnings
from collections import Counter

import psutil

from .choices import planned
from .ledger import Broken
from .mass import Mass
from .payloads import Unexpected
from .round import Round
from .watchdog import Watchdog
from .world import PATIENCE, Records

WARM_UP = 10
"""Rounds after which memory is flat."""
SLACK = 48 * 2**20
"""Bytes by which it may grow from there on, whatever the number of rounds."""
REASONS = (
    "full",
    "oldest",
    "faintest",
    "conflated",
    "faded",
    "expired",
    "abandoned",
    "cleared",
    "shed",
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.stress.program",
        description="Threads, loops, cancels, closes and overflow policies at random; the sums are checked all the time.",
    )
    parser.add_argument("--seed", default=str(random.randrange(2**32)), help="of all choices")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long, unless --rounds says")
    parser.add_argument("--rounds", type=int, help="how many rounds, instead")
    parser.add_argument("--round", type=int, default=0, help="the number of the first round")
    parser.add_argument("--small", action="store_true", help="fewer waves in each round")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds of stillness")
    parser.add_argument(
        "--plant",
        choices=("loss", "double", "order", "uninvited", "stall"),
        help="a fault to be found",
    )
    parser.add_argument(
        "--publishers", type=int, help="with --waves: one large round for order and loss"
    )
    parser.add_argument("--loops", type=int, default=8)
    parser.add_argument("--waves", type=int, default=10_000_000)
    return parser.parse_args()


class Report:
    """What has happened so far, and a line of it every few seconds."""

    def __init__(self) -> None:
        self.began = self.said = time.monotonic()
        self.waves = self.taken = self.rounds = self.looks = 0
        self.counts: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.memory: list[int] = []

    def add(self, around: Round) -> None:
        self.rounds += 1
        self.waves += around.waves
        self.taken += around.taken
        self.looks += around.looks
        self.counts.update(around.counts)
        self.dropped.update(around.dropped)
        gc.collect()
        self.memory.append(psutil.Process().memory_info().rss)

    def line(self) -> str:
        seconds = time.monotonic() - self.began
        drops = " ".join(f"{reason}={self.dropped[reason]:,}" for reason in REASONS)
        return (
            f"{seconds:6.0f} s  round {self.rounds}  {self.waves:,} waves ({self.waves / seconds:,.0f}/s)  "
            f"{self.taken:,} taken  cancels={self.counts['cancels']:,} closes={self.counts['closes']:,} "
            f"{drops}  rss={self.memory[-1] >> 20} MiB"
        )

    def say(self, *, at_once: bool = False) -> None:
        if at_once or time.monotonic() - self.said > 5.0:
            self.said = time.monotonic()
            print(self.line(), flush=True)

    def check_memory(self) -> None:
        """It grows while caches fill, and not any more."""
        settled = self.memory[WARM_UP:]
        if len(settled) >= WARM_UP and min(settled[-5:]) > min(settled[:5]) + SLACK:
            message = (
                f"memory grows: {[rss >> 20 for rss in settled[:: max(1, len(settled) // 20)]]} MiB"
            )
            raise Broken(message)


def run(options: argparse.Namespace) -> None:
    """Rounds, one after the other."""
    report, dog = Report(), Watchdog(options.patience)
    records, unexpected = listen(), Unexpected()
    number = options.round
    with unexpected:
        while True:
            if options.rounds is not None:
                if number - options.round >= options.rounds:
                    break
            elif time.monotonic() - report.began > 60 * options.minutes:
                break
            where = f"round {number} of seed {options.seed}"
            plan = planned(f"{options.seed}/{number}", small=options.small)
            around = Round(plan, options.plant, options.patience)
            dog.watch(where, around)
            try:
                around.run()
                for what in (records.found, unexpected.found):
                    if what:
                        raise Broken(f"what nobody expected: {what[:5]}")
                report.add(around)
                report.check_memory()
            except BaseException as error:
                print(f"\nFAILED in {where}: {error}", flush=True)
                print(f"plan: {around.plan}", flush=True)
                traceback.print_exc()
                dog.stop()
                end(1)
            del around
            number += 1
            report.say()
    dog.stop()
    report.say(at_once=True)
    others = ", ".join(f"{name} {n:,}" for name, n in sorted(report.counts.items()))
    print(f"looks while it ran: {report.looks:,}; {others}; log lines: {dict(records.lines)}")
    print(f"passed: {report.rounds} rounds of seed {options.seed}", flush=True)


def listen() -> Records:
    """The log of the library goes here, and nowhere else."""
    log, records = logging.getLogger("aether"), Records()
    log.addHandler(records)
    log.propagate = False
    return records


def run_mass(options: argparse.Namespace) -> None:
    """One large round."""
    dog, records = Watchdog(options.patience), listen()
    mass = Mass(options.seed, options.publishers, options.loops, options.waves, options.patience)
    dog.watch(f"the mass of seed {options.seed}", mass)
    try:
        mass.run()
        if records.found:
            raise Broken(f"what nobody expected: {records.found[:5]}")
    except BaseException as error:
        print(f"\nFAILED in the mass of seed {options.seed}: {error}", flush=True)
        traceback.print_exc()
        end(1)
    dog.stop()


def end(status: int) -> None:
    """Ends though threads may hang."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main() -> None:
    faulthandler.enable()
    options = arguments()
    # Emissions that nobody awaits and vibrators that nobody closes are among what is tried.
    warnings.simplefilter("ignore", RuntimeWarning)
    warnings.simplefilter("ignore", ResourceWarning)
    print(f"seed {options.seed} on Python {sys.version.split()[0]}", flush=True)
    if options.publishers:
        run_mass(options)
    else:
        run(options)


if __name__ == "__main__":
    main()
