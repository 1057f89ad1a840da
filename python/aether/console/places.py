"""Where the sockets of consoles are, and who may use them.

Contract:
- A socket that nobody names is `<pid>.sock` in the folder of this user: `$XDG_RUNTIME_DIR/aether`, or `aether-<uid>` in the
  folder for temporary files. The folder is made for its owner alone (0700); one that belongs to somebody else, or that
  others may enter, is refused.
- Every socket is its owner's alone (0600) from its first moment: it is bound in a folder of its own, and moved.
- What processes that are gone have left is taken away. A socket at which somebody answers is never.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from aether.errors import ConfigError

__all__ = ["answers", "bound", "check_system", "default_folder", "found", "own_path"]

# What the system has room for in the address of a socket, less what the folder for binding takes.
_LONGEST = 90

_LOCK_SECONDS = 2.0


def check_system() -> None:
    """Sees to it that there are such sockets.

    Raises:
        ConfigError: There are none, as on Windows.
    """
    if not hasattr(socket, "AF_UNIX"):
        message = "console: this system has no Unix sockets, which the console needs"
        raise ConfigError(message)


def default_folder() -> Path:
    """Where the sockets are that nobody names."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "aether"
    return Path(tempfile.gettempdir()) / f"aether-{os.getuid()}"


def own_path() -> Path:
    """The socket of this process, in a folder that is this user's alone.

    Raises:
        ConfigError: The folder is not, or cannot be made.
    """
    check_system()
    folder = default_folder()
    with _as_mistake(folder), contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    _check_owner(folder)
    return folder / f"{os.getpid()}.sock"


def _check_owner(folder: Path) -> None:
    """Sees to it that nobody else can have put sockets there."""
    with _as_mistake(folder):
        seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        message = (
            f"console: {folder} must be a folder that belongs to this user alone (0700); remove it, or name a socket: "
            "ConsoleConfig(path=...), and --socket of the commands"
        )
        raise ConfigError(message)


def bound(path: Path) -> socket.socket:
    """A socket that listens at a path.

    Raises:
        ConfigError: Another process answers there, something else is there, or it cannot be made.
    """
    check_system()
    if len(os.fsencode(path)) > _LONGEST:
        message = f"console.path={str(path)!r} is too long for a socket, which has {_LONGEST} bytes at most"
        raise ConfigError(message)
    with _as_mistake(path), _locked(path.parent):
        if path.is_symlink() or path.exists():
            if not stat.S_ISSOCK(path.lstat().st_mode):
                message = (
                    f"console.path={str(path)!r} is there already, and no socket; name another one"
                )
                raise ConfigError(message)
            if answers(path):
                message = f"console.path={str(path)!r}: another process answers there; give each a path of its own, or none"
                raise ConfigError(message)
        clean(path.parent)
        apart = tempfile.mkdtemp(prefix=".s", dir=path.parent)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made = Path(apart) / "s"
            listener.bind(str(made))
            made.chmod(0o600)
            listener.listen(16)
            listener.setblocking(False)
            made.replace(path)
        except BaseException:
            listener.close()
            raise
        finally:
            shutil.rmtree(apart, ignore_errors=True)
        return listener


def answers(path: Path) -> bool:
    """Whether somebody listens at a socket."""
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    asking.settimeout(1.0)
    try:
        asking.connect(str(path))
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:
        # Not ours to ask, or too busy to answer: somebody is there.
        return True
    finally:
        asking.close()
    return True


def found() -> list[tuple[int, Path]]:
    """The processes that answer in the folder of this user, with their sockets.

    Raises:
        ConfigError: The folder is not this user's alone: who answers there may be anybody.
    """
    folder = default_folder()
    if not folder.is_dir() and not folder.is_symlink():
        return []
    _check_owner(folder)
    named = [(_pid(path), path) for path in folder.glob("*.sock")]
    return sorted((pid, path) for pid, path in named if pid and _is_alive(pid) and answers(path))


def clean(folder: Path) -> None:
    """Takes away what processes that are gone have left in the folder of this user."""
    if folder != default_folder():
        return
    for path in folder.glob("*.sock"):
        pid = _pid(path)
        if pid and not _is_alive(pid):
            path.unlink(missing_ok=True)


def _pid(path: Path) -> int:
    return int(path.stem) if re.fullmatch(r"[1-9]\d*", path.stem) else 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Somebody else's, in whose name it may have been given anew.
        return True
    return True


@contextlib.contextmanager
def _as_mistake(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        message = f"console: {path}: {error.strerror or error}"
        raise ConfigError(message) from error


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None]:
    """One process at a time looks whether somebody answers, and moves its own socket there."""
    import fcntl

    held = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                break
        yield
    finally:
        os.close(held)
