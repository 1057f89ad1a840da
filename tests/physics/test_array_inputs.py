"""What the batch functions take, and what they make of it: any memory, shape and kind of number."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays_of

from aether.physics import (
    attenuate,
    coherence,
    decay,
    interfere,
    resultant,
    superpose,
)

Layout = Callable[[Any], Any]


def both(function: Callable[..., Any]) -> Callable[..., Any]:
    """The results of a function as one array."""

    def stacked(*arguments: Any, **options: Any) -> Any:
        return np.stack(function(*arguments, **options))

    return stacked


ELEMENTWISE: dict[str, tuple[int, Callable[..., Any]]] = {
    "decay": (2, decay),
    "decay by each factor": (3, lambda a, t, f: decay(a, t, attenuation_factor=f)),
    "decay by each interval": (3, lambda a, t, i: decay(a, t, decay_interval=i)),
    "attenuate": (2, attenuate),
    "interfere": (4, both(interfere)),
}
elementwise = pytest.mark.parametrize(("count", "function"), ELEMENTWISE.values(), ids=ELEMENTWISE)


def strided(array: Any) -> Any:
    return np.repeat(array, 3, axis=-1)[..., ::3]


def backwards(array: Any) -> Any:
    return array[..., ::-1].copy()[..., ::-1]


def read_only(array: Any) -> Any:
    array = array.copy()
    array.flags.writeable = False
    return array


def swapped(array: Any) -> Any:
    return array.astype(array.dtype.newbyteorder())


def unaligned(array: Any) -> Any:
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS: dict[str, Layout] = {
    "strided": strided,
    "backwards": backwards,
    "read-only": read_only,
    "of the other byte order": swapped,
    "unaligned": unaligned,
    "Fortran order": np.asfortranarray,
    "masked by a list": lambda array: array.tolist(),
}
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def columns(count: int, shape: tuple[int, ...] = (3, 400)) -> list[Any]:
    d = np.random.default_rng(count)
    return [d.uniform(0.1, 1.0, shape) for _ in range(count)]


@elementwise
@layouts
def test_any_memory_gives_the_same(
    count: int, function: Callable[..., Any], layout: Layout
) -> None:
    arguments = columns(count)
    wanted = function(*arguments)
    for change in product([False, True], repeat=count):
        changed = [layout(a) if c else a for a, c in zip(arguments, change, strict=True)]
        assert (function(*changed) == wanted).all()


@elementwise
def test_shapes_are_those_of_numpy(count: int, function: Callable[..., Any]) -> None:
    for shapes in [
        [(4, 1), (3,)],
        [(), (5,)],
        [(0,), ()],
        [(), ()],
        [(2, 1, 3), (4, 1)],
        [(0, 3), (3,)],
    ]:
        some = [np.full(shapes[i % 2], 0.5) for i in range(count)]
        shape = np.broadcast_shapes(*shapes)
        assert np.shape(function(*some))[-len(shape) or 9 :] == shape


@elementwise
def test_broadcasting_gives_what_full_arrays_give(count: int, function: Callable[..., Any]) -> None:
    some = [a[:1] if i % 2 else a[:, :1] for i, a in enumerate(columns(count, (30, 40)))]
    assert (function(*some) == function(*(a.copy() for a in np.broadcast_arrays(*some)))).all()


@elementwise
def test_each_element_is_by_itself(count: int, function: Callable[..., Any]) -> None:
    arguments = columns(count, (1_000,))
    whole = function(*arguments)
    for i in (0, 1, 7, 255, 256, 999):
        assert (function(*(a[i] for a in arguments)) == whole[..., i]).all()


@elementwise
def test_many_elements_give_what_few_give(count: int, function: Callable[..., Any]) -> None:
    """The threads' pieces fit together."""
    arguments = columns(count, (150_001,))
    whole = function(*arguments)
    for start in range(0, 150_001, 20_000):
        part = [a[start : start + 20_000] for a in arguments]
        assert (function(*part) == whole[..., start : start + 20_000]).all()


