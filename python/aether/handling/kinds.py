"""Which errors an option is about: a class, a tuple of classes, or a function of an error."""

from __future__ import annotations

from typing import cast

__all__ = ["checked_errors"]


def checked_errors(what: str, given: object) -> None:
    """Refuses what names no errors.

    Raises:
        TypeError: It is no class of errors, no tuple of such and no function; or a class of what is never handled as an error.
    """
    is_tuple = isinstance(given, tuple)
    for kind in cast("tuple[object, ...]", given) if is_tuple else (given,):
        is_error = isinstance(kind, type) and issubclass(kind, Exception)
        is_function = not is_tuple and not isinstance(kind, type) and callable(kind)
        if not (is_error or is_function):
            message = (
                f"{what} must be a class of errors, a tuple of such, or a function of an error, not {kind!r}; what is no "
                "Exception, such as a cancellation, is no failure"
            )
            raise TypeError(message)
