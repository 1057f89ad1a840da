"""A saga: book a flight, a hotel and a car, and undo what was done when one refuses.

The saga keeps the waves of the steps that succeeded. `compensates=step` continues
that step in antiphase: to physics, the undo cancels what it undoes.
"""

import asyncio

from aether import Aether, PhysicsEngine, Vibrator, Wave

medium = Aether()
saga = medium.vibrator("saga")
STEPS = ("flight", "hotel", "car")
done: dict[str, list[Wave[str]]] = {}


def service(name: str, *, refuses: str = "") -> Vibrator:
    """A service that books and cancels, and refuses one trip."""
    v = medium.vibrator(name)

    @v.on(f"{name}.book")
    async def book(wave: Wave[str]) -> None:
        outcome = "refused" if wave.payload == refuses else "booked"
        await v.emit_wave(f"{name}.{outcome}", wave.payload, cause=wave)

    @v.on(f"{name}.cancel")
    async def cancel(wave: Wave[str]) -> None:
        print(f"{wave.payload}: {name} cancelled")

    return v


services = [service("flight"), service("hotel"), service("car", refuses="Oslo")]


@saga.on("+.booked")
async def onwards(wave: Wave[str]) -> None:
    trip, step = wave.payload, wave.channel.tokens[0]
    print(f"{trip}: {step} booked")
    done.setdefault(trip, []).append(wave)
    if step != STEPS[-1]:
        following = STEPS[STEPS.index(step) + 1]
        await saga.emit_wave(f"{following}.book", trip, cause=wave)
    else:
        print(f"{trip}: have a good journey")


@saga.on("+.refused")
async def back(wave: Wave[str]) -> None:
    trip = wave.payload
    print(f"{trip}: {wave.channel.tokens[0]} refused")
    for step in reversed(done.pop(trip, [])):
        await saga.emit_wave(f"{step.channel.tokens[0]}.cancel", trip, compensates=step)


async def main() -> None:
    async with medium, Vibrator.create("observer", medium) as observer:
        await observer.resonate_on("flight.booked", "flight.cancel")
        for trip in ("Rome", "Oslo"):
            await medium.emit_wave("flight.book", trip)
            await medium.settle(1.0)

        _, booked, cancelled = await observer.receive_many(3)
        effect = PhysicsEngine().calculate_interference(booked, cancelled)
        print(f"{booked.channel} and {cancelled.channel}: {effect.kind.name.lower()}")


if __name__ == "__main__":
    asyncio.run(main())
