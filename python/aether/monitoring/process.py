"""What the system says of this process: memory, files, threads, and what the allocator of C has given out.

To ask takes some 100 µs, and more with many open files: not in an event loop, and not often.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from aether.errors import ConfigError

__all__ = ["Figures", "figures", "require"]


@dataclass(frozen=True, slots=True)
class Figures:
    """One look at the process; see `Resources`."""

    rss: int
    vms: int
    open_files: int
    threads: int
    allocated: int | None
    allocator_free: int | None


def require(what: str) -> None:
    """Sees to it that psutil is there.

    Raises:
        ConfigError: It is not.
    """
    try:
        import psutil as _  # noqa: F401 - whether it is there
    except ImportError:
        message = f"{what} needs psutil: pip install 'aether-medium[ops]'"
        raise ConfigError(message) from None


def figures() -> Figures:
    """Asks the system.

    Raises:
        ConfigError: psutil is not installed.
    """
    require("asking for the resources of the process")
    import psutil

    process = psutil.Process()
    with process.oneshot():
        memory = process.memory_info()
        threads = process.num_threads()
    files = process.num_handles() if sys.platform == "win32" else process.num_fds()
    allocated, free = _allocator()
    return Figures(memory.rss, memory.vms, files, threads, allocated, free)


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
            *("uordblks", "fordblks", "keepcost"),
        )
    ]


@cache
def _mallinfo() -> Any:
    """The function of glibc (2.33 or newer); `None` elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        ask: Any = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return None
    ask.restype, ask.argtypes = _Mallinfo, []
    return ask


def _allocator() -> tuple[int | None, int | None]:
    """Bytes that are given out, and bytes that are kept for later."""
    ask = _mallinfo()
    if ask is None:
        return None, None
    told = ask()
    return int(told.uordblks) + int(told.hblkhd), int(told.fordblks)
