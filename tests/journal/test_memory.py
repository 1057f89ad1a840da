"""History that is much larger than what may be held of it: however it is read, memory stays flat."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from aether import Aether
from aether.journal import Journal

WAVES, SIZE = 4_096, 65_536
ALLOWED = 64
"""In MiB, above what the process had before; the journal has 256."""

READER = """
import asyncio, resource, sys
from datetime import timedelta
from aether import Aether
from aether.journal import Journal

path, way, waves = sys.argv[1], sys.argv[2], int(sys.argv[3])

def peak():
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    # What `getrusage` says begins with what the parent had.
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024

async def awaited():
    return [wave.sequence async for wave in Journal(path).replay()]

async def resonating(**options):
    async with Aether(journal=Journal(path)) as medium:
        reader = medium.vibrator("reader", buffer_size=100, order="fifo")
        await reader.resonate_on("big.*", **options)
        read = []
        while len(read) < waves:
            wave = await reader.receive()
            read.append(wave.sequence)
            if "cursor" in options:
                await reader.ack(wave)
        reader.close()
    return read

# Everything is imported, and everything has begun, before it is measured.
async def begin():
    async with Aether(journal=Journal(path)) as medium:
        await medium.emit_wave("small")

asyncio.run(begin())
next(iter(Journal(path).replay("small")))
before = peak()
match way:
    case "for":
        read = [wave.sequence for wave in Journal(path).replay("big.*")]
    case "backwards":
        read = [wave.sequence for wave in Journal(path).replay("big.*", reverse=True)][::-1]
    case "async for":
        read = asyncio.run(awaited())[:waves]
    case "resonating":
        read = asyncio.run(resonating(replay="all"))
    case "cursor":
        read = asyncio.run(resonating(replay="all", cursor="billing"))
assert read == list(range(1, waves + 1)), read[:10]
print(peak() - before)
"""


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large")

    async def write() -> None:
        async with Aether(journal=Journal(path, durability="os")) as medium:
            for _ in range(WAVES // 64):
                await medium.emit_many([("big.data", bytes(SIZE))] * 64)

    asyncio.run(write())
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="there are no journals on Windows")
@pytest.mark.parametrize("way", ["for", "backwards", "async for", "resonating", "cursor"])
def test_memory_stays_flat(journal: Path, way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READER, str(journal), way, str(WAVES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < ALLOWED
