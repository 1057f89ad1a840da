"""The soak itself: a short run keeps every promise, and a planted fault is found."""

from __future__ import annotations

import pytest
from tests.conftest import LOOPS
from tests.soak.ledger import Ledger
from tests.soak.program import Soak, soaked

pytestmark = pytest.mark.stress


@pytest.mark.parametrize("loop", LOOPS)
def test_a_short_run_keeps_every_promise(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "aether")
    soak, faults = soaked(2.0, 7, loop)
    assert faults == []
    assert sum(soak.ledger.done.values()) > 1_000
    assert soak.reloads >= 2
    assert soak.scrapes >= 2


def test_what_is_lost_or_done_twice_is_found() -> None:
    ledger = Ledger(["a", "b"])
    ledger.enter(["a", "b"], 1, 0.0)
    ledger.enter(["a"], 2, 0.0)
    ledger.strike("a", 1, 0.001)
    ledger.strike("a", 1, 0.002)
    assert ledger.doubled == [("a", 1)]
    assert ledger.open() == {"a": [2], "b": [1]}
    ledger.withdraw(["a"], 2)
    assert ledger.waiting() == 1
    assert 0.001 <= ledger.latency(0.5) <= 0.002


def test_memory_that_grows_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    from aether.monitoring.process import Figures

    soak = Soak(600.0, 7, tmp_path_factory.mktemp("soak"))
    for second in range(0, 600, 10):
        figures = Figures(50_000_000 + second * 1_000, 0, 10, 3, None, None)
        soak.looks.add(float(second), figures)
    assert soak.slope() == pytest.approx(3_600_000)
    assert any("memory grows by 3.43 MiB" in fault for fault in soak.faults())
