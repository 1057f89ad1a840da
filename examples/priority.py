"""Priority: what is emitted louder is handled first, and keeps its rank down the line.

`amplitude` at the first emission is the priority. Equal ones stay in order, so a
program that never sets it has a plain queue.
"""

import asyncio

from aether import Aether, Wave

REPORTS = (
    ("a tyre is worn", 0.3),
    ("the radio is silent", 0.2),
    ("the engine burns", 1.0),
    ("a lamp is broken", 0.3),
    ("the brakes are soft", 0.9),
)

medium = Aether()
desk = medium.vibrator("desk")
workshop = medium.vibrator("workshop", order="amplitude")  # the default


@desk.on("report.*")
async def pass_on(wave: Wave[str]) -> None:
    # cause= hands the priority on unchanged, while the amplitude fades with each hop.
    await desk.emit_wave("repair.requested", wave.payload, cause=wave)


async def main() -> None:
    workshop.resonate_on("repair.*")
    async with medium:
        await medium.emit_many(
            [Wave("report.filed", text, amplitude=urgency) for text, urgency in REPORTS]
        )
        await medium.settle(1.0)
        print(f"{workshop.statistics().current_buffer_used} repairs wait")
        for wave in await workshop.receive_many(len(REPORTS)):
            print(f"priority {wave.priority} amplitude {wave.amplitude:.3f}: {wave.payload}")


if __name__ == "__main__":
    asyncio.run(main())
