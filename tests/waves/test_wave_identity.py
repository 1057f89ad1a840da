"""Which waves are the same: id, `==`, hash, truth, repr, pickle."""

import copy
import pickle

import pytest
from tests.probes import tuned

from aether import Aether, Wave

pytestmark = pytest.mark.anyio


def test_id_is_text_and_stays() -> None:
    wave = Wave("a.b")
    assert isinstance(wave.id, str)
    assert wave.id
    assert wave.id == wave.id


def test_every_wave_has_an_id_of_its_own() -> None:
    assert len({Wave("a.b").id for _ in range(1000)}) == 1000


def test_propagate_keeps_the_id() -> None:
    wave = Wave("a.b")
    assert wave.propagate().id == wave.id


def test_decay_keeps_the_id() -> None:
    wave = Wave("a.b")
    assert wave.apply_time_decay(wave.timestamp + 5).id == wave.id


def test_replace_makes_a_new_id() -> None:
    wave = Wave("a.b")
    assert wave.replace(payload=1).id != wave.id
    assert wave.replace().id != wave.id


async def test_emission_keeps_the_id() -> None:
    async with Aether() as medium:
        v, wave = tuned(medium, "a.*"), Wave("a.b")
        await medium.emit(wave)
        assert v.receive_nowait().id == wave.id


async def test_sequence_is_none_before_the_medium_and_a_growing_number_after() -> None:
    async with Aether() as medium:
        v, wave = tuned(medium, "a.*"), Wave("a.b")
        assert wave.sequence is None
        receipts = [
            await medium.emit(wave),
            await medium.emit_wave("a.c"),
            medium.emit_nowait("a.d"),
        ]
        numbers = [v.receive_nowait().sequence for _ in receipts]
        assert numbers == [receipt.sequence for receipt in receipts]
        assert all(isinstance(number, int) for number in numbers)
        assert sorted(set(numbers)) == numbers
        assert wave.sequence is None


async def test_a_sequence_is_given_even_if_nobody_resonates() -> None:
    async with Aether() as medium:
        first, second = await medium.emit_wave("a.b"), await medium.emit_wave("a.b")
        assert isinstance(first.sequence, int)
        assert second.sequence > first.sequence


def test_waves_are_equal_by_id_and_count() -> None:
    wave = Wave("a.b", [1])
    assert wave != wave.propagate()
    assert wave.propagate() == wave.propagate()
    assert wave == wave.apply_time_decay(wave.timestamp + 9)
    assert wave != Wave("a.b", [1])
    assert wave != wave.replace()


def test_equal_waves_hash_alike() -> None:
    wave = Wave("a.b", [1])
    assert hash(wave.propagate()) == hash(wave.propagate())
    assert len({wave, wave.apply_time_decay(wave.timestamp + 1), wave.propagate()}) == 2


@pytest.mark.parametrize("other", [None, 1, "a.b", object()])
def test_a_wave_is_unequal_to_anything_else(other: object) -> None:
    wave = Wave("a.b")
    assert wave != other
    assert not wave == other  # noqa: SIM201 - `==` itself is asked


def test_waves_have_no_order() -> None:
    with pytest.raises(TypeError):
        Wave("a.b") < Wave("a.c")  # type: ignore[operator]  # noqa: B015


@pytest.mark.parametrize("payload", [None, 0, "", [], False])
def test_a_wave_is_always_true(payload: object) -> None:
    assert Wave("a.b", payload, amplitude=0.0)


def test_repr_shows_the_channel_and_no_payload() -> None:
    class Secret:
        def __repr__(self) -> str:
            raise AssertionError

    assert "orders.created" in repr(Wave("orders.created", Secret()))
    assert "hunter2" not in repr(Wave("a.b", "hunter2"))
    assert "hunter2" not in str(Wave("a.b", "hunter2"))


FULL = {
    "amplitude": 0.5,
    "phase": 1.25,
    "frequency": 2.0,
    "source": "me",
    "headers": {"k": "v"},
    "timestamp": 10.0,
    "ttl": 3.0,
}
FIELDS = [
    "id",
    "sequence",
    "channel",
    "payload",
    "amplitude",
    "priority",
    "phase",
    "frequency",
    "source",
    "propagation_count",
    "timestamp",
    "ttl",
]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_whole(protocol: int) -> None:
    wave = Wave("a.b", {"n": [1]}, **FULL).propagate(0.5)
    twin = pickle.loads(pickle.dumps(wave, protocol))
    assert twin == wave
    assert [getattr(twin, field) for field in FIELDS] == [getattr(wave, field) for field in FIELDS]
    assert dict(twin.headers) == {"k": "v"}


async def test_a_received_wave_pickles_with_its_sequence() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        wave = await v.receive()
        twin = pickle.loads(pickle.dumps(wave))
        assert twin == wave
        assert twin.sequence == wave.sequence


def test_does_not_pickle_if_its_payload_does_not() -> None:
    with pytest.raises((pickle.PicklingError, TypeError, AttributeError)):
        pickle.dumps(Wave("a.b", lambda: None))


def test_new_waves_never_take_the_id_of_an_unpickled_one() -> None:
    twin = pickle.loads(pickle.dumps(Wave("a.b")))
    assert twin.id not in {Wave("a.b").id for _ in range(100)}


def test_copies() -> None:
    wave = Wave("a.b", [1])
    assert copy.copy(wave) == wave
    assert copy.deepcopy(wave).payload == [1]


def test_is_generic_at_no_cost() -> None:
    assert type(Wave[int]("a.b", 1)) is Wave
