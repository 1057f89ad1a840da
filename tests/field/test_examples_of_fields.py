"""The examples in the docstrings of a field run."""

import doctest

from aether.physics import field


def test_the_examples_of_the_module_run() -> None:
    results = doctest.testmod(field)
    assert results.attempted > 10
    assert results.failed == 0
