"""What an emission says it did."""

import pytest
from tests.probes import assert_receipt, tuned

from aether import Aether, AetherConfig, Receipt, Wave

FIELDS = ("sequence", "matched", "delivered", "dropped", "reasons", "reason", "pending")


async def test_a_wave_that_somebody_gets() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*")
        receipt = await medium.emit_wave("a.b")
        assert isinstance(receipt, Receipt)
        assert_receipt(receipt, 1, 1)
        assert receipt.reason is None
        assert isinstance(receipt.sequence, int)


async def test_a_wave_that_nobody_gets() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*")
        receipt = await medium.emit_wave("b.b")
        assert_receipt(receipt, 0, 0)
        assert receipt.reason is None


async def test_counts_every_mailbox() -> None:
    async with Aether() as medium:
        for number in range(5):
            tuned(medium, "a.*", name=f"r{number}")
        assert_receipt(await medium.emit_wave("a.b"), 5, 5)


async def test_counts_a_mailbox_once_though_several_patterns_match() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", "a.b", "*", "+.b")
        assert_receipt(await medium.emit_wave("a.b"), 1, 1)


async def test_says_what_was_dropped_and_why() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", name="small", overflow="drop_newest", buffer_size=1)
        tuned(medium, "a.*", name="large")
        await medium.emit_wave("a.b")
        receipt = await medium.emit_wave("a.b")
        assert_receipt(receipt, 2, 1, full=1)
        assert receipt.dropped == 1
        assert receipt.reason == "full"


async def test_counts_each_reason() -> None:
    async with Aether() as medium:
        for name, overflow in [("x", "drop_newest"), ("y", "drop_newest"), ("z", "drop_faintest")]:
            tuned(medium, "a.*", name=name, overflow=overflow, buffer_size=1)
        await medium.emit_wave("a.b")
        receipt = await medium.emit_wave("a.b", amplitude=0.5)
        assert_receipt(receipt, 3, 0, full=2, faintest=1)
        assert receipt.reason in {"full", "faintest"}


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_faintest", "conflate"])
async def test_is_about_this_wave_alone(overflow: str) -> None:
    """A wave that pushes an older one out was delivered."""
    async with Aether() as medium:
        tuned(medium, "a.*", overflow=overflow, buffer_size=1)
        await medium.emit_wave("a.b", amplitude=0.5)
        assert_receipt(await medium.emit_wave("a.b", amplitude=0.9), 1, 1)


async def test_a_wave_under_the_noise_floor_is_not_matched() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", noise_floor=0.5)
        assert_receipt(await medium.emit_wave("a.b", amplitude=0.4), 0, 0)


async def test_an_own_wave_is_not_matched() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", ignore_own=True)
        assert_receipt(await v.emit_wave("a.b"), 0, 0)


async def test_a_wave_that_hopped_too_often_has_no_sequence() -> None:
    async with Aether(AetherConfig(max_propagation=1)) as medium:
        tuned(medium, "a.*")
        receipt = await medium.emit(Wave("a.b").propagate())
        assert_receipt(receipt, 0, 0, max_propagation=1)
        assert receipt.sequence is None
        assert receipt.reason == "max_propagation"


async def test_a_wave_too_faint_has_no_sequence() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*")
        receipt = await medium.emit_wave("a.b", amplitude=0.001)
        assert_receipt(receipt, 0, 0, min_amplitude=1)
        assert receipt.sequence is None
        assert receipt.reason == "min_amplitude"


@pytest.mark.parametrize("field", FIELDS)
async def test_cannot_be_changed(field: str) -> None:
    async with Aether() as medium:
        receipt = await medium.emit_wave("a.b")
        assert hasattr(receipt, field)
        with pytest.raises((AttributeError, TypeError)):
            setattr(receipt, field, 7)


async def test_shows_its_numbers() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", overflow="drop_newest", buffer_size=1)
        await medium.emit_wave("a.b")
        text = repr(await medium.emit_wave("a.b"))
        assert "Receipt" in text
        assert "full" in text


async def test_nothing_is_pending_without_a_journal() -> None:
    async with Aether() as medium:
        assert not (await medium.emit_wave("a.b")).pending
