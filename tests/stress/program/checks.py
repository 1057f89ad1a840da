"""The checks: of one moment while everything runs, and of everything while publishers pause."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from .ledger import Admitted, Broken, Ear, Taken, Waves, out_of_order
from .world import Voice, World


class Running:
    """What holds at every moment. One object looks again and again, in a thread of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.before: dict[Voice, Any] = {}
        self.matched = 0
        self.read = 0
        self.looks = 0

    def look(self) -> None:
        """Looks at every vibrator and at the medium once."""
        for voice in tuple(self.world.voices):
            self._look_at(voice)
        self._look_at_sums()
        self.looks += 1

    def _look_at(self, voice: Voice) -> None:
        vibrator = voice.vibrator
        if vibrator is None:
            return
        noted = voice.ear.received()
        s = vibrator.statistics()
        later = voice.ear.received()
        if not noted <= s.received + voice.ear.slack:
            raise Broken(f"{voice.plan.name}: {noted} waves were noted, received is {s.received}")
        if not s.received <= later + voice.ear.slack:
            raise Broken(f"{voice.plan.name}: received is {s.received}, but {later} were noted")
        keyed = bool((voice.plan.handler or {}).get("key"))
        if not keyed and s.current_buffer_used > s.max_buffer_size:
            raise Broken(f"{voice.plan.name} holds too many: {s}")
        before = self.before.get(voice)
        self.before[voice] = s
        if before is None:
            return
        gone = {k: (before.dropped[k], n) for k, n in s.dropped.items() if n < before.dropped[k]}
        if gone or (s.received < before.received and not keyed) or s.emitted < before.emitted:
            raise Broken(f"a counter of {voice.plan.name} went back: {before}, then {s}")

    def _look_at_sums(self) -> None:
        ledger = self.world.ledger
        # Two looks, so that what was noted by the first must be in the sums, and what is in the sums must be
        # noted by the second or be under way.
        self.matched += sum(matched for matched, _, _ in ledger.figures[self.read :])
        self.read = len(ledger.figures)
        earlier = self.matched
        s = self.world.medium.statistics()
        entered = s.received + s.waiting + sum(s.dropped.values())
        if entered < earlier:
            raise Broken(
                f"receipts say {earlier} matched, but only {entered} are accounted for: {s}"
            )
        if s.delivered > entered:
            raise Broken(f"{s.delivered} delivered, but only {entered} are accounted for: {s}")
        kept = sum(s.dropped[reason] for reason in ("oldest", "conflated", "abandoned", "cleared"))
        if not self.world.plan.sighted and s.received + s.waiting + kept > s.delivered:
            raise Broken(f"more was received, waits or was let go than was delivered: {s}")


def at_rest(world: World) -> None:
    """Everything, once publishers and trouble pause: readers have half of the patience to catch up."""
    deadline = time.monotonic() + world.patience / 2
    while True:
        world.check()
        try:
            everything(world)
        except Broken:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def everything(world: World) -> None:
    """The whole ledger against the whole medium."""
    if world.ledger.in_flight():
        raise Broken(f"{world.ledger.in_flight()} emissions have not ended")
    noted_of = {voice: _counts_agree(voice) for voice in tuple(world.voices)}
    waves = _all_waves(world)
    for voice in tuple(world.voices):
        _entered(voice, waves)
        _each_wave(voice.ear, waves)
    _publishers_in_order(waves)
    _sums(world)
    for voice, noted in noted_of.items():
        if voice.ear.received() != noted:
            raise Broken(f"{voice.plan.name} was still read")


def _counts_agree(voice: Voice) -> int:
    noted = voice.ear.received()
    if voice.vibrator is not None:
        s = voice.vibrator.statistics()
        if s.received != noted:
            raise Broken(
                f"{voice.ear.name}: {noted} waves were noted, but received is {s.received}: {s}"
            )
        if s.missed != sum(s.dropped.values()):
            raise Broken(f"{voice.ear.name}: missed is not the sum of dropped: {s}")
        if s.tasks_waiting_send:
            raise Broken(f"{voice.ear.name}: somebody waits to emit, but nobody emits: {s}")
    return noted


