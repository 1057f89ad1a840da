"""`route_hits` and `route_walks`: an emission on a channel that is known asks for its route once."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.probes import tuned

from aether import Aether, Wave

DOORS: dict[str, Callable[[Aether], Any]] = {
    "emit_nowait": lambda medium: medium.emit_nowait("a.b", 1),
    "emit_nowait with a field": lambda medium: medium.emit_nowait("a.b", 1, phase=1.0),
    "emit_wave": lambda medium: medium.emit_wave("a.b", 1),
    "emit": lambda medium: medium.emit(Wave("a.b", 1)),
    "emit_many": lambda medium: medium.emit_many([("a.b", 1)]),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("receivers", [0, 1, 2, 5])
async def test_an_emission_is_one_hit_however_many_receive_it(door: str, receivers: int) -> None:
    async with Aether() as medium:
        for number in range(receivers):
            tuned(medium, "a.*", name=f"r{number}")

        async def emit() -> None:
            emission = DOORS[door](medium)
            if hasattr(emission, "__await__"):
                await emission

        await emit()
        before = medium.statistics()
        for _ in range(10):
            await emit()
        after = medium.statistics()
        assert after.route_hits - before.route_hits == 10
        assert after.route_walks == before.route_walks
        assert after.delivered == 11 * receivers
