"""What changes in a medium that runs, and what does not."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

import pytest

from aether import Aether, AetherConfig, Closed

OTHER: dict[str, Any] = {
    "attenuation_factor": 0.5,
    "decay_interval": 2.0,
    "max_propagation": 2,
    "min_amplitude": 0.2,
    "channel_buffer_size": 2,
    "overflow": "drop_oldest",
    "max_channel_length": 10,
    "stall_warning": 7.0,
    "drain_timeout": 7.0,
    "shutdown_timeout": 7.0,
    "max_payload_bytes": 10,
    "retain": ("a",),
    "retain_channels": 5,
    "limits": {"queued": 7},
    "health": {"memory": 7},
    "console": {"path": "x"},
    "journal": {"path": "x"},
    "name": "shop",
    "metrics": {},
    "tracing": {"sample": 1.0},
    "debug": True,
}
"""Another value for each field."""


def is_live(name: str) -> bool:
    """What the metadata of a field says."""
    marks = AetherConfig.model_fields[name].json_schema_extra
    assert isinstance(marks, dict), f"{name} says whether it is live"
    assert marks["reload"] in ("live", "restart")
    return marks["reload"] == "live"


def test_every_field_says_whether_it_is_live() -> None:
    assert OTHER.keys() == AetherConfig.model_fields.keys()
    assert {is_live(name) for name in OTHER} == {True, False}


@pytest.mark.parametrize("name", OTHER)
def test_a_live_field_changes_and_another_one_is_told(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aether")
    medium = Aether()
    told: list[tuple[AetherConfig, AetherConfig]] = []
    medium.on_config_change(lambda before, now: told.append((before, now)))
    before, wanted = medium.config, AetherConfig(**{name: OTHER[name]})
    now = medium.reconfigure(wanted)
    (record,) = caplog.records
    assert name in record.getMessage()
    assert medium.config == now
    if is_live(name):
        assert (now, told) == (wanted, [(before, wanted)])
        assert record.levelno == logging.INFO
    else:
        assert (now, told) == (before, [])
        assert record.getMessage().endswith("will count from the next start on")


def test_what_stays_the_same_is_no_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aether")
    medium = Aether()
    medium.on_config_change(lambda *_: pytest.fail("nothing has changed"))
    medium.reconfigure(AetherConfig())
    assert not caplog.records


def test_rules_count_from_the_next_emission_on() -> None:
    medium = Aether()
    with contextlib.closing(medium.vibrator("reader")) as reader:
        reader.resonate_on("a")
        medium.emit_nowait("a", amplitude=0.5)
        wave = reader.receive_nowait()
        medium.reconfigure(AetherConfig(attenuation_factor=0.5, max_propagation=2))
        medium.emit_nowait("a", cause=wave)
        caused = reader.receive_nowait()
        assert (caused.amplitude, caused.propagation_count) == (0.25, 2)
        assert medium.emit_nowait("a", cause=caused).reason == "max_propagation"
        medium.reconfigure(AetherConfig(min_amplitude=0.6))
        assert medium.emit_nowait("a", amplitude=0.5).reason == "min_amplitude"


def test_a_vibrator_keeps_what_it_was_made_with() -> None:
    medium = Aether(AetherConfig(channel_buffer_size=1, overflow="drop_newest"))
    before = medium.vibrator("before")
    medium.reconfigure(AetherConfig(channel_buffer_size=2, overflow="drop_oldest"))
    after = medium.vibrator("after")
    for vibrator in (before, after):
        vibrator.resonate_on("a")
    for number in range(3):
        medium.emit_nowait("a", number)
    assert before.receive_nowait().payload == 0
    assert [after.receive_nowait().payload for _ in range(2)] == [1, 2]
    before.close()
    after.close()


def test_who_is_told_may_fail_and_may_leave(caplog: pytest.LogCaptureFixture) -> None:
    medium = Aether()
    told: list[float] = []

    def fails(*_: object) -> None:
        raise ValueError("no")

    medium.on_config_change(fails)
    end = medium.on_config_change(lambda _, now: told.append(now.min_amplitude))
    medium.reconfigure(AetherConfig(min_amplitude=0.1))
    assert "has failed, told of a new configuration" in caplog.text
    end()
    end()
    medium.reconfigure(AetherConfig(min_amplitude=0.2))
    assert told == [0.1]
    with pytest.raises(TypeError, match="callback must be callable, not int"):
        medium.on_config_change(5)  # type: ignore[arg-type]


def test_changes_are_told_in_their_order_whichever_thread_makes_them() -> None:
    medium = Aether()
    inside, go_on = threading.Event(), threading.Event()
    told: list[tuple[int, int]] = []

    def slow(_: AetherConfig, now: AetherConfig) -> None:
        if now.max_propagation == 1:
            inside.set()
            assert go_on.wait(30)

    def tell(before: AetherConfig, now: AetherConfig) -> None:
        told.append((before.max_propagation, now.max_propagation))

    medium.on_config_change(slow)
    medium.on_config_change(tell)
    first = threading.Thread(target=medium.reconfigure, args=(AetherConfig(max_propagation=1),))
    first.start()
    assert inside.wait(30)
    # Nobody waits for who is told of the first.
    assert medium.reconfigure(AetherConfig(max_propagation=2)).max_propagation == 2
    assert told == []
    go_on.set()
    first.join()
    assert told == [(10, 1), (1, 2)]
    medium.reconfigure(AetherConfig(max_propagation=3))
    assert told[2:] == [(2, 3)]


def test_who_is_told_may_change_it_again() -> None:
    medium = Aether()
    told: list[int] = []

    def more(_: AetherConfig, now: AetherConfig) -> None:
        if now.max_propagation < 4:
            medium.reconfigure(now.replace(max_propagation=now.max_propagation + 1))

    medium.on_config_change(more)
    medium.on_config_change(lambda _, now: told.append(now.max_propagation))
    medium.reconfigure(AetherConfig(max_propagation=2))
    assert told == [2, 3, 4]


def test_the_interrupt_of_the_program_is_not_swallowed() -> None:
    medium = Aether()
    told: list[int] = []

    def interrupted(_: AetherConfig, now: AetherConfig) -> None:
        if now.max_propagation == 2:
            raise KeyboardInterrupt

    medium.on_config_change(lambda _, now: told.append(now.max_propagation))
    medium.on_config_change(interrupted)
    with pytest.raises(KeyboardInterrupt):
        medium.reconfigure(AetherConfig(max_propagation=2))
    medium.reconfigure(AetherConfig(max_propagation=3))
    assert told == [2, 3]


def test_a_closed_medium_takes_no_configuration() -> None:
    medium = Aether()
    medium.shut("closed", at_once=True)
    with pytest.raises(Closed):
        medium.reconfigure(AetherConfig(min_amplitude=0.1))


def test_threads_never_meet_two_configurations_mixed() -> None:
    # A wave of 0.8 passes by either; it would be too faint with the factor of the one and the limit of the other.
    either = (
        AetherConfig(attenuation_factor=0.5, min_amplitude=0.3),
        AetherConfig(attenuation_factor=0.9, min_amplitude=0.6),
    )
    medium = Aether(either[0])
    with contextlib.closing(medium.vibrator("reader")) as reader:
        reader.resonate_on("a")
        medium.emit_nowait("a", amplitude=0.8)
        cause = reader.receive_nowait()
        reader.detune("a")
        ended = threading.Event()

        def change() -> None:
            while not ended.is_set():
                for config in either:
                    medium.reconfigure(config)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            reasons = {medium.emit_nowait("a", cause=cause).reason for _ in range(20_000)}
        finally:
            ended.set()
            thread.join()
    assert reasons == {None}
