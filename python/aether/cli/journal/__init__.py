"""`aether journal`: look at a journal on the disk, without a medium, or make one of lines.

`import`, `repair` and `backup` make a new folder, `prune` changes the one it is given; the others change nothing. Each of them reads the files of one folder, also while a process
writes to them. A folder that is no journal, a head of a newer format and a disk that cannot be read are one line and
status 1; damage is no such error but what the commands are for: they read on behind it and say what is missing.
"""

from __future__ import annotations

from .commands import commands

__all__ = ["commands"]
