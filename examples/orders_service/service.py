"""A service that takes orders: FastAPI in front, a medium with its handlers behind, and a graceful end.

An order is accepted at once and charged behind. The bank may be down, or hang: each attempt has a time limit, there are up to
four, and once half of the calls fail, a circuit leaves the bank in peace for half a minute, and again where it is still down.
Orders wait meanwhile, which uses up no attempt. One that cannot be charged at all goes out on `dead.orders.placed`. At SIGTERM
the server takes no more requests, and the medium is left: what was accepted is charged first.

Run it with `uvicorn --factory service:demo`; its tests are beside it, and run in no time, as their clock is virtual.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Protocol

from fastapi import FastAPI, HTTPException

from aether import Aether, Channel, CircuitBreaker, Retry, Wave


@dataclass(frozen=True)
class Order:
    """What somebody has ordered."""

    number: int
    cents: int


class Bank(Protocol):
    """Who takes the money."""

    async def charge(self, order: int, cents: int) -> None:
        """Charge it once, however often it is told to: the number of the order says that it is the same."""


PLACED = Channel[Order]("orders.placed")
PAID = Channel[Order]("orders.paid")


def create_app(bank: Bank, medium: Aether | None = None) -> FastAPI:
    """The service; a test gives it a bank and a medium of its own."""
    medium = Aether() if medium is None else medium
    shop = medium.vibrator("shop")
    numbers = count(1)
    states: dict[int, str] = {}

    @shop.on(
        PLACED,
        concurrency=8,
        timeout=5.0,
        retry=Retry(on=(ConnectionError, TimeoutError), attempts=4),
        circuit=CircuitBreaker("bank", calls=20, minimum=8, open_for=30.0),
    )
    async def charge(wave: Wave[Order]) -> None:
        await bank.charge(wave.payload.number, wave.payload.cents)
        await shop.emit_wave(PAID, wave.payload, cause=wave)

    @shop.on(PAID)
    def paid(wave: Wave[Order]) -> None:
        states[wave.payload.number] = "paid"

    @shop.on("dead.orders.placed")
    def failed(wave: Wave[Order]) -> None:
        states[wave.payload.number] = "failed"

    app = FastAPI(lifespan=medium.lifespan)

    @app.post("/orders", status_code=202)
    async def place(cents: int) -> dict[str, int]:
        order = Order(next(numbers), cents)
        states[order.number] = "placed"
        await medium.emit_wave(PLACED, order, require=1)
        return {"number": order.number}

    @app.get("/orders/{number}")
    async def state(number: int) -> dict[str, str]:
        if number not in states:
            raise HTTPException(404, f"there is no order {number}")
        return {"state": states[number]}

    return app


class PatientBank:
    """One that takes whatever it is told."""

    async def charge(self, order: int, cents: int) -> None:
        """Say so."""
        print(f"order {order}: {cents / 100:.2f} charged")


def demo() -> FastAPI:
    """The service for a look at it."""
    return create_app(PatientBank())
