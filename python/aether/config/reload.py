"""A configuration that is read again when its files change.

Contract:
- A change is read and checked as a whole, and applied at once or not at all. What has mistakes is left out, with one line in
  the log for each state of the files that says all that is wrong; the configuration that was there stays. So it does where a
  file that had values is gone or empty.
- Only fields that are marked as live are applied; of the others a line in the log says that they count from the next start.
- The folder is watched, not the files: so a file may be replaced by a rename, or a link be turned to another folder, as
  Kubernetes does it; within a second it is another one that is watched, if there is another of its name. Whatever is written is read once it is silent, see `aether.config.stamps`. Where the system tells
  nothing, as on network mounts, the files are looked at once a second. Nothing is logged of other files in the folder.
- The thread that watches is a daemon, keeps no medium alive, and ends with it; nobody waits for it but the end of the
  program, and that for a moment only. Whatever goes wrong in it is logged, and it goes on. In the child of a fork it begins
  anew.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from aether.config.settings import Settings
from aether.config.stamps import RESTS, Rests, Stamp, rest_after, stamp_of
from aether.errors import ConfigError
from aether.events import said

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from aether.config import AetherConfig
    from aether.config.files import ConfigFiles

__all__ = ["Reloading", "split"]

_log = said()

# Over how long changes of the folder are gathered, how often that is looked at, and after which time the files are looked
# at anyway.
_DEBOUNCE_MS = 50
_STEP_MS = 25
_LOOK_MS = 1000

# How often files are looked at that are to be silent, in seconds.
_STEP = 0.02

# How long the end of the program waits for all threads that watch.
_EXIT = 2.0

Signature = tuple[Stamp | None, ...]
_S = TypeVar("_S", bound=Settings)


def split(
    now: AetherConfig, wanted: AetherConfig
) -> tuple[AetherConfig, dict[str, Any], dict[str, Any]]:
    """What may be applied of a change, by field, and what may not; with the configuration that comes of it.

    Sections are compared field by field; one that comes or goes is a change of the whole.
    """
    return _split(now, wanted, "")


def _split(now: _S, wanted: _S, prefix: str) -> tuple[_S, dict[str, Any], dict[str, Any]]:
    changed: dict[str, Any] = {}
    live: dict[str, Any] = {}
    later: dict[str, Any] = {}
    for name, field in type(now).model_fields.items():
        before, value = getattr(now, name), getattr(wanted, name)
        if value == before:
            continue
        if isinstance(before, Settings) and type(before) is type(value):
            section, lively, late = _split(before, value, f"{prefix}{name}.")
            if lively:
                changed[name] = section
            live.update(lively)
            later.update(late)
            continue
        marks = field.json_schema_extra
        if isinstance(marks, Mapping) and marks.get("reload") == "live":
            changed[name] = live[f"{prefix}{name}"] = value
        else:
            later[f"{prefix}{name}"] = value
    return now.replace(**changed), live, later


class Reloading:
    """Reads a configuration, and again whenever its files change, until it is stopped.

    Args:
        files: Where the configuration comes from.
        rests: For how long files have to be silent until they are read.

    Raises:
        ConfigError: What watches files is not installed.
    """

    def __init__(self, files: ConfigFiles[AetherConfig], rests: Rests = RESTS) -> None:
        try:
            # Not `watch`, which logs whatever changes in the folder, also the log that it writes by that. Here, as the
            # process may be forked while a thread imports something.
            from watchfiles._rust_notify import RustNotify
        except ImportError:
            message = (
                "following a configuration as its files change needs watchfiles: pip install "
                "'aether-medium[ops]', or give the medium what they say now: Aether(files.read().config)"
            )
            raise ConfigError(message) from None
        self._notify = RustNotify
        self._files = files
        self._rests = rests
        self._ended = threading.Event()
        self._forgotten = False
        self._thread: threading.Thread | None = None
        self._apply: Callable[[AetherConfig], object] | None = None
        # As the files were when they were read last, and which had values when they were sound last.
        self._seen: Signature = ()
        self._had: Collection[Path] = ()
        self._told: tuple[object, str] = (None, "")
        self.refused = 0
        """How often the files had mistakes."""

    def first(self) -> AetherConfig:
        """The configuration to begin with.

        Raises:
            ConfigError: It has mistakes.
        """
        # Before: what changes from here on is seen.
        self._seen = self._signature()
        layered = self._files.read()
        self._had = layered.files
        return layered.config

    def start(self, apply: Callable[[AetherConfig], object]) -> None:
        """Begins to watch.

        Args:
            apply: What is done with a configuration that has no mistakes, in a thread of its own.
        """
        self._apply = apply
        self._thread = threading.Thread(
            target=self._watch, args=(apply,), name="aether-config", daemon=True
        )
        _watching.add(self)
        self._thread.start()

    def start_again(self) -> None:
        """Begins to watch in the child of a fork, where there is no such thread."""
        if self._apply is not None and not self._over:
            # Its thread may have been in the midst of anything: of this lock, or of a change.
            self._ended = threading.Event()
            self._seen = (None,) * len(self._seen)
            self.start(self._apply)

    def let_go(self) -> None:
        """Watches no more, a moment from now."""
        self._ended.set()

    def forget(self) -> None:
        """The same within a second, without a lock: for a garbage collection, which comes at any time in any thread."""
        self._forgotten = True

    def end(self, deadline: float) -> None:
        """Watches no more, and waits for that until then, by the monotonic clock."""
        if self._thread is not None and self._thread.is_alive():
            self._ended.set()
            self._thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def _over(self) -> bool:
        return self._forgotten or self._ended.is_set()

    def _watch(self, apply: Callable[[AetherConfig], object]) -> None:
        try:
            while not self._over:
                try:
                    self._follow(apply)
                except BaseException:  # noqa: BLE001 - the system tells nothing: the files are looked at all the same
                    # As a rule, the folder is not there just now.
                    self._ended.wait(_LOOK_MS / 1000)
                    self._try(apply)
        finally:
            _watching.discard(self)

    def _follow(self, apply: Callable[[AetherConfig], object]) -> None:
        folder = str(self._files.folder)
        watched = _place(self._files.folder)
        with self._notify([folder], False, False, 0, False, False) as changes:
            while not self._over and _place(self._files.folder) == watched:
                self._try(apply)
                came = changes.watch(_DEBOUNCE_MS, _STEP_MS, _LOOK_MS, self._ended)
                if isinstance(came, set) and any(path == folder for _, path in came):
                    # It is gone, or another one in its place, which may have its inode.
                    return

    def _try(self, apply: Callable[[AetherConfig], object]) -> None:
        if self._over:
            return
        try:
            self.look(apply)
        except BaseException as error:  # noqa: BLE001 - the next change may be better; nothing ends this thread unseen
            self._refuse(error, None)

    def look(self, apply: Callable[[AetherConfig], object]) -> None:
        """Reads the files, if they are not what they were when they were read last, and once they are silent."""
        failed: Signature = ()
        while (signature := self._at_rest(failed)) != self._seen and not self._over:
            try:
                layered = self._files.read(self._had)
            except Exception as error:  # noqa: BLE001 - whatever it is, these files are not to be read
                if signature != failed:
                    failed = signature
                    continue
                self._seen = signature
                self._refuse(error, signature)
                return
            if self._signature() == signature:
                self._seen, self._had = signature, layered.files
                apply(layered.config)
                return

    def _at_rest(self, failed: Signature) -> Signature:
        """The files as they are once they have been silent for long enough; for longer where they had mistakes like this."""
        signature = self._signature()
        rest = rest_after(self._seen, signature, self._rests)
        least = self._rests.wrong if signature == failed else 0.0
        silent = time.monotonic()
        while (left := silent + max(rest, least) - time.monotonic()) > 0:
            if self._ended.wait(min(left, _STEP)) or self._over:
                break
            before, signature = signature, self._signature()
            if signature != before:
                rest, least = max(rest, rest_after(before, signature, self._rests)), 0.0
                silent = time.monotonic()
        return signature

    def _refuse(self, error: BaseException, state: object) -> None:
        """Says why the configuration stays, once for each state of the files."""
        self.refused += 1
        kind = "" if isinstance(error, ConfigError) else f"{type(error).__name__}: "
        told = kind + " ".join(str(error).split())
        if (state, told) != self._told:
            self._told = state, told
            _log.error(
                "the configuration stays as it is: %s",
                told,
                exc_info=error if kind else None,
                extra={"event": "config.refused"},
            )

    def _signature(self) -> Signature:
        """What changes with the files."""
        return tuple(stamp_of(path) for path in self._files.files)


def _place(folder: Path) -> tuple[int, int] | None:
    """Which folder is there now: what is watched is this one, not its name."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


_watching: set[Reloading] = set()
"""Those that have a thread."""


@atexit.register
def _end_all() -> None:
    """A thread of the watcher should not outlive the interpreter; nor may one that hangs keep it."""
    deadline = time.monotonic() + _EXIT
    for one in list(_watching):
        one.end(deadline)


def _begin_again() -> None:
    left = list(_watching)
    _watching.clear()
    for one in left:
        one.start_again()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_begin_again)
