"""Progress to many readers: a slow screen sees the newest state of each job, not a backlog.

`overflow="conflate"` replaces the waiting wave of the same channel in place. The jobs
never wait for a screen, the screens never fall behind, and what was skipped is counted.
Runs on asyncio and on trio, as the medium does: anyio only starts it.
"""

import logging
import sys

import anyio

from aether import Aether, Channel, Vibrator

JOBS = ("index", "backup", "report")


async def job(medium: Aether, name: str) -> None:
    channel = Channel.of("progress", name)
    for percent in range(101):
        medium.emit_nowait(channel, percent)
        await anyio.sleep(0)


async def screen(reader: Vibrator, pause: float) -> None:
    """Show what comes, at the pace of this screen, until the medium ends."""
    shown: dict[str, int] = {}
    backwards = 0
    async for wave in reader:
        backwards += wave.payload < shown.get(wave.channel, 0)
        shown[wave.channel] = wave.payload
        await anyio.sleep(pause)
    seen = ", ".join(f"{name} {shown[f'progress.{name}']} %" for name in JOBS)
    counts = reader.statistics()
    every_wave = counts.received + counts.missed == len(JOBS) * 101
    print(
        f"{reader.name:5} ends at {seen}; backwards {backwards} times;"
        f" skipped some: {counts.missed > 0}; all accounted for: {every_wave}"
    )


async def main() -> None:
    logging.getLogger("aether").setLevel(logging.ERROR)  # to skip is what these screens want
    async with anyio.create_task_group() as screens, Aether() as medium:
        for name, pause in (("phone", 0.005), ("tv", 0.002), ("wall", 0.010)):
            reader = medium.vibrator(name, overflow="conflate")
            await reader.resonate_on("progress.*")
            screens.start_soon(screen, reader, pause)
        async with anyio.create_task_group() as jobs:
            for name in JOBS:
                jobs.start_soon(job, medium, name)
        print("jobs are done, none of them waited")


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "--trio" in sys.argv else "asyncio")