@pytest.mark.parametrize("n", [300, 150_001])
@pytest.mark.parametrize("step", [1, 2])
def test_out_may_be_an_input(n: int, step: int) -> None:
    a, p, b, q = (np.repeat(x, step)[::step] for x in columns(4, (n,)))
    wanted = decay(a, p)
    for place in range(2):
        arguments = [a.copy(), p.copy()]
        assert decay(*arguments, out=arguments[place]) is arguments[place]
        assert (arguments[place] == wanted).all()
    amplitude, phase = interfere(a, p, b, q)
    for i, j in product(range(4), repeat=2):
        if i != j:
            arguments = [x.copy() for x in (a, p, b, q)]
            interfere(*arguments, out=(arguments[i], arguments[j]))
            assert (arguments[i] == amplitude).all()
            assert (arguments[j] == phase).all()


def test_out_may_overlap_an_input() -> None:
    memory = columns(1, (1_001,))[0]
    wanted = decay(memory[:-1], 2.0)
    decay(memory[:-1], 2.0, out=memory[1:])
    assert (memory[1:] == wanted).all()


def test_where_leaves_the_rest_alone() -> None:
    out = np.full(4, -1.0)
    decay(np.ones(4), 0.0, out=out, where=[True, False, True, False])
    assert out.tolist() == [1.0, -1.0, 1.0, -1.0]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((np.float32, np.float32), np.float32),
        ((np.float32, float), np.float32),
        ((np.float16, np.float32), np.float32),
        ((np.float32, np.float64), np.float64),
        ((np.float64, np.float32), np.float64),
        ((np.int64, np.float64), np.float64),
        ((np.int8, np.int8), np.float64),
        ((np.bool_, np.uint16), np.float64),
        ((float, float), np.float64),
        ((np.longdouble, np.float64), np.float64),
    ],
)
def test_kinds_of_numbers(arguments: tuple[Any, Any], kind: Any) -> None:
    first, second = (1.0 if k is float else np.ones(3, k) for k in arguments)
    assert decay(first, second).dtype == kind
    assert [x.dtype for x in interfere(first, second, first, second)] == [kind] * 2


@pytest.mark.parametrize("n", [5, 400])
def test_single_precision_of_any_memory(n: int) -> None:
    a, p, b, q = (x.astype(np.float32) for x in columns(4, (n,)))
    for layout in (strided, backwards, read_only):
        assert (decay(layout(a), p) == decay(a, layout(p))).all()
        got = interfere(layout(a), p, b, layout(q))
        assert (np.stack(got) == np.stack(interfere(a, p, b, q))).all()


def test_hops_are_counts_and_keep_single_precision() -> None:
    assert attenuate(np.ones(2, np.float32), np.arange(2)).dtype == np.float32
    assert attenuate(1.0, np.arange(3), attenuation_factor=0.5).tolist() == [1.0, 0.5, 0.25]


@layouts
def test_rows_of_any_memory_give_the_same(layout: Layout) -> None:
    a, p, f, t = columns(4, (6, 300))
    ids = np.arange(300) % 5
    waves = (a[0], f[0], p[0])
    assert np.array_equal(resultant(layout(a), layout(p)), resultant(a, p))
    assert np.array_equal(
        resultant(layout(a), layout(p), axis=0), resultant(a.T.copy(), p.T.copy())
    )
    for groups in (ids, strided(ids), ids.astype(np.uint8), ids.tolist()):
        wanted = resultant(a[0], p[0], groups=ids)
        assert np.array_equal(resultant(layout(a[0]), layout(p[0]), groups=groups), wanted)
    for times in (t[0], np.linspace(0, 1, 300)):
        wanted = superpose(*waves, times)
        assert np.array_equal(superpose(*map(layout, waves), layout(times)), wanted)
    assert np.array_equal(coherence(layout(p)), coherence(p))


@given(
    arrays_of.arrays(
        np.float64, arrays_of.array_shapes(max_dims=3, max_side=9), elements=st.floats(0, 1)
    ),
    st.integers(0, 2),
    st.floats(-50, 50),
)
def test_resultant_is_the_sum_along_an_axis(a: Any, axis: int, phase: float) -> None:
    axis %= a.ndim
    phases = phase * np.arange(a.size).reshape(a.shape)
    amplitude, angle = resultant(a, phases, axis=axis)
    wanted = (a * np.exp(1j * phases)).sum(axis)
    np.testing.assert_allclose(amplitude * np.exp(1j * angle), wanted, atol=1e-12)


