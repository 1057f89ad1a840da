"""The watchdog: ends the program, with all there is to see, when nothing has moved for long."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Protocol


class Watched(Protocol):
    """What the watchdog looks at."""

    def progress(self) -> int:
        """A number that changes while something moves."""
        ...

    def describe(self) -> Iterator[str]:
        """Lines of what there is to see if nothing does."""
        ...


class Watchdog:
    """Looks at what runs, once a second."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._watched: Watched | None = None
        self._where = ""
        self._steps = 0
        self._over = threading.Event()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def watch(self, where: str, watched: Watched) -> None:
        """From now on, this is what runs."""
        self._where, self._watched, self._steps = where, watched, self._steps + 1

    def stop(self) -> None:
        """It is over."""
        self._over.set()
        self._watched = None

    def _progress(self) -> tuple[int, int]:
        watched = self._watched
        return self._steps, 0 if watched is None else watched.progress()

    def _watch(self) -> None:
        last, since = self._progress(), time.monotonic()
        while not self._over.wait(min(1.0, self.patience / 4)):
            now = self._progress()
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > self.patience:
                self._give_up()

    def _give_up(self) -> None:
        print(f"\nFAILED: nothing has moved for {self.patience:g} s in {self._where}", flush=True)
        if self._watched is not None:
            for line in self._watched.describe():
                print(line, flush=True)
        # asyncio tells the tasks of one loop only, and only to whoever has the loop.
        for task in gc.get_objects():
            if issubclass(type(task), asyncio.Task) and not task.done():
                task.print_stack(file=sys.stderr)
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        sys.stderr.flush()
        os._exit(1)
