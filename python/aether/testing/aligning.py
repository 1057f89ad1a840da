"""What two sequences have in common, in the same order: as much as there is. And which of their items are most alike."""

from __future__ import annotations

from collections.abc import Sequence, Set as AbstractSet
from difflib import SequenceMatcher

__all__ = ["MOST_EDITS", "MOST_LOOKED_AT", "aligned", "alike"]

MOST_EDITS = 500
"""Beyond so many differences another way is taken, which may find less in common than there is."""

MOST_LOOKED_AT = 40_000
"""Beyond so many pairs nobody looks which of them are alike."""


def aligned(before: Sequence[int], after: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of positions with equal items, both growing: as many as there can be, up to `MOST_EDITS` differences.

    Example:
        >>> aligned([1, 2, 3, 4], [1, 3, 4, 5])
        [(0, 0), (2, 1), (3, 2)]
    """
    first, common = 0, min(len(before), len(after))
    while first < common and before[first] == after[first]:
        first += 1
    last = 0
    while last < common - first and before[-1 - last] == after[-1 - last]:
        last += 1
    # What only one of them has cannot be a pair.
    both = set(before) & set(after)
    olds = [at for at in range(first, len(before) - last) if before[at] in both]
    news = [at for at in range(first, len(after) - last) if after[at] in both]
    between = _shortest([before[at] for at in olds], [after[at] for at in news])
    return [
        *((at, at) for at in range(first)),
        *((olds[old], news[new]) for old, new in between),
        *((len(before) - back, len(after) - back) for back in range(last, 0, -1)),
    ]


def _shortest(before: list[int], after: list[int]) -> list[tuple[int, int]]:
    """The pairs that the shortest way of edits leaves (Myers, 1986); of `difflib` where that is too long."""
    if not before or not after:
        return []
    reached = {1: 0}
    steps: list[dict[int, int]] = []
    for edits in range(min(MOST_EDITS, len(before) + len(after)) + 1):
        # Of the diagonals, what this step looks at.
        steps.append({k: reached[k] for k in range(-edits - 1, edits + 2, 2) if k in reached})
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reached[k - 1] < reached[k + 1])
            x = reached[k + 1] if down else reached[k - 1] + 1
            while x < len(before) and x - k < len(after) and before[x] == after[x - k]:
                x += 1
            reached[k] = x
            if x >= len(before) and x - k >= len(after):
                return _way_back(steps, len(before), len(after))
    matcher = SequenceMatcher(None, before, after)
    return [
        (old + at, new + at)
        for old, new, size in matcher.get_matching_blocks()
        for at in range(size)
    ]


def _way_back(steps: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for edits in range(len(steps) - 1, -1, -1):
        reached, k = steps[edits], x - y
        down = k == -edits or (k != edits and reached[k - 1] < reached[k + 1])
        at = k + 1 if down else k - 1
        begun = max(0, reached[at]) if edits else 0
        # The diagonal that was gone after this edit.
        start = (begun if down else begun + 1) if edits else 0
        pairs += ((old, old - k) for old in range(x - 1, start - 1, -1))
        x, y = begun, begun - at
    pairs.reverse()
    return pairs


def alike(
    before: Sequence[AbstractSet[object]], after: Sequence[AbstractSet[object]]
) -> list[tuple[int, int]]:
    """Pairs of positions whose items share something, both growing: those that share most of what they have, all together.

    Example:
        >>> alike([{"id 7", "sum 1"}], [{"id 6", "sum 2"}, {"id 7", "sum 2"}])
        [(0, 1)]
    """
    if not before or not after or len(before) * len(after) > MOST_LOOKED_AT:
        return []
    # best[i][j]: how much what is left from there on can share.
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    shared = [[len(old & new) / (len(old | new) or 1) for new in after] for old in before]
    for i in range(len(before) - 1, -1, -1):
        for j in range(len(after) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + shared[i][j])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        if shared[i][j] and best[i][j] == best[i + 1][j + 1] + shared[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs
