"""Refuses the import in a sub-interpreter, before anything native is loaded.

The native half looks up classes, errors and modules once, and keeps waves and awaitables to be used again. They
belong to one interpreter, and would turn up in another one. So it is the main one's, whoever imports first.
"""

from __future__ import annotations

import _thread
import importlib
from typing import Any


def is_main_interpreter() -> bool:
    """Whether this code runs in the main interpreter."""
    ask: Any = getattr(_thread, "_is_main_interpreter", None)  # from Python 3.12 on
    if ask is not None:
        return bool(ask())
    try:
        interpreters: Any = importlib.import_module("_xxsubinterpreters")
    except ImportError:
        return True
    return bool(interpreters.get_current() == interpreters.get_main())


if not is_main_interpreter():
    message = (
        "aether works in the main interpreter only, and this is a sub-interpreter; import it in the main one, or "
        "use a process of its own"
    )
    raise ImportError(message, name="aether")
