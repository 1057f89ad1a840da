"""Texts of others on a terminal: names, payloads and errors may hold anything."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""A text in which nothing moves a terminal, or begins a line: what cannot be printed stands there as Python writes it.

    Example:
        >>> printable("a\x1b[2J\nb")
        'a\\x1b[2J\\nb'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
