"""What signals of the system do: the one list of it, for the documentation.

The library installs no handler for any of them: that is the program's.
"""

from __future__ import annotations

from signal import Signals

__all__ = ["SIGNALS"]

SIGNALS: dict[str, str] = {
    Signals.SIGINT.name: "`KeyboardInterrupt`, in the loop or in `emit_sync` and `receive_sync`, which wait interruptibly; the "
    "commands end with one line and status 130.",
    Signals.SIGTERM.name: "Is the program's; with `medium.lifespan()` and `aether.run` it drains, within `shutdown_timeout`, and a "
    "second one cancels handlers at once.",
    # Windows has neither of these.
    "SIGHUP": "Is the program's, too.",
    "SIGPIPE": "Is ignored, as Python does; a pipe that was closed ends a command with status 1.",
}
"""By name."""
