"""A configuration that is read again when its files change.

Contract:
- A change is read and checked as a whole, and applied at once or not at all. What has mistakes is left out, with one line in
  the log that says why; the configuration that was there stays. So it does where a file is gone that was there.
- Only fields that are marked as live are applied; of the others a line in the log says that they count from the next start.
- The folder is watched, not the files: so a file may be replaced by a rename, or a link be turned to another folder, as
  Kubernetes does it. A file that is half written is read again before it counts as a mistake. Where the system tells
  nothing, as on network mounts, the files are looked at once a second.
- The thread that watches is a daemon, keeps no medium alive, and ends with it; nobody waits for it but the end of the
  program, and that for a moment only. Whatever goes wrong in it is logged, and it goes on.
"""

from __future__ import annotations

import atexit
import importlib.util
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from aether.config.settings import Settings
from aether.errors import ConfigError
from aether.events import said

if TYPE_CHECKING:
    from pathlib import Path

    from aether.config import AetherConfig
    from aether.config.files import ConfigFiles

__all__ = ["Reloading", "split"]

_log = said()

# How long the folder has to be silent before it is read, and after which time the files are looked at anyway.
_DEBOUNCE_MS = 50
_LOOK_MS = 1000

# Files that have not changed for so long are not being written, as far as that can be seen; and how often that is
# looked for at most.
_REST = 0.03
_RESTS = 20

# How often files with mistakes are read before that counts: what is half written is whole a moment later.
_TRIES = 3

# How long the end of the program waits for all threads that watch.
_EXIT = 2.0

Stamp = tuple[int, int, int, int]
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

    Raises:
        ConfigError: What watches files is not installed.
    """

    def __init__(self, files: ConfigFiles[AetherConfig]) -> None:
        if importlib.util.find_spec("watchfiles") is None:
            message = (
                "following a configuration as its files change needs watchfiles: pip install "
                "'aether-medium[ops]', or give the medium what they say now: Aether(files.read().config)"
            )
            raise ConfigError(message)
        self._files = files
        self._ended = threading.Event()
        self._forgotten = False
        self._thread: threading.Thread | None = None
        # As the files were when they were read last, and when they were sound last.
        self._seen = self._sound = self._signature()
        self._told = ""
        self.refused = 0
        """How often the files had mistakes."""

    def first(self) -> AetherConfig:
        """The configuration to begin with.

        Raises:
            ConfigError: It has mistakes.
        """
        return self._files.read().config

    def start(self, apply: Callable[[AetherConfig], object]) -> None:
        """Begins to watch.

        Args:
            apply: What is done with a configuration that has no mistakes, in a thread of its own.
        """
        self._thread = threading.Thread(
            target=self._watch, args=(apply,), name="aether-config", daemon=True
        )
        self._thread.start()

    def let_go(self) -> None:
        """Watches no more, a moment from now."""
        self._ended.set()

    def forget(self) -> None:
        """The same within a second, without a lock: for a garbage collection, which comes at any time in any thread."""
        self._forgotten = True

    def end(self, deadline: float) -> None:
        """Watches no more, and waits for that until then, by the monotonic clock."""
        # In a process that was forked, there is no such thread, and its lock may be held for good.
        if self._thread is not None and self._thread.is_alive():
            self._ended.set()
            self._thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def _over(self) -> bool:
        return self._forgotten or self._ended.is_set()

    def _watch(self, apply: Callable[[AetherConfig], object]) -> None:
        _watching.add(self)
        try:
            self._follow(apply)
        finally:
            _watching.discard(self)

    def _follow(self, apply: Callable[[AetherConfig], object]) -> None:
        from watchfiles import watch

        while not self._over:
            try:
                for _ in watch(
                    self._files.folder,
                    watch_filter=None,
                    recursive=False,
                    debounce=_DEBOUNCE_MS,
                    step=_DEBOUNCE_MS // 2,
                    stop_event=self._ended,
                    rust_timeout=_LOOK_MS,
                    yield_on_timeout=True,
                    raise_interrupt=False,
                ):
                    if self._over:
                        return
                    self._try(apply)
            except Exception:  # noqa: BLE001 - the system tells nothing: the files are looked at all the same
                # As a rule, the folder is not there just now.
                self._ended.wait(_LOOK_MS / 1000)
                self._try(apply)

    def _try(self, apply: Callable[[AetherConfig], object]) -> None:
        try:
            self.look(apply)
        except Exception as error:  # noqa: BLE001 - the next change may be better
            self._refuse(error)

    def look(self, apply: Callable[[AetherConfig], object]) -> None:
        """Reads the files, if they are not what they were when they were read last."""
        if self._signature() == self._seen:
            return
        for left in reversed(range(_TRIES)):
            signature = self._at_rest()
            if self._over:
                return
            try:
                self._check_there(signature)
                config = self._files.read().config
            except Exception as error:  # noqa: BLE001 - whatever it is, these files are not to be read
                if not left:
                    self._seen = signature
                    self._refuse(error)
                continue
            if self._over:
                return
            if self._signature() == signature or not left:
                self._seen = self._sound = signature
                self._told = ""
                apply(config)
                return

    def _at_rest(self) -> Signature:
        """The files as they are once nobody writes to them, as far as that can be seen."""
        signature = self._signature()
        for _ in range(_RESTS):
            self._ended.wait(_REST)
            before, signature = signature, self._signature()
            if signature == before:
                break
        return signature

    def _check_there(self, signature: Signature) -> None:
        for path, before, now in zip(self._files.files, self._sound, signature, strict=True):
            if before is not None and now is None:
                message = f"{path} was there, and is gone"
                raise ConfigError(message)

    def _refuse(self, error: Exception) -> None:
        """Says why the configuration stays, once."""
        self.refused += 1
        kind = "" if isinstance(error, ConfigError) else f"{type(error).__name__}: "
        told = kind + " ".join(str(error).split())
        if told != self._told:
            self._told = told
            _log.error(
                "the configuration stays as it is: %s",
                told,
                exc_info=error if kind else None,
                extra={"event": "config.refused"},
            )

    def _signature(self) -> Signature:
        """What changes with the files."""
        return tuple(_stamp(path) for path in self._files.files)


_watching: set[Reloading] = set()


@atexit.register
def _end_all() -> None:
    """A thread of the watcher should not outlive the interpreter; nor may one that hangs keep it."""
    deadline = time.monotonic() + _EXIT
    for one in list(_watching):
        one.end(deadline)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
