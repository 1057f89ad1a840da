"""`request` and `reply`."""

import anyio
import pytest
from tests.probes import (
    assert_says,
    assert_works,
    begin,
    payloads,
    taken,
    tuned,
    turns,
    until,
    until_receiving,
)

from aether import Aether, AetherConfig, RequestFailed, TracingConfig, Wave
from aether._native import reply_address


async def test_what_a_handler_returns_is_the_answer() -> None:
    async with Aether() as medium:
        asker, service = tuned(medium, name="asker"), tuned(medium, name="service")

        @service.on("queries.double")
        async def double(wave: Wave[int]) -> int:
            return wave.payload * 2

        answer = await asker.request("queries.double", 21, timeout=5.0)
        assert isinstance(answer, Wave)
        assert answer.payload == 42


async def test_a_plain_handler_answers_too() -> None:
    async with Aether() as medium:
        service = tuned(medium)
        service.on("queries.double")(lambda wave: wave.payload * 2)
        assert (await medium.request("queries.double", 4)).payload == 8


async def test_the_medium_asks_too() -> None:
    async with Aether() as medium:
        tuned(medium).on("queries.*")(lambda wave: [wave.payload])
        payload = object()
        assert (await medium.request("queries.x", payload)).payload == [payload]


async def test_a_receiver_replies_by_hand() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        service = tuned(medium, "queries.*")
        asking = begin(group, lambda: medium.request("queries.x", 1, timeout=5.0))
        wave = await service.receive()
        assert await service.reply(wave, {"answer": wave.payload + 1}) is True
        assert (await asking.result()).payload == {"answer": 2}


async def test_the_first_reply_wins() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        one, two = tuned(medium, "queries.*", name="one"), tuned(medium, "queries.*", name="two")
        asking = begin(group, lambda: medium.request("queries.x", timeout=5.0))
        first, second = await one.receive(), await two.receive()
        assert await two.reply(second, "two") is True
        assert await one.reply(first, "one") is False
        assert (await asking.result()).payload == "two"


async def test_the_error_of_a_handler_fails_the_request() -> None:
    async with Aether() as medium:
        service = tuned(medium, name="fragile-one")

        @service.on("queries.*")
        async def fail(wave: object) -> None:
            raise LookupError("no such order")

        with pytest.raises(RequestFailed) as caught:
            await medium.request("queries.x", timeout=5.0)
        assert isinstance(caught.value.__cause__, LookupError)
        assert_says(caught.value, "queries.x", "no such order")
        await assert_works(medium)


async def test_one_that_fails_does_not_spoil_the_answer_of_another() -> None:
    async with Aether() as medium:
        gate = anyio.Event()
        broken, service = tuned(medium, name="broken"), tuned(medium, name="service")

        @broken.on("queries.*")
        async def fail(wave: object) -> None:
            gate.set()
            raise LookupError

        @service.on("queries.*")
        async def answer(wave: object) -> str:
            await gate.wait()
            await turns()
            return "fine"

        assert (await medium.request("queries.x", timeout=5.0)).payload == "fine"


async def test_one_that_has_failed_is_the_reason_when_the_time_is_over() -> None:
    async with Aether(AetherConfig(drain_timeout=0.0)) as medium:
        broken, silent = tuned(medium, name="broken"), tuned(medium, name="silent")
        broken.on("queries.*")(lambda _wave: {}["none"])

        @silent.on("queries.*")
        async def wait(wave: object) -> None:
            await anyio.sleep_forever()

        with pytest.raises(RequestFailed, match="its handler raised KeyError: 'none'") as caught:
            await medium.request("queries.x", timeout=0.05)
        assert isinstance(caught.value.__cause__, KeyError)


async def test_handlers_that_return_nothing_answer_none() -> None:
    async with Aether() as medium:
        for name in ("one", "two"):
            tuned(medium, name=name).on("queries.*")(lambda wave: None)
        answer = await medium.request("queries.x", timeout=5.0)
        assert isinstance(answer, Wave)
        assert answer.payload is None


async def test_one_that_returns_nothing_does_not_spoil_the_answer_of_another() -> None:
    async with Aether() as medium:
        audit, service, done = (
            tuned(medium, name="audit"),
            tuned(medium, name="service"),
            anyio.Event(),
        )
        audit.on("queries.*")(lambda wave: done.set())

        @service.on("queries.*")
        async def answer(wave: object) -> int:
            await done.wait()
            await turns()
            return 7

        assert (await medium.request("queries.x", timeout=5.0)).payload == 7


