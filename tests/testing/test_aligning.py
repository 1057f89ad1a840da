"""What two sequences have in common: against the plain table of all their beginnings."""

from __future__ import annotations

import random
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from aether.testing import aligning
from aether.testing.aligning import MOST_EDITS, aligned, alike

SHORT = st.lists(st.integers(0, 3), max_size=9)


def common(before: list[int], after: list[int]) -> int:
    """How long the longest common subsequence is, by the book."""
    table = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, old in enumerate(before):
        for j, new in enumerate(after):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if old == new else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


def check(before: list[int], after: list[int], pairs: list[tuple[int, int]]) -> None:
    assert all(before[old] == after[new] for old, new in pairs)
    for (old, new), (next_old, next_new) in pairwise(pairs):
        assert old < next_old
        assert new < next_new


@given(SHORT, SHORT)
def test_as_much_as_there_is(before: list[int], after: list[int]) -> None:
    pairs = aligned(before, after)
    check(before, after, pairs)
    assert len(pairs) == common(before, after)


@given(st.lists(st.integers(0, 2), max_size=40), st.lists(st.integers(0, 2), max_size=40))
def test_where_there_are_too_many_edits_it_is_still_sound(
    before: list[int], after: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aligning, "MOST_EDITS", 3)
        check(before, after, aligned(before, after))


def test_long_sequences_take_no_long_time() -> None:
    """Quadratic work would be 10^10 steps, which the time limit of a test does not let pass."""
    chance = random.Random(1)
    before = [chance.randrange(1_000) for _ in range(100_000)]
    after = before.copy()
    for _ in range(MOST_EDITS // 3):
        after[chance.randrange(len(after))] = chance.randrange(1_000)
    assert len(aligned(before, after)) >= len(before) - MOST_EDITS // 3
    assert aligned(before, [-one - 1 for one in before]) == []


ITEMS = st.lists(st.frozensets(st.integers(0, 4), max_size=4), max_size=5)


@given(ITEMS, ITEMS)
def test_those_are_pairs_that_share_most(
    before: list[frozenset[int]], after: list[frozenset[int]]
) -> None:
    def share(i: int, j: int) -> float:
        either = before[i] | after[j]
        return len(before[i] & after[j]) / len(either) if either else 0.0

    @cache
    def best(i: int, j: int) -> float:
        if i == len(before) or j == len(after):
            return 0.0
        return max(best(i + 1, j), best(i, j + 1), share(i, j) + best(i + 1, j + 1))

    pairs = alike(before, after)
    assert all(share(*pair) for pair in pairs)
    assert pairs == sorted(pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert sum(share(*pair) for pair in pairs) == pytest.approx(best(0, 0))


def test_beyond_a_number_nobody_looks() -> None:
    many = [{1}] * 201
    assert alike(many, many) == []
    assert len(alike(many[:200], many[:200])) == 200
