"""The dead letters of a journal: listed, emitted anew, dropped; by the library and by `aether dead`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from aether import Aether, AetherConfig, JournalError, PayloadError, Wave
from aether.cli.app import app
from aether.cli.errors import CliError
from aether.journal import DeadLetters, Journal, open_letters

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no journals on Windows")


def failed(
    path: Path, *payloads: Any, channel: str = "orders.created", journal: Journal | None = None
) -> None:
    """A program whose handler fails with each of these."""

    async def main() -> None:
        async with Aether(journal=journal or Journal(path)) as medium:
            worker = medium.vibrator("worker")

            @worker.on("orders.*", dead_letter=True)
            async def work(wave: Wave[Any]) -> None:
                raise ValueError(f"no {wave.payload}")

            for payload in payloads:
                await medium.emit_wave(channel, payload, amplitude=0.5, headers={"tenant": "x"})
            await medium.settle(10)
            worker.close()

    asyncio.run(main())


def command(*arguments: object) -> tuple[int, str]:
    """What `aether dead` says, with its status."""
    result = CliRunner().invoke(app, ["dead", *map(str, arguments)])
    if isinstance(result.exception, CliError):
        return result.exception.status, str(result.exception)
    return result.exit_code, result.output


def test_letters_are_open_until_somebody_decides(tmp_path: Path) -> None:
    failed(tmp_path, 1, 2, 3)
    letters = open_letters(tmp_path)
    assert [letter.payload for letter in letters] == [1, 2, 3]
    assert letters[0].headers["aether-error"] == "ValueError: no 1"
    first, second, third = (letter.sequence or 0 for letter in letters)
    with DeadLetters.deciding(tmp_path) as dead:
        assert len(dead) == 3
        dead.retry(first)
        dead.drop(second)
        assert [letter.sequence for letter in dead] == [third]
        with pytest.raises(KeyError):
            dead.retry(first)
    assert [letter.payload for letter in open_letters(tmp_path)] == [3]
    again = [
        wave for wave in Journal(tmp_path).replay("orders.*") if "aether-retried" in wave.headers
    ]
    assert [(wave.channel, wave.payload, wave.amplitude) for wave in again] == [
        ("orders.created", 1, 0.5)
    ]
    assert dict(again[0].headers) == {
        "tenant": "x",
        "aether-retried": letters[0].headers["aether-id"],
    }


def test_one_that_fails_again_is_another(tmp_path: Path) -> None:
    failed(tmp_path, 1)
    (letter,) = open_letters(tmp_path)
    with DeadLetters.deciding(tmp_path) as dead:
        dead.retry(letter.sequence or 0)

    async def main() -> None:
        async with Aether(journal=Journal(tmp_path)) as medium:
            worker = medium.vibrator("worker")
            worker.resonate_on("orders.*", cursor="worker", replay="all")
            waves = [await worker.receive() for _ in range(2)]
            assert [wave and wave.payload for wave in waves] == [1, 1]
            worker.close()

    asyncio.run(main())
    failed(tmp_path, 1)
    assert len(open_letters(tmp_path)) == 1


def test_patterns_are_of_the_channels_that_they_came_from(tmp_path: Path) -> None:
    failed(tmp_path, 1)
    failed(tmp_path, 2, channel="orders.paid")
    assert [letter.payload for letter in open_letters(tmp_path, "orders.paid")] == [2]
    assert len(open_letters(tmp_path, "orders.*")) == 2


def test_who_has_it_open_is_told(tmp_path: Path) -> None:
    failed(tmp_path, 1)
    journal = Journal(tmp_path)
    medium = Aether(journal=journal)
    assert len(open_letters(tmp_path)) == 1, "to list, any may"
    with pytest.raises(JournalError), DeadLetters.deciding(tmp_path):
        pass
    medium.shut("closed", at_once=True)
    journal.close()


def test_the_commands(tmp_path: Path) -> None:
    failed(tmp_path, {"id": 7}, "two", "three")
    status, said = command("list", tmp_path)
    assert status == 0
    lines = said.splitlines()
    assert len(lines) == 3
    assert "orders.created  after 1: ValueError: no {'id': 7}" in lines[0]
    first, second, third = (int(line.split()[0]) for line in lines)
    assert command("retry", tmp_path, first) == (0, "1 retried\n")
    status, said = command("drop", tmp_path, first, second)
    assert (status, said.splitlines()[-1]) == (1, "1 dropped")
    assert f"no dead letter {first} is open" in said
    assert command("list", tmp_path)[1].split()[0] == str(third)
    assert command("drop", tmp_path, "--all") == (0, "1 dropped\n")
    assert command("list", tmp_path) == (0, "")


@pytest.mark.parametrize("arguments", [[], ["1", "--all"]])
def test_which_ones_has_to_be_said(tmp_path: Path, arguments: list[str]) -> None:
    failed(tmp_path, 1)
    status, said = command("retry", tmp_path, *arguments)
    assert status == 2
    assert "--all" in said


def test_a_folder_without_a_journal_is_one_line(tmp_path: Path) -> None:
    status, said = command("list", tmp_path / "nowhere")
    assert status == 1
    assert "nowhere" in said


@pytest.mark.parametrize("name", ["drop", "retry"])
def test_what_is_missing_is_told_once(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    failed(tmp_path, 1, 2, 3, channel="orders.created")
    [segment] = tmp_path.glob("*.segment")
    data = bytearray(segment.read_bytes())
    # In the midst of the three and their letters.
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    with caplog.at_level("WARNING", "aether"):
        assert command(name, tmp_path, "--all")[0] == 0
    events = [getattr(record, "event", "") for record in caplog.records]
    assert events.count("journal.gaps") == 1


class Point(NamedTuple):
    x: int
    y: int


class Points:
    """A codec that nobody else knows."""

    name = "points"
    tag = 77

    def encode(self, payload: Any) -> bytes:
        return f"{payload.x},{payload.y}".encode() if isinstance(payload, Point) else b"-"

    def decode(self, data: bytes) -> Any:
        return Point(*map(int, data.split(b",")))


def test_the_commands_need_no_codec_of_anybodys_own(tmp_path: Path) -> None:
    def journal() -> Journal:
        return Journal(tmp_path, codec=Points())

    failed(tmp_path, Point(1, 2), Point(3, 4), Point(5, 6), b"raw", None, journal=journal())
    status, said = command("list", tmp_path)
    assert status == 0
    assert [line.rsplit("  ", 1)[1] for line in said.splitlines()] == [
        *["<3 bytes of codec 77>"] * 3,
        "b'raw'",
        "None",
    ]
    first, second, *_, last = (int(line.split()[0]) for line in said.splitlines())
    assert command("retry", tmp_path, first, last) == (0, "2 retried\n")
    assert command("drop", tmp_path, second) == (0, "1 dropped\n")
    with pytest.raises(PayloadError, match="codec"):
        open_letters(tmp_path)
    assert [letter.payload for letter in open_letters(journal())] == [Point(5, 6), b"raw"]
    with DeadLetters.deciding(journal()) as dead:
        third = next(iter(dead)).sequence or 0
        dead.retry(third)
    assert [letter.payload for letter in open_letters(journal())] == [b"raw"]
    assert len(command("list", tmp_path)[1].splitlines()) == 1
    again = [
        wave.payload for wave in journal().replay("orders.*") if "aether-retried" in wave.headers
    ]
    assert again == [Point(1, 2), None, Point(5, 6)]


def test_a_payload_that_its_program_had_to_allow_is_retried(tmp_path: Path) -> None:
    large = "x" * 2_000_000

    async def main() -> None:
        config = AetherConfig(max_payload_bytes=4_000_000)
        async with Aether(config, journal=Journal(tmp_path)) as medium:
            await medium.emit_wave("dead.orders.created", large)

    asyncio.run(main())
    assert command("retry", tmp_path, "--all") == (0, "1 retried\n")
    assert [wave.payload for wave in Journal(tmp_path).replay("orders.*")] == [large]