@pytest.mark.parametrize("value", [0, "", [], False])
async def test_an_answer_may_be_false(value: object) -> None:
    async with Aether() as medium:
        tuned(medium).on("queries.*")(lambda wave: value)
        assert (await medium.request("queries.x", timeout=5.0)).payload is value


async def test_the_reply_comes_outside_the_mailbox() -> None:
    async with Aether() as medium:
        asker, audit = (
            tuned(medium, "*", name="asker", ignore_own=True),
            tuned(medium, "*", name="audit"),
        )
        service = tuned(medium, name="service")
        service.on("queries.*")(lambda wave: "private")
        assert (await asker.request("queries.x", 1, timeout=5.0)).payload == "private"
        assert payloads(asker) == []
        assert payloads(audit) == [1]


async def test_a_full_mailbox_of_the_asker_does_not_hold_the_reply_back() -> None:
    async with Aether() as medium:
        asker, service = (
            tuned(medium, "noise.*", name="asker", buffer_size=1),
            tuned(medium, name="service"),
        )
        await medium.emit_wave("noise.a")
        service.on("queries.*")(lambda wave: 1)
        assert (await asker.request("queries.x", timeout=5.0)).payload == 1


async def test_the_address_is_a_header_that_cause_does_not_hand_on() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        service, next_one = tuned(medium, "queries.*"), tuned(medium, "next.*", name="next")
        asking = begin(group, lambda: medium.request("queries.x", timeout=5.0))
        wave = await service.receive()
        assert len(wave.headers) >= 1
        await service.emit_wave("next.a", cause=wave)
        passed_on = next_one.receive_nowait()
        assert not set(wave.headers.values()) & set(passed_on.headers.values())
        with pytest.raises(ValueError, match=r"next\.a"):
            await next_one.reply(passed_on, "forged")
        await service.reply(wave, "true")
        assert (await asking.result()).payload == "true"


async def test_a_handler_that_emits_does_not_hand_the_address_on_either() -> None:
    async with Aether() as medium:
        service, next_one = tuned(medium, name="service"), tuned(medium, "next.*", name="next")

        @service.on("queries.*")
        async def handle(wave: object) -> str:
            await service.emit_wave("next.a")
            return "true"

        assert (await medium.request("queries.x", timeout=5.0)).payload == "true"
        (passed_on,) = taken(next_one)
        with pytest.raises(ValueError, match="request"):
            await next_one.reply(passed_on, "forged")


async def test_requests_at_the_same_time_get_their_own_answers() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        service = tuned(medium, "queries.*")
        asking = [
            begin(group, lambda n=n: medium.request("queries.x", n, timeout=5.0)) for n in range(10)
        ]
        await until(lambda: service.statistics().current_buffer_used == 10)
        for wave in reversed(taken(service)):
            await service.reply(wave, wave.payload * 10)
        assert [(await later.result()).payload for later in asking] == [n * 10 for n in range(10)]


async def test_a_request_may_be_answered_by_a_request() -> None:
    async with Aether() as medium:
        front, back = tuned(medium, name="front"), tuned(medium, name="back")

        @front.on("front.*")
        async def ask_back(wave: Wave[int]) -> int:
            return (await front.request("back.x", wave.payload, timeout=5.0)).payload + 1

        back.on("back.*")(lambda wave: wave.payload * 2)
        assert (await medium.request("front.x", 5, timeout=5.0)).payload == 11


async def test_a_waiting_receiver_wakes_for_a_request() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        service = tuned(medium, "queries.*")
        reading = begin(group, service.receive)
        await until_receiving(service)
        asking = begin(group, lambda: medium.request("queries.x", timeout=5.0))
        await service.reply(await reading.result(), 3)
        assert (await asking.result()).payload == 3


async def test_whether_a_wave_is_a_request_is_asked_without_its_headers(
    anyio_backend: object,
) -> None:
    config = AetherConfig(tracing=TracingConfig(sample=1.0))
    async with Aether(config) as medium:
        service, others = tuned(medium, "queries.*"), tuned(medium, "plain")
        assert reply_address(Wave("a")) is None
        assert reply_address(Wave("a", headers={"tenant": "b"})) is None
        await medium.emit_wave("plain", headers={"tenant": "b"})
        plain = await others.receive()
        assert reply_address(plain) is None, "it is followed"
        async with anyio.create_task_group() as group:
            asking = begin(group, lambda: medium.request("queries.a", 1, timeout=5.0))
            wave = await service.receive()
            assert reply_address(wave) == wave.headers["aether-reply"]
            assert wave.headers["traceparent"]
            await medium.emit_wave("plain", cause=wave)
            assert reply_address(await others.receive()) is None
            assert await service.reply(wave, 2)
        assert asking.value.payload == 2
        assert reply_address(asking.value) is None
