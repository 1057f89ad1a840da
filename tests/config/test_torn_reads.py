"""Files that are read while they are written: what is applied is always the whole of what somebody wrote."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.config.looking import Looking, errors
from tests.config.writing import linked, replaced, written

from aether import Aether, AetherConfig
from aether.config.stamps import RESTS

EDITS = 1_000

PATIENCE = 30.0
"""Seconds in which a change is seen even on a machine that has much to do."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AETHER_ENV", raising=False)


def text(number: int) -> str:
    """A file whose beginnings are all valid at the ends of lines, and many within: whole is only one that has it all."""
    return f"max_propagation = {number}\nchannel_buffer_size = {number}\noverflow = 'drop_oldest'\n"


def number_of(config: AetherConfig) -> int:
    """Which file that is; 0 if it is not one as a whole."""
    whole = config.max_propagation == config.channel_buffer_size
    return config.max_propagation if whole and config.overflow == "drop_oldest" else 0


def cuts(whole: str, dice: random.Random) -> Iterator[str]:
    """The parts of a text in which it is written: nothing at first, and often whole lines."""
    ends = [place + 1 for place, one in enumerate(whole) if one == "\n"]
    places = sorted({0, *dice.sample(ends, 2), dice.randrange(len(whole))})
    for begin, end in zip(places, [*places[1:], len(whole)], strict=True):
        yield whole[begin:end]


def test_a_file_that_is_half_written_is_read_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(tmp_path, text(1))
    looking = Looking(tmp_path, monkeypatch)
    for length in range(len(text(22)) + 1):
        looking.time.plan(0.25, lambda length=length: written(tmp_path, text(22)[:length]))
    file.write_text("")
    while not looking.time.is_over:
        looking.look()
    assert [number_of(config) for config in looking.applied] == [1, 22]
    assert errors(caplog) == []


@pytest.mark.parametrize("part", ["", "max_propagation = ", "max_propagation = 22\n"])
def test_who_writes_too_slowly_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """Nobody can know of more to come where a part is valid; it is read when it is there, and nothing is said before."""
    written(tmp_path, text(1))
    looking = Looking(tmp_path, monkeypatch)
    whole = text(22)
    written(tmp_path, part)
    looking.time.plan(0.9, lambda: written(tmp_path, whole))
    looking.look()
    looking.time.wait(1.0)
    looking.look()
    assert number_of(looking.applied[-1]) == 22
    assert errors(caplog) == []


class Storm:
    """Edits of all kinds, in a time of their own."""

    def __init__(self, folder: Path, looking: Looking, dice: random.Random) -> None:
        self.folder, self.file = folder, folder / "aether.toml"
        self.looking, self.dice = looking, dice
        self.number = 0
        self.kinds: dict[str, Callable[[int], bool]] = {
            "in place": self.in_place,
            "anew": self.anew,
            "replaced": self.replaced,
            "linked": self.linked,
            "mistake": self.mistake,
            "gone": self.gone,
            "empty": self.empty,
        }

    def plan(self, act: Callable[[], object], after: float = 0.0) -> None:
        """Something that is done to the file, and its times as they would be."""

        def done() -> None:
            act()
            if self.file.exists():
                self.number += 1
                moment = int(self.looking.time.now * 1e9) + self.number
                os.utime(self.file, ns=(moment, moment))

        self.looking.time.plan(after, done)

    def in_place(self, number: int, longest: float = RESTS.written - 0.01) -> bool:
        """Emptied, and written in parts."""
        self.plan(lambda: written(self.folder, ""))
        for part in cuts(text(number), self.dice):
            self.plan(lambda part=part: self.append(part), self.dice.uniform(0.0, longest))
        return True

    def append(self, part: str) -> None:
        """One more part of the file."""
        with self.file.open("a") as out:
            out.write(part)

    def anew(self, number: int) -> bool:
        """Another file of that name, as editors make it that keep the one before, also written in parts."""
        self.plan(lambda: self.file.unlink(missing_ok=True), self.dice.uniform(0.0, 0.2))
        return self.in_place(number, RESTS.replaced - 0.01)

    def replaced(self, number: int) -> bool:
        """By a rename."""
        self.plan(lambda: replaced(self.folder, text(number)))
        return True

    def linked(self, number: int) -> bool:
        """By a link that is turned."""

        def turned() -> None:
            if not self.file.is_symlink():
                self.file.unlink(missing_ok=True)
            linked(self.folder, text(number), number)

        self.plan(turned)
        return True

    def mistake(self, number: int) -> bool:
        """A file that is whole, and wrong."""
        wrong = text(number).replace("channel_buffer_size", "chanel_buffer_size")
        self.plan(lambda: replaced(self.folder, wrong))
        return False

    def gone(self, _: int) -> bool:
        """No file at all."""
        self.plan(lambda: self.file.unlink(missing_ok=True))
        return False

    def empty(self, _: int) -> bool:
        """One that is there."""
        self.plan(lambda: written(self.folder, ""))
        return False


