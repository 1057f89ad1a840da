"""Threads without a loop, at both ends of an async service.

`emit_sync` waits while a mailbox is full, so a fast thread is held back instead of
filling the memory; `receive_sync` waits for a wave, and gives None at the end.
"""

import asyncio
import threading

from aether import Aether, Vibrator, Wave

LINES = 1_000

medium = Aether()
counter = medium.vibrator("counter")


@counter.on("file.line", buffer_size=8)
async def count_words(wave: Wave[str]) -> None:
    await counter.emit_wave("file.words", len(wave.payload.split()), cause=wave)


def read_file() -> None:
    """The thread that puts in: at most eight lines ahead of the service."""
    for number in range(LINES):
        medium.emit_sync("file.line", "word " * (number % 10), timeout=5.0)
    print("reader: all lines are in")


def add_up(sums: Vibrator, total: list[int]) -> None:
    """The thread that takes out, until the end."""
    while (wave := sums.receive_sync(timeout=5.0)) is not None:
        total.append(wave.payload)


async def main() -> None:
    total: list[int] = []
    async with medium:
        sums = medium.vibrator("sums", buffer_size=8)
        sums.resonate_on("file.words")
        adder = threading.Thread(target=add_up, args=(sums, total))
        adder.start()
        await asyncio.to_thread(read_file)
    await asyncio.to_thread(adder.join)
    print(f"adder: {sum(total)} words in {len(total)} lines")


if __name__ == "__main__":
    asyncio.run(main())
