"""The relations against an oracle: a matcher of seven lines, and sets of names for the rest.

A pattern means the set of names it matches. Names of up to five tokens over two literals of the patterns and one that no pattern
knows tell any two patterns of up to three tokens apart, so `covers`, `overlaps` and `canonical` are checked for ALL pairs of those.
"""

from itertools import product

from hypothesis import given, strategies as st

from aether import Channel


def oracle(pattern: list[str], name: list[str]) -> bool:
    if not pattern or not name:
        return not pattern and not name
    if len(pattern) == 1 and pattern[0] in ("*", ">"):
        return True
    head = pattern[0]
    return (head in ("*", "+") or head == name[0]) and oracle(pattern[1:], name[1:])


def spellings(symbols: str, depth: int) -> list[str]:
    names = [
        ".".join(tokens)
        for length in range(1, depth + 1)
        for tokens in product(symbols, repeat=length)
    ]
    return [name for name in names if ">" not in name[:-1]]


PATTERNS = spellings("ab*+>", 3)
NAMES = spellings("abc", 5)
MEANING = {p: frozenset(n for n in NAMES if oracle(p.split("."), n.split("."))) for p in PATTERNS}


def test_matches_agrees_with_the_oracle_for_all_small_patterns() -> None:
    for pattern in PATTERNS:
        wide = Channel(pattern)
        for name in NAMES:
            expected = name in MEANING[pattern]
            assert Channel(name).matches(wide) is expected, (name, pattern)
            assert wide.covers(name) is expected, (name, pattern)


def test_covers_and_overlaps_agree_with_the_oracle_for_all_small_pairs() -> None:
    channels = {pattern: Channel(pattern) for pattern in PATTERNS}
    for (one, first), (other, second) in product(channels.items(), repeat=2):
        assert first.covers(second) is (MEANING[one] >= MEANING[other]), (one, other)
        assert second.matches(first) is (MEANING[one] >= MEANING[other]), (one, other)
        assert first.overlaps(second) is bool(MEANING[one] & MEANING[other]), (one, other)


def test_canonical_is_one_for_exactly_the_spellings_that_mean_the_same() -> None:
    by_meaning: dict[frozenset[str], set[str]] = {}
    for pattern in PATTERNS:
        by_meaning.setdefault(MEANING[pattern], set()).add(str(Channel(pattern).canonical))
    assert all(len(spelled) == 1 for spelled in by_meaning.values())
    assert len({next(iter(spelled)) for spelled in by_meaning.values()}) == len(by_meaning)


def test_canonical_means_what_it_stands_for() -> None:
    for pattern in PATTERNS:
        canonical = Channel(pattern).canonical
        assert MEANING[str(canonical)] == MEANING[pattern]
        assert Channel(canonical).canonical == canonical


token = st.text(st.sampled_from("abé*+"), min_size=1, max_size=3).map(
    lambda t: t if not set(t) & set("*+") else t[0].replace("é", "a")
)
long_pattern = st.lists(token, min_size=1, max_size=32)
long_name = st.lists(
    st.text(st.sampled_from("abé😀"), min_size=1, max_size=3), min_size=1, max_size=32
)


@given(long_pattern, st.booleans(), long_name)
def test_matches_agrees_with_the_oracle_for_long_names(
    pattern: list[str], tail: bool, name: list[str]
) -> None:
    pattern = [*pattern[:31], ">"] if tail else pattern
    assert Channel(".".join(name)).matches(".".join(pattern)) is oracle(pattern, name)


@given(long_name, st.data())
def test_a_pattern_made_from_a_name_matches_it(name: list[str], data: st.DataObject) -> None:
    pattern = [data.draw(st.sampled_from([token, "+"])) for token in name]
    if data.draw(st.booleans()):
        pattern = [*pattern[: data.draw(st.integers(0, len(name) - 1))], "*"]
    assert Channel(".".join(name)).matches(".".join(pattern))
    assert Channel(".".join(pattern)).overlaps(".".join(name))


@given(long_pattern, long_pattern)
def test_overlaps_is_symmetric_and_follows_from_covers(one: list[str], other: list[str]) -> None:
    first, second = Channel(".".join(one)), Channel(".".join(other))
    assert first.overlaps(second) == second.overlaps(first)
    assert first.covers(first)
    if first.covers(second):
        assert first.overlaps(second)
        assert second.matches(first)
