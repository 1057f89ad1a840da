"""What the batch functions allocate, and how they run beside other threads and processes."""

import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aether.physics import attenuate, coherence, decay, interfere, resultant, spectrum, superpose


def columns(count: int, shape: tuple[int, ...] = (3, 400)) -> list[Any]:
    d = np.random.default_rng(count)
    return [d.uniform(0.1, 1.0, shape) for _ in range(count)]


ONE = np.ones(3)
N = 200_000
MIB = 2**20


def test_out_allocates_nothing() -> None:
    a, p, b, q = columns(4, (N,))
    f = a[:10]
    one, other, few = np.empty(N), np.empty(N), np.empty(10)
    table, square = np.ascontiguousarray(p.reshape(100, -1)), np.empty((100, 100))
    ids = np.arange(N) % 10
    calls: list[Callable[[], Any]] = [
        lambda: decay(a, p, out=one),
        lambda: decay(a, p, attenuation_factor=b, decay_interval=q, out=one),
        lambda: attenuate(a, p, out=one),
        lambda: interfere(a, p, b, q, out=(one, other)),
        lambda: resultant(a.reshape(-1, 10), p.reshape(-1, 10), axis=0, out=(few, few.copy())),
        lambda: resultant(a, p, groups=ids, out=(few, few.copy())),
        lambda: superpose(f, f, f, p, out=one),
        lambda: coherence(table, out=square),
    ]
    for call in calls:
        call()
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MIB / 16


def test_contiguous_input_is_not_copied() -> None:
    """No more is allocated than the result."""
    a, p, b, q = columns(4, (N,))
    calls: list[tuple[Callable[[], Any], int]] = [
        (lambda: decay(a, p), a.nbytes),
        (lambda: decay(a, p, attenuation_factor=b, decay_interval=q), a.nbytes),
        (lambda: interfere(a, p, b, q), 2 * a.nbytes),
        (lambda: resultant(a, p), 0),
        (lambda: superpose(a[:10], b[:10], q[:10], p), a.nbytes),
        (lambda: coherence(p.reshape(100, -1)), 80_000),
    ]
    for call, size in calls:
        call()
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert size <= peak < size + MIB / 16


def test_out_is_what_comes_back() -> None:
    one, other = np.empty(3), np.empty(3)
    assert decay(ONE, 1, out=one) is one
    assert attenuate(ONE, 1, out=one) is one
    given_back = interfere(ONE, 0, ONE, 0, out=(one, other))
    assert given_back[0] is one
    assert given_back[1] is other
    given_back = resultant(np.ones((3, 2)), 0.0, out=(one, other))
    assert given_back[0] is one
    assert given_back[1] is other
    assert superpose(ONE, ONE, ONE, ONE, out=one) is one
    assert spectrum([0.0, 1.0, 2.0], ONE, out=one).power is one
    narrow = np.empty((3, 3), np.float32)
    assert coherence(np.ones((3, 4)), out=narrow) is narrow


def test_sums_that_are_shared_among_cores() -> None:
    d = np.random.default_rng(3)
    a, f, p = d.random((3, 40))
    for times in (np.linspace(0, 9, 40_000), d.uniform(0, 9, 40_000)):
        plain = sum(a[i] * np.cos(2 * np.pi * f[i] * times + p[i]) for i in range(40))
        np.testing.assert_allclose(superpose(a, f, p, times), plain, atol=1e-12)
    series = 7 * d.random((200, 1_000))
    arrows = np.exp(1j * series)
    np.testing.assert_allclose(coherence(series), abs(arrows @ arrows.conj().T) / 1_000, atol=1e-12)
    a, p, ids = d.random(100_001), d.random(100_001), d.integers(0, 9, 100_001)
    amplitude, phase = resultant(a, p)
    assert amplitude * np.exp(1j * phase) == pytest.approx((a * np.exp(1j * p)).sum(), rel=1e-12)
    amplitude, phase = resultant(a, p, groups=ids)
    np.testing.assert_allclose(
        amplitude * np.cos(phase), np.bincount(ids, a * np.cos(p)), rtol=1e-12
    )
    rows = a[1:].reshape(-1, 4), p[1:].reshape(-1, 4)
    amplitude, phase = resultant(*rows)
    plain = (rows[0] * np.exp(1j * rows[1])).sum(1)
    np.testing.assert_allclose(amplitude * np.exp(1j * phase), plain, rtol=1e-12)


def test_several_threads_at_once() -> None:
    arguments = columns(4, (100_000,))
    wanted = np.stack(interfere(*arguments))
    right: list[bool] = []

    def work() -> None:
        right.extend(bool((np.stack(interfere(*arguments)) == wanted).all()) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_large_work_in_the_child_of_a_fork() -> None:
    code = """
import os, warnings
import numpy as np
from aether.physics import decay
warnings.simplefilter("ignore")
a = np.ones(300_000)
decay(a, a)
child = os.fork()
if child == 0:
    os._exit(0 if decay(a, a)[-1] == 0.95 else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)


def test_numpy_is_imported_with_the_first_call() -> None:
    code = """
import sys
from aether.physics import decay, spectrum
assert "numpy" not in sys.modules
assert decay(1.0, 0.0) == 1.0
assert "numpy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
