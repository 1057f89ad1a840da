"""What a medium counts for its metrics: exact, bounded, and there whenever somebody asks."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.operations.scraped import measured, scrape, vibrator

import aether.metrics
from aether import Aether, AetherConfig, ConfigError, MetricsConfig
from aether.journal import Journal


def test_a_medium_without_the_section_measures_nothing() -> None:
    medium = Aether()
    assert medium.figures() is None
    with pytest.raises(ValueError, match=r"AetherConfig\(metrics=MetricsConfig\(\)\)"):
        aether.metrics.collector(medium)


def test_an_empty_table_turns_them_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "aether.toml").write_text("[metrics]\n")
    assert AetherConfig.files(tmp_path).read().config.metrics == MetricsConfig()
    monkeypatch.setenv("AETHER_METRICS__DOMAINS", "7")
    config = AetherConfig.files(tmp_path).read().config
    assert config.metrics == MetricsConfig(domains=7)
    with pytest.raises(ConfigError, match="domains=-1"):
        MetricsConfig(domains=-1)


def test_waves_are_counted_by_what_became_of_them() -> None:
    medium = measured()
    desk = vibrator(medium, "desk", buffer_size=2, overflow="drop_oldest", noise_floor=0.5)
    desk.resonate_on("orders.*")
    for channel, amplitude in [("orders.new", 1.0)] * 3 + [("orders.new", 0.1), ("users", 1.0)]:
        medium.emit_nowait(channel, amplitude=amplitude)
    assert desk.receive_nowait()
    got = scrape(medium)
    assert got("aether_emitted_total", domain="orders") == 4
    assert got("aether_emitted_total", domain="users") == 1
    assert got("aether_emitted_total", domain="other") == 0
    assert got("aether_delivered_total") == 3
    assert got("aether_unheard_total") == 2
    assert got("aether_received_total") == 1
    assert got("aether_vibrator_received_total", vibrator="desk") == 1
    assert got("aether_dropped_total", reason="oldest") == 1
    assert got("aether_vibrator_missed_total", vibrator="desk") == 1
    assert got("aether_waiting") == got("aether_vibrator_waiting", vibrator="desk") == 1
    assert got("aether_vibrator_size", vibrator="desk") == 2
    assert got("aether_open") == 1


def test_a_handler_that_is_full_is_shown_as_full() -> None:
    medium = measured()
    desk = vibrator(medium, "desk", buffer_size=2, overflow="drop_newest")

    def size() -> int:
        return int(scrape(medium)("aether_vibrator_size", vibrator="desk"))

    assert size() == 0, "it hears nothing"

    @desk.on("orders.*")
    async def handle(wave: Any) -> None: ...

    # No loop runs, so nobody takes them.
    for _ in range(3):
        medium.emit_nowait("orders.new")
    got = scrape(medium)
    assert got("aether_vibrator_mailboxes", vibrator="desk") == 2
    assert got("aether_vibrator_waiting", vibrator="desk") == size() == 2
    assert desk.statistics().max_buffer_size == 2
    # Its own mailbox is room for waves, too, as long as it may have some.
    desk.resonate_on("users.*")
    assert size() == 4
    medium.emit_nowait("users.new")
    desk.detune("users.*")
    assert size() == 4
    desk.receive_nowait()
    assert size() == 2


def test_counts_are_exact_under_threads() -> None:
    medium = measured(domains=3, vibrators=2)
    names = ["a", "b", "c", "other"]
    for name in names:
        vibrator(medium, name, overflow="drop_newest", buffer_size=10).resonate_on(f"{name}.*")
    emitted: Counter[str] = Counter()
    lock, scrapes = threading.Lock(), []
    stop = threading.Event()

    def emit(seed: int) -> None:
        rng, own = random.Random(seed), Counter[str]()
        for _ in range(4_000):
            domain = rng.choice([*names, "d", f"session{rng.randrange(50)}"])
            medium.emit_nowait(f"{domain}.{rng.randrange(30)}")
            own[domain] += 1
        with lock:
            emitted.update(own)

    def look() -> None:
        while not stop.is_set():
            got = scrape(medium)
            total = sum(got.by("aether_emitted_total").values())
            scrapes.append((total, got("aether_delivered_total"), got("aether_unheard_total")))

    threads = [threading.Thread(target=emit, args=(seed,)) for seed in range(4)]
    looker = threading.Thread(target=look)
    for thread in [looker, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    looker.join()
    got = scrape(medium)
    domains = {
        dict(labels)["domain"]: count for labels, count in got.by("aether_emitted_total").items()
    }
    assert sum(domains.values()) == emitted.total() == medium.statistics().emitted
    assert len(domains) == 4
    for name, count in domains.items():
        if name != "other":
            assert count == emitted[name]
    # No count ever falls.
    assert scrapes == sorted(scrapes)
    for one in zip(*scrapes, strict=True):
        assert list(one) == sorted(one)
    missed = sum(got.by("aether_vibrator_missed_total").values())
    assert missed == medium.statistics().dropped["full"] > 0
    assert len(got.by("aether_vibrator_received_total")) == 3


def test_a_million_channels_and_names_stay_under_the_cap() -> None:
    medium = measured(domains=10, vibrators=5)
    before = len(scrape(medium).samples)
    for number in range(1_000_000):
        medium.emit_nowait(f"session{number}.opened")
    for number in range(1_000):
        medium.vibrator(f"desk{number}").close()
    got = scrape(medium)
    assert sum(got.by("aether_emitted_total").values()) == 1_000_000
    assert got("aether_emitted_total", domain="other") == 1_000_000 - 10
    assert len(got.by("aether_emitted_total")) == 11
    assert len(got.by("aether_vibrator_received_total")) == 6
    per_vibrator = sum(name.startswith("aether_vibrator") for name, _ in got.samples) / 6
    assert len(got.samples) <= before + 10 + 5 * per_vibrator


def test_a_vibrator_that_is_gone_keeps_its_counts() -> None:
    medium = measured()
    for _ in range(2):
        desk = medium.vibrator("desk")
        desk.resonate_on("orders")
        medium.emit_nowait("orders")
        medium.emit_nowait("orders")
        assert desk.receive_nowait()
        desk.close()
        del desk
        gc.collect()
    got = scrape(medium)
    assert got("aether_vibrator_received_total", vibrator="desk") == 2
    assert got("aether_vibrator_missed_total", vibrator="desk", reason="abandoned") == 2
    assert got("aether_vibrator_mailboxes", vibrator="desk") == 0


async def test_handlers_are_counted(anyio_backend: object) -> None:
    medium = measured()
    desk = vibrator(medium, "desk")

    @desk.on("orders")
    async def handle(wave: Any) -> None:
        if wave.payload:
            raise ValueError("no")
        got = scrape(medium)
        assert got("aether_vibrator_working", vibrator="desk") == 1

    async with medium:
        for bad in (True, False, True):
            await medium.emit_wave("orders", bad)
        assert await medium.settle(10)
        got = scrape(medium)
    assert got("aether_vibrator_failed_total", vibrator="desk") == 2
    assert got("aether_vibrator_received_total", vibrator="desk") == 3
    assert got("aether_log_events_total", event="handler.failed") >= 2
    # It is there after the end as well.
    assert scrape(medium)("aether_open") == 0
    assert scrape(medium)("aether_received_total") == 3


async def test_emissions_that_wait_are_counted(anyio_backend: object) -> None:
    import anyio

    medium = measured(stall_warning=0.01)
    desk = vibrator(medium, "desk", buffer_size=1)
    desk.resonate_on("orders")
    async with medium:
        await medium.emit_wave("orders")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(medium.emit_wave, "orders")
            while not medium.stalled():
                await anyio.sleep(0.005)
            got = scrape(medium)
            assert got("aether_waiting_emissions") == 1
            assert got("aether_vibrator_waiting_emissions", vibrator="desk") == 1
            assert got("aether_stalled_emissions") == 1
            while not scrape(medium)("aether_stalls_total"):
                await anyio.sleep(0.005)
            assert await desk.receive()
        assert scrape(medium)("aether_waiting_emissions") == 0


async def test_a_journal_and_its_cursors_are_shown(tmp_path: Path, anyio_backend: object) -> None:
    medium = measured(journal=Journal(tmp_path))
    desk = vibrator(medium, "desk")
    desk.resonate_on("orders.*", cursor="desk")
    async with medium:
        for number in range(5):
            await medium.emit_wave("orders.new", number)
        wave = await desk.receive()
        assert wave is not None
        await desk.ack(wave)
        got = scrape(medium)
        assert got("aether_journal_position") == got("aether_journal_safe_position") == 5
        assert got("aether_journal_waves") == got("aether_emitted_total", domain="orders") == 5
        assert got("aether_journal_segments") == 1
        assert got("aether_journal_bytes") > 0
        assert got("aether_journal_pending_bytes") == got("aether_journal_failed") == 0
        assert got("aether_journal_commit_seconds_count") >= 5
        assert got("aether_journal_commit_seconds_sum") > 0
        assert got("aether_cursor_lag", cursor="desk") == 4
    assert scrape(medium)("aether_journal_waves") == 5


def test_changes_of_the_configuration_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "aether.toml"
    file.write_text("[metrics]\n")
    medium = Aether(AetherConfig.files(tmp_path))

    def changes() -> tuple[float, float]:
        got = scrape(medium)
        name = "aether_config_changes_total"
        return got(name, result="applied"), got(name, result="refused")

    assert changes() == (0, 0)
    medium.reconfigure(medium.config.replace(overflow="drop_oldest"))
    assert changes() == (1, 0)
    file.write_text("overflow = 7\n")
    deadline = time.monotonic() + 20
    while changes() != (1, 1):
        assert time.monotonic() < deadline, changes()
        time.sleep(0.02)


def test_events_are_counted_though_nobody_hears_them() -> None:
    import logging

    medium = measured()
    logger = logging.getLogger("aether")
    before = scrape(medium).by("aether_log_events_total", event="config.changed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        medium.reconfigure(medium.config.replace(overflow="error"))
    finally:
        logger.setLevel(level)
    after = scrape(medium)("aether_log_events_total", event="config.changed")
    assert after == sum(before.values()) + 1


def test_a_record_says_where_it_was_said(caplog: pytest.LogCaptureFixture) -> None:
    medium = measured()
    with caplog.at_level("INFO", logger="aether"):
        medium.reconfigure(medium.config.replace(overflow="error"))

        def fail(before: object, now: object) -> None:
            raise ValueError("no")

        medium.on_config_change(fail)
        medium.reconfigure(medium.config.replace(overflow="block"))
    assert {record.filename for record in caplog.records} == {"configured.py"}
    assert caplog.records[-1].exc_info is not None


def test_a_collector_keeps_no_medium_alive() -> None:
    medium = measured()
    reader = aether.metrics.collector(medium)
    alive = weakref.ref(medium)
    assert any(family.samples for family in reader.collect() if family.name == "aether_open")
    del medium
    gc.collect()
    assert alive() is None
    assert not any(family.samples for family in reader.collect() if family.name == "aether_open")


def test_media_are_told_apart_by_their_names() -> None:
    shop, bank = measured(name="shop"), measured(name="bank")
    shop.emit_nowait("orders")
    got = scrape(shop, bank)
    assert got("aether_emitted_total", medium="shop", domain="orders") == 1
    assert got("aether_emitted_total", medium="bank") == 0
    with pytest.raises(ValueError, match="two media are called 'shop'"):
        aether.metrics.collector(shop, measured(name="shop"))


def test_one_scrape_of_many_vibrators_is_short() -> None:
    medium = measured()
    vibrators = [medium.vibrator(f"desk{number}") for number in range(10_000)]
    medium.figures()
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        medium.figures()
        took.append(time.perf_counter() - begun)
    assert len(vibrators) == 10_000
    # It is 1 ms; a machine that is busy makes it longer, and one that copies names makes it 100.
    assert min(took) < 0.02, took


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_the_child_of_a_fork_is_told() -> None:
    program = """
import os, warnings
warnings.simplefilter("ignore")
import aether.metrics
from aether import Aether, AetherConfig, ForkedMedium, MetricsConfig
medium = Aether(AetherConfig(metrics=MetricsConfig()))
medium.emit_nowait("a")
reader = aether.metrics.collector(medium)
if os.fork() == 0:
    try:
        list(reader.collect())
    except ForkedMedium:
        os._exit(7)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
assert any(family.samples for family in reader.collect())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env={**os.environ})


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    medium = measured()
    real = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "prometheus_client" else real(name, *rest),
    )
    with pytest.raises(ConfigError, match=r"pip install 'aether-medium\[ops\]'"):
        aether.metrics.collector(medium)
