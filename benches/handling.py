"""What stands around a handler costs: waves through one with options, beside the same without, in one run.

A *job* emits a burst of a hundred waves and waits until the handler has had them all. In each round every way does the job
once, in an order that turns; the cost of a way is the median over all rounds of its processor time beside that of the plain
handler in the same round.

    python benches/handling.py [--rounds 100] [--loop asyncio|uvloop|trio]

`again` is the plain handler once more: how far it is from 0 says what the figures are worth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median
from time import thread_time_ns as now
from typing import Any

import anyio

from aether import Aether, CircuitBreaker, Rate, Retry, Wave

WAVES, BURSTS = 100, 20
MOST_US = 8.0
"""What all options together may cost a wave that goes well."""

OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": dict,
    "again": dict,
    "retry": lambda: {"retry": Retry(on=Exception)},
    "timeout": lambda: {"timeout": 30.0},
    "circuit": lambda: {"circuit": CircuitBreaker("bench")},
    "rate": lambda: {"rate": Rate(1e9, burst=1_000_000)},
    "all": lambda: {
        "retry": Retry(on=Exception),
        "timeout": 30.0,
        "circuit": CircuitBreaker("bench"),
        "rate": Rate(1e9, burst=1_000_000),
    },
}


async def measured(rounds: int) -> dict[str, list[float]]:
    """ns a wave, by way, in each round."""
    took: dict[str, list[float]] = {name: [] for name in OPTIONS}
    medium = Aether()
    workers = {}
    for name, options in OPTIONS.items():
        workers[name] = medium.vibrator(name)

        @workers[name].on(f"bench.{name}", **options())
        async def work(wave: Wave[Any]) -> None: ...

    async with medium:
        names = list(OPTIONS)
        for number in range(rounds):
            for name in names if number % 2 else names[::-1]:
                channel, begun = f"bench.{name}", now()
                for _ in range(BURSTS):
                    for payload in range(WAVES):
                        medium.emit_nowait(channel, payload)
                    await medium.settle()
                took[name].append((now() - begun) / (BURSTS * WAVES))
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description="What stands around a handler costs.")
    parser.add_argument("--rounds", type=int, default=100, help="how often every way does its job")
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop", "trio"])
    given = parser.parse_args()
    loop = "asyncio" if given.loop == "uvloop" else given.loop
    options = {"use_uvloop": True} if given.loop == "uvloop" else {}
    took = anyio.run(measured, given.rounds, backend=loop, backend_options=options)
    base = took["plain"]
    print(f"{'way':<10} {'ns/wave':>8} {'cost, us':>9}  target")
    for name, rounds in took.items():
        cost = median(one - other for one, other in zip(rounds, base, strict=True)) / 1e3
        target = ""
        if name == "all":
            target = f"at most {MOST_US:g} us" + ("" if cost <= MOST_US else ", MISSED")
        print(f"{name:<10} {median(rounds):>8.0f} {cost:>+9.2f}  {target}".rstrip())


if __name__ == "__main__":
    main()
