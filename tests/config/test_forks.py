"""A medium of files and forks: in the child, one that was not used before follows its files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

FORKS = """
import os, queue, signal, sys, warnings
from aether import Aether, AetherConfig
from aether.errors import ForkedMedium
warnings.filterwarnings("ignore", ".*is multi-threaded, use of fork", DeprecationWarning)

def write(number):
    with open(os.path.join(sys.argv[1], "new"), "w") as out:
        out.write(f"max_propagation = {number}")
    os.replace(out.name, os.path.join(sys.argv[1], "aether.toml"))

def follow(number):
    write(number)
    while came.get(timeout=30) != number:
        pass

def in_child(body):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            body()
        except BaseException as error:
            print(type(error).__name__, error)
            os._exit(3)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

write(1)
medium = Aether(AetherConfig.files(sys.argv[1]))
came = queue.SimpleQueue()
medium.on_config_change(lambda _, now: came.put(now.max_propagation))
"""


def forked(folder: Path, code: str) -> str:
    """What a program that forks prints."""
    command = [sys.executable, "-c", FORKS + code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("before", ["", "follow(2)"])
def test_a_medium_that_was_not_used_before_a_fork_follows_its_files(
    tmp_path: Path, before: str
) -> None:
    """As a module makes it in a server whose workers are forked: whose files may change before, which is no use."""
    code = f"""
{before}
def body():
    medium.vibrator("reader").close()
    follow(3)
    in_child(lambda: None)
    follow(4)

in_child(body)
follow(5)
in_child(lambda: follow(6))
"""
    forked(tmp_path, code)


def test_the_child_of_a_used_medium_does_not_follow_its_files(tmp_path: Path) -> None:
    code = """
medium.vibrator("reader").close()

def body():
    medium._reloading._thread.join(30)
    assert not medium._reloading._thread.is_alive()
    try:
        medium.reconfigure(medium.config)
    except ForkedMedium:
        print("forked")

in_child(body)
follow(2)
"""
    assert "stays as it is" not in forked(tmp_path, code)


def test_a_fork_in_the_midst_of_a_change_holds_nothing_up(tmp_path: Path) -> None:
    code = """
import threading
inside, go_on = threading.Event(), threading.Event()
tune = Aether.tune

def slow(self, **rules):
    inside.set()
    go_on.wait(60)
    tune(self, **rules)

Aether.tune = slow
write(2)
assert inside.wait(30)

def body():
    Aether.tune = tune
    assert came.get(timeout=30) == 2
    follow(3)

in_child(body)
go_on.set()
"""
    forked(tmp_path, code)