def _all_waves(world: World) -> Waves:
    """What was admitted, by the receipts and by the witness."""
    ledger = world.ledger
    known: dict[int, Admitted] = {}
    for wave in tuple(ledger.admitted):
        if wave.sequence in known:
            raise Broken(f"two waves of one sequence: {known[wave.sequence]} and {wave}")
        known[wave.sequence] = wave
    for wave in tuple(world.witnessed):
        if wave.sequence not in known and (wave.who, wave.number) not in ledger.maybe:
            raise Broken(f"uninvited: {wave} arrived, but its emission was cancelled or refused")
        if known.setdefault(wave.sequence, wave)[1:4] != wave[1:4]:
            raise Broken(f"{wave} arrived, but its receipt says {known[wave.sequence]}")
    emitted = world.sequence()
    missing = set(range(1, emitted + 1)) - known.keys()
    if missing or len(known) != emitted:
        raise Broken(
            f"{emitted} waves were admitted, {len(known)} are known; unknown are {sorted(missing)[:5]}"
        )
    return Waves(known.values())


def _entered(voice: Voice, waves: Waves) -> None:
    """Entered = received + waiting + dropped by reason, of one vibrator."""
    if voice.vibrator is None:
        return
    least, most = voice.ear.expected(waves)
    s = voice.vibrator.statistics()
    entered = s.received + s.current_buffer_used + sum(s.dropped.values())
    if not least <= entered <= most:
        raise Broken(
            f"{voice.ear.name} ({voice.ear.order}, {voice.ear.overflow}): {least}..{most} waves matched, "
            f"but received + waiting + dropped is {entered}: {s}"
        )


def _each_wave(ear: Ear, waves: Waves) -> None:
    """Nothing twice, nothing uninvited, and in order."""
    seen: dict[int, Taken] = {}
    for reader, taken in tuple(ear.taken.items()):
        for wave in tuple(taken):
            if wave.sequence in seen:
                raise Broken(f"{ear.name} got a wave twice: {seen[wave.sequence]}, {wave}")
            seen[wave.sequence] = wave
            admitted = waves.by_sequence.get(wave.sequence)
            if admitted is None or admitted[1:4] != wave[1:4]:
                raise Broken(f"{ear.name} got {wave}, but what was admitted is {admitted}")
            if not ear.may_have(admitted):
                raise Broken(
                    f"{ear.name} got {wave}, which it does not listen to: {dict(ear.spans)}"
                )
        for first, second in out_of_order(taken, ear):
            raise Broken(
                f"{ear.name} ({ear.order}, {ear.overflow}), {reader}: {first} before {second}"
            )


def _publishers_in_order(waves: Waves) -> None:
    """What one publisher emitted one after the other was admitted in that order."""
    last: dict[str, Admitted] = {}
    for sequence in sorted(waves.by_sequence):
        wave = waves.by_sequence[sequence]
        if wave.who.startswith("p"):
            if wave.who in last and last[wave.who].number >= wave.number:
                raise Broken(f"out of order: {last[wave.who]} before {wave}")
            last[wave.who] = wave


def _sums(world: World) -> None:
    """The sums of all receipts are the medium's; where nobody asks, as answers are no emissions."""
    if world.plan.sighted:
        return
    ledger, s = world.ledger, world.medium.statistics()
    figures = tuple(ledger.figures)
    reasons: Counter[str] = Counter()
    for _, _, dropped in figures:
        reasons.update(dict(dropped))
    entered = s.received + s.waiting + sum(s.dropped.values())
    for what, receipts, medium in (
        ("matched", sum(figure[0] for figure in figures), entered),
        ("delivered", sum(figure[1] for figure in figures), s.delivered),
        ("dropped as full", reasons["full"], s.dropped["full"]),
        ("cleared", sum(tuple(ledger.cleared)), s.dropped["cleared"]),
        ("waiting to emit", 0, s.tasks_waiting_send),
    ):
        if receipts != medium:
            raise Broken(f"{what}: {receipts} by the receipts, {medium} by the medium: {s}")
