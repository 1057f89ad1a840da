"""CQRS with request and reply: commands change, events tell, queries read.

What a handler returns answers the request, what it raises comes back as the error.
The model that answers queries is fed by events only, so there may be many of them.
"""

import asyncio
import logging

from aether import Aether, NoReceiver, RequestFailed, Wave

medium = Aether()
orders = medium.vibrator("orders")
totals = medium.vibrator("totals")

prices: dict[int, int] = {}  # what commands change
sums = {"orders": 0, "total": 0}  # what queries read


@orders.on("commands.place_order")
async def place(wave: Wave[dict[str, int]]) -> str:
    order = wave.payload
    if order["price"] <= 0:
        raise ValueError(f"a price of {order['price']} is not above 0")
    prices[order["id"]] = order["price"]
    await orders.emit_wave("events.order_placed", order, cause=wave)
    return "placed"


@totals.on("events.order_placed")
async def add(wave: Wave[dict[str, int]]) -> None:
    sums["orders"] += 1
    sums["total"] += wave.payload["price"]


@totals.on("queries.total")
def total(wave: Wave[None]) -> dict[str, int]:
    return dict(sums)


async def main() -> None:
    logging.getLogger("aether").setLevel(logging.CRITICAL)  # whoever asked is told: enough here
    async with medium:
        for number, price in ((1, 20), (2, 15), (3, -5)):
            try:
                answer = await medium.request(
                    "commands.place_order", {"id": number, "price": price}, timeout=1.0
                )
                print(f"order {number}: {answer.payload}")
            except RequestFailed as error:
                print(f"order {number}: refused, {error.__cause__}")

        await medium.settle(1.0)
        answer = await medium.request("queries.total", timeout=1.0)
        print(f"total: {answer.payload}")

        try:
            await medium.request("queries.weather", timeout=1.0)
        except NoReceiver:
            print("weather: nobody answers that")


if __name__ == "__main__":
    asyncio.run(main())