@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 1_000_000))
def test_groups_are_those_of_bincount(n: int, top: int, seed: int) -> None:
    d = np.random.default_rng(seed)
    ids, a, p = d.integers(0, top, n), d.random(n), d.uniform(-9, 9, n)
    amplitude, phase = resultant(a, p, groups=ids)
    real, imag = np.bincount(ids, a * np.cos(p)), np.bincount(ids, a * np.sin(p))
    np.testing.assert_allclose(amplitude * np.cos(phase), real, atol=1e-13)
    np.testing.assert_allclose(amplitude * np.sin(phase), imag, atol=1e-13)


@given(st.integers(0, 9), st.integers(0, 300), st.booleans(), st.integers(0, 1_000_000))
def test_superpose_is_the_plain_sum(n: int, m: int, even: bool, seed: int) -> None:
    d = np.random.default_rng(seed)
    a, f, p = d.random((3, n))
    t = np.linspace(-1, 3, m) if even else d.uniform(-1, 3, m)
    wanted = (a[:, None] * np.cos(2 * np.pi * np.outer(f, t) + p[:, None])).sum(0)
    np.testing.assert_allclose(superpose(a, f, p, t), wanted, atol=1e-12)


def test_empty_and_single_rows() -> None:
    assert resultant([], []) == (0.0, 0.0)
    assert resultant(0.5, 1.0) == (0.5, 1.0)
    assert [x.shape for x in resultant(np.ones((3, 0)), 0.0)] == [(3,), (3,)]
    assert [x.shape for x in resultant([], [], groups=np.array([], int))] == [(0,), (0,)]
    assert superpose([], [], [], [1.0, 2.0]).tolist() == [0.0, 0.0]
    assert superpose(0.5, 1.0, 0.0, 0.0) == 0.5
    assert superpose(0.5, 1.0, 0.0, []).shape == (0,)
    assert coherence(np.ones((0, 3))).shape == (0, 0)
    assert coherence([[1.0]]).tolist() == [[1.0]]
    assert coherence(np.ones((2, 3, 4))).shape == (2, 3, 3)
    assert superpose(np.ones((2, 3)), 1.0, 0.0, [0.0, 1.0]).tolist() == [[3.0, 3.0]] * 2


def test_times_of_any_integers() -> None:
    for kind in (np.uint8, np.int8, np.uint64):
        assert superpose(0.5, 1e12, 0.0, np.array([1, 2], kind)).tolist() == [0.5, 0.5]


def test_nan_stays_where_it_is() -> None:
    assert np.isnan(decay([np.nan, 1.0], [1.0, np.nan])).all()
    assert np.isnan(interfere([np.nan, 1.0, 1.0], [1.0, np.nan, np.inf], 1.0, 1.0)).all()
    assert np.isnan(resultant([1.0, np.nan], 0.0)).all()
    assert np.isnan(resultant([1.0, 1.0], [0.0, np.inf])).all()
    for times in ([0.0, np.nan], np.append(np.linspace(0, 1, 999), np.nan)):
        sums = superpose(np.ones(5), np.ones(5), 0.0, times)
        assert np.isnan(sums[-1])
        assert np.isfinite(sums[:-1]).all()
    locked = coherence([[0.0, 1.0], [0.0, np.nan], [0.0, 1.0]])
    assert np.isnan(locked[1]).all()
    assert locked[0, 2] == 1.0


@pytest.mark.parametrize("n", [1, 300, 150_001])
def test_nothing_warns(n: int) -> None:
    """Nor raises, whatever the caller has numpy do about floats."""
    strange = np.resize([np.nan, np.inf, -np.inf, 0.0, 1e308, 5e-324, -1.0], n)
    with np.errstate(all="raise"):
        decay(strange, strange)
        decay(
            strange, strange, attenuation_factor=np.resize([5e-324, 1.0], n), decay_interval=5e-324
        )
        interfere(strange, strange, strange[::-1], strange[::-1])
        resultant(strange, strange)
        resultant(strange, strange, groups=np.zeros(n, int))
        superpose(strange[:7], 1.0, strange[:7], np.resize([np.nan, 0.0, 1.0], n))
        coherence(strange.reshape(1, -1))