def test_a_storm_of_edits_is_never_read_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Goal: edits that are sound, wrong, empty and gone, by renames and links, and in place with pauses between the parts,
    each of which could be read; whoever looks in between sees what one of them wrote, and in the end the last sound one."""
    dice = random.Random(7)
    written(tmp_path, text(1))
    looking = Looking(tmp_path, monkeypatch)
    storm = Storm(tmp_path, looking, dice)
    last, seen = 1, 1
    known = {1}
    kinds = Counter[str]()
    for number in range(2, EDITS + 2):
        kind = dice.choice(list(storm.kinds))
        kinds[kind] += 1
        if storm.kinds[kind](number):
            last = number
            known.add(number)
        # The next edit comes whenever it likes, if this one is done.
        while not looking.time.is_over:
            looking.time.wait(dice.uniform(0.0, 0.2))
            looking.look()
        if dice.random() < 0.5:
            looking.time.wait(dice.uniform(0.0, 2.0))
            looking.look()
            assert number_of(looking.applied[-1]) == last, (number, kind)
        for config in looking.applied[seen:]:
            assert number_of(config) in known, (number, kind, config)
        seen = len(looking.applied)
    assert min(kinds[kind] for kind in storm.kinds) > EDITS // 12
    assert len(looking.applied) > EDITS // 3
    assert "chanel_buffer_size" in caplog.text


def test_a_thread_that_writes_in_place_is_never_read_torn(tmp_path: Path) -> None:
    """The same with the thread that watches and another one that writes, in the time that there is. An edit whose writer
    was held up for longer than files have to be silent says nothing, and nothing here goes by how long anything takes."""
    dice = random.Random(7)
    file = written(tmp_path, text(1))
    medium = Aether(AetherConfig.files(tmp_path))
    applied: list[AetherConfig] = []
    last = threading.Event()
    edits = range(1_002, 1_014)
    slow: set[int] = set()

    def told(_: AetherConfig, now: AetherConfig) -> None:
        applied.append(now)
        if number_of(now) == edits[-1]:
            last.set()

    medium.on_config_change(told)

    def write(number: int) -> None:
        before = time.monotonic()
        with file.open("w") as out:
            for part in cuts(text(number), dice):
                time.sleep(dice.uniform(0.05, 0.15))
                out.write(part)
                out.flush()
                now = time.monotonic()
                if now - before >= RESTS.written:
                    slow.add(number)
                before = now
        time.sleep(dice.uniform(0.0, 0.5))

    def write_all() -> None:
        for number in edits:
            write(number)

    writer = threading.Thread(target=write_all)
    writer.start()
    writer.join()
    assert last.wait(PATIENCE)
    torn = [config for config in applied if number_of(config) not in edits]
    assert slow or torn == []
