"""The medium beside its peers, in one process, with the ratios we are after.

    python benches/report.py [--only TEXT] [--loop asyncio|uvloop] [--rounds N] [--json FILE] [--no-gc]

Every shape of a row runs in turns, and the best of N is taken. A ratio is the
peer's time over ours: bigger is better, `goal` is what we are here for, `floor`
must hold on a noisy machine. Memory and import time have a process of their own;
there, ours over the limit's unit is shown and smaller is better.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import bench_burst
import bench_fanout
import bench_priority
import bench_receive
import bench_routing
import bench_threads
import bench_wake
from harness import LOOPS, Row, interleaved

MODULES = (
    bench_burst,
    bench_receive,
    bench_wake,
    bench_threads,
    bench_fanout,
    bench_priority,
    bench_routing,
)

IMPORT = """
import sys, time
start = time.perf_counter()
import {0}
print(time.perf_counter() - start)
"""

MEMORY = """
import gc, os
from aether import Aether

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

medium = Aether()
first = [medium.vibrator(f"warm-{i}") for i in range(100)]
for v in first: v.resonate_on(f"warm.{v.name}")
names = [f"idle-{i}" for i in range(20_000)]
patterns = [f"idle.n{i}" for i in range(20_000)]
held = [None] * 20_000
before = resident()
for i, name in enumerate(names):
    held[i] = v = medium.vibrator(name)
    v.resonate_on(patterns[i])
vibrator = (resident() - before) / 20_000
reader = medium.vibrator("reader", buffer_size=200_000)
reader.resonate_on("memory.wave")
before = resident()
for _ in range(200_000): medium.emit_nowait("memory.wave", None)
print(vibrator, (resident() - before) / 200_000)
for v in (*first, *held, reader): v.close()
"""


def timed(rows: list[Row], loop: str, rounds: int) -> list[dict[str, object]]:
    """Print the rows of one loop; what was printed as records."""
    records = []
    print(f"\n{loop}: best of {rounds}, in turns; ratio = peer / aether")
    print(f"{'':34} {'aether':>9}   {'peer':24} {'peer':>9} {'ratio':>8} {'goal':>7} {'floor':>6}")
    for row in rows:
        best = interleaved(row.shapes(), rounds, LOOPS[loop])
        ours = best["aether"]
        head = f"{row.name:34} {ours:6.1f} ns"
        for peer in row.peers:
            ratio = best[peer.name] / ours
            verdict = "goal" if ratio >= peer.goal else "" if ratio >= peer.floor else "BELOW FLOOR"
            print(
                f"{head:44}   {peer.name:24} {best[peer.name]:6.1f} ns {'x':>2}{ratio:<6.2f}"
                f" {'x':>2}{peer.goal:<5g} {'x':>1}{peer.floor:<5g} {verdict}",
                flush=True,
            )
            head = ""
            records.append(
                {"loop": loop, "row": row.name, "unit": row.unit, "ns": ours, "peer": peer.name}
                | {
                    "peer_ns": best[peer.name],
                    "ratio": ratio,
                    "goal": peer.goal,
                    "floor": peer.floor,
                }
            )
        for name in row.also:
            print(f"{'':44}   {name:24} {best[name]:6.1f} ns", flush=True)
    return records


def child(code: str) -> list[float]:
    """The numbers that a fresh interpreter prints."""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(number) for number in out.stdout.split()]


def apart() -> None:
    """Print what needs a process of its own."""
    took = {
        name: min(child(IMPORT.format(name))[0] for _ in range(5)) * 1e3
        for name in ("asyncio", "aether")
    }
    ratio = took["aether"] / took["asyncio"]
    verdict = "goal" if ratio <= 2 else "ABOVE LIMIT"
    print(
        f"\nimport aether {took['aether']:.1f} ms, asyncio {took['asyncio']:.1f} ms: {ratio:.2f} (limit 2)  {verdict}"
    )
    if sys.platform == "linux":
        vibrator, wave = child(MEMORY)
        verdicts = [
            "goal" if got <= goal else "" if got <= floor else "ABOVE LIMIT"
            for got, goal, floor in ((vibrator, 1024, 2048), (wave, 96, 152))
        ]
        print(
            f"idle vibrator with one pattern {vibrator:.0f} B (goal 1024, limit 2048)  {verdicts[0]}"
        )
        print(f"queued wave {wave:.0f} B with one receiver (goal 96, limit 152)  {verdicts[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name contains TEXT")
    parser.add_argument("--loop", choices=LOOPS, action="append", help="this loop only")
    parser.add_argument(
        "--rounds", type=int, default=15, metavar="N", help="best of N (%(default)s)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--no-gc", action="store_true", help="without the garbage collector")
    options = parser.parse_args()
    if options.no_gc:
        gc.disable()
    rows = [row for module in MODULES for row in module.ROWS if options.only in row.name]
    start = time.monotonic()
    records = [
        record for loop in options.loop or LOOPS for record in timed(rows, loop, options.rounds)
    ]
    if not options.only:
        apart()
    print(f"\n{time.monotonic() - start:.0f} s, Python {sys.version.split()[0]}")
    if options.json:
        Path(options.json).write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
