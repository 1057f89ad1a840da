"""Cooperating services: an order becomes a payment, a parcel, a message.

Each service knows the step before it and nothing else. `cause=wave` ties the steps
together: the last one still says who asked for it (headers) and how urgent it was
(priority), how many steps it took (propagation_count), and is fainter by each hop.
"""

import asyncio
from typing import Any

from aether import Aether, Vibrator, Wave

medium = Aether()
shop = medium.vibrator("shop")
payments = medium.vibrator("payments")
stock = medium.vibrator("stock")
parcels = medium.vibrator("parcels")


@payments.on("order.placed")
async def charge(wave: Wave[dict[str, Any]]) -> None:
    order = wave.payload
    await payments.emit_wave("payment.captured", {**order, "paid": order["price"]}, cause=wave)


@stock.on("payment.captured")
async def pick(wave: Wave[dict[str, Any]]) -> None:
    await stock.emit_wave("parcel.packed", {**wave.payload, "shelf": "B7"}, cause=wave)


@parcels.on("parcel.packed")
async def ship(wave: Wave[dict[str, Any]]) -> None:
    await parcels.emit_wave("parcel.shipped", {**wave.payload, "parcel": 900}, cause=wave)


async def main() -> None:
    async with medium, Vibrator.create("customer", medium) as customer:
        await customer.resonate_on("order.*", "payment.*", "parcel.*")
        await shop.emit_wave(
            "order.placed",
            {"order": 7, "price": 30},
            amplitude=0.8,
            headers={"customer": "ada"},
        )
        async for wave in customer:
            print(
                f"{wave.channel:17} step {wave.propagation_count} from {wave.source:8}"
                f" amplitude {wave.amplitude:.3f} priority {wave.priority}"
                f" for {wave.headers['customer']}"
            )
            if wave.channel == "parcel.shipped":
                break
        print(f"delivered: {wave.payload}")


if __name__ == "__main__":
    asyncio.run(main())
