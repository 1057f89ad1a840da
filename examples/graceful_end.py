"""A graceful end: nothing that was accepted is lost, and what is given up is counted.

Leaving `async with medium`: nothing more from outside, handlers finish what waits for
them and may still emit, readers get what is queued, and then the end.
"""

import asyncio

from aether import Aether, Closed, Vibrator, Wave

medium = Aether()
mill = medium.vibrator("mill")
shop = medium.vibrator("shop")


@mill.on("grain.delivered")
async def grind(wave: Wave[int]) -> None:
    await asyncio.sleep(0.001)
    await mill.emit_wave("flour.ground", wave.payload, cause=wave)


async def bake(bakery: Vibrator) -> None:
    async for wave in bakery:
        await asyncio.sleep(0.001)
        if wave.payload % 5 == 0:
            print(f"bakery: sack {wave.payload}")
    print("bakery: that was the last one")


async def main() -> None:
    async with asyncio.TaskGroup() as tasks:
        async with medium:
            bakery = medium.vibrator("bakery")
            bakery.resonate_on("flour.*")
            tasks.create_task(bake(bakery))

            shop.resonate_on("flour.*")  # never reads
            for sack in range(1, 11):
                await medium.emit_wave("grain.delivered", sack)
            print("farmer: ten sacks brought, going home")
        print("medium: handlers are done")

        try:
            await medium.emit_wave("grain.delivered", 11)
        except Closed:
            print("farmer: too late for the eleventh")

    print(f"bakery: took {bakery.statistics().received}")
    await shop.aclose()
    print(f"shop: {shop.statistics().dropped['abandoned']} abandoned")


if __name__ == "__main__":
    asyncio.run(main())
