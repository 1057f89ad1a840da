"""What the service does when its bank does not, on a clock that the tests move: half a minute takes no time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from service import Order, create_app

from aether.testing import Faults, Recording, VirtualAether, VirtualClock


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Bank:
    """One that notes what it was asked for; while it hangs, it never answers."""

    def __init__(self) -> None:
        self.charged: list[int] = []
        self.asked = 0
        self.hangs = False

    async def charge(self, order: int, cents: int) -> None:
        self.asked += 1
        if self.hangs:
            await anyio.sleep_forever()
        self.charged.append(order)


@pytest.fixture
def bank() -> Bank:
    return Bank()


@asynccontextmanager
async def running(bank: Bank, medium: VirtualAether) -> AsyncIterator[httpx.AsyncClient]:
    """The service as a server runs it, and a client of it."""
    app = create_app(bank, medium)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client


async def place(client: httpx.AsyncClient, cents: int = 100) -> int:
    answer = await client.post("/orders", params={"cents": cents})
    assert answer.status_code == 202
    return int(answer.json()["number"])


async def state(client: httpx.AsyncClient, number: int) -> str:
    return str((await client.get(f"/orders/{number}")).json()["state"])


async def test_an_order_is_charged(
    anyio_backend: str, bank: Bank, aether_medium: VirtualAether, aether_recorder: Recording
) -> None:
    async with running(bank, aether_medium) as client:
        number = await place(client, 250)
        await aether_medium.settle()
        assert await state(client, number) == "paid"
        aether_recorder.assert_emitted("orders.paid", payload=Order(number, 250), times=1)
        aether_recorder.assert_not_emitted("dead.*")
        assert (await client.get("/orders/99")).status_code == 404


async def test_a_bank_that_is_down_now_and_then_is_asked_again(
    anyio_backend: str,
    bank: Bank,
    aether_medium: VirtualAether,
    aether_clock: VirtualClock,
    aether_faults: Faults,
) -> None:
    async with running(bank, aether_medium) as client:
        aether_faults.error("orders.placed", ConnectionError("down"), probability=0.2)
        aether_faults.slow("orders.placed", (0.0, 4.0), probability=0.5)
        numbers = [await place(client) for _ in range(20)]
        await aether_clock.advance(300)
        assert [one.kind for one in aether_faults.injected].count("error") > 0
        assert sorted(bank.charged) == numbers, "each once"
        assert {await state(client, number) for number in numbers} == {"paid"}


async def test_an_order_that_cannot_be_charged_has_failed(
    anyio_backend: str,
    bank: Bank,
    aether_medium: VirtualAether,
    aether_clock: VirtualClock,
    aether_recorder: Recording,
) -> None:
    bank.hangs = True
    async with running(bank, aether_medium) as client:
        number = await place(client)
        await aether_clock.advance(60)
        assert await state(client, number) == "failed"
        [letter] = aether_recorder.assert_emitted("dead.orders.placed", times=1)
        assert letter.headers["aether-attempts"] == "4"
        assert bank.asked == 4


async def test_a_bank_that_hangs_is_left_in_peace(
    anyio_backend: str,
    bank: Bank,
    aether_medium: VirtualAether,
    aether_clock: VirtualClock,
    aether_recorder: Recording,
) -> None:
    bank.hangs = True
    async with running(bank, aether_medium) as client:
        for _ in range(8):
            await place(client)
        await aether_clock.advance(5)
        aether_recorder.assert_emitted(
            "aether.circuit.bank", payload=lambda change: change.after == "open", times=1
        )
        bank.hangs, asked = False, bank.asked
        number = await place(client)
        await aether_clock.advance(29)
        assert (bank.asked, await state(client, number)) == (asked, "placed")
        await aether_clock.advance(60)
        assert await state(client, number) == "paid"


async def test_orders_wait_for_a_bank_that_is_away_for_longer(
    anyio_backend: str,
    bank: Bank,
    aether_medium: VirtualAether,
    aether_clock: VirtualClock,
    aether_recorder: Recording,
) -> None:
    bank.hangs = True
    async with running(bank, aether_medium) as client:
        numbers = [await place(client) for _ in range(8)]
        await aether_clock.advance(80)
        assert bank.asked == 8 + 3 + 3, "all, and then the probes of the circuit, twice"
        bank.hangs = False
        await aether_clock.advance(60)
        assert sorted(bank.charged) == numbers
        aether_recorder.assert_not_emitted("dead.*")


async def test_what_was_accepted_is_charged_before_the_end(
    anyio_backend: str, bank: Bank, aether_medium: VirtualAether, aether_faults: Faults
) -> None:
    async with running(bank, aether_medium) as client:
        aether_faults.slow("orders.placed", 2.0)
        numbers = [await place(client) for _ in range(8)]
        assert bank.charged == []
    assert sorted(bank.charged) == numbers
    assert aether_medium.statistics().dropped["abandoned"] == 0
