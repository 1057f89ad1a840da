"""Sub-interpreters: the import is refused there, clearly, and the main interpreter goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SETUP = """
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters

ASK = '''
import sys
sys.path[:0] = %r
for attempt in range(2):
    try:
        import aether
    except ImportError as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\\\\n")
    else:
        sys.stdout.write("imported\\\\n")
    assert not [name for name in sys.modules if name.startswith("aether._native")]
sys.stdout.flush()
''' % (sys.path,)

def ask(**options):
    one = interpreters.create(**options)
    try:
        failed = interpreters.run_string(one, ASK)  # from 3.13 on it returns what was raised
        assert failed is None, failed
    finally:
        interpreters.destroy(one)
"""
REFUSED = (
    "ImportError: aether works in the main interpreter only, and this is a sub-interpreter; import it in the "
    "main one, or use a process of its own"
)


def test_import_in_a_sub_interpreter_is_refused(program: Callable[..., Any]) -> None:
    source = (
        SETUP
        + """
medium = aether.Aether()
v = medium.vibrator("reader")
v.resonate_on("a")
medium.emit_nowait("a", 1)
ask()
say(v.receive_nowait().payload)
medium.emit_sync("a", 2)
say(v.receive_sync(timeout=5).payload)
v.close()
"""
    )
    assert program(source).exited().out == [REFUSED, REFUSED, "1", "2"]


def test_it_is_refused_before_the_main_interpreter_has_imported(
    program: Callable[..., Any],
) -> None:
    """The first to import is not the one to keep it."""
    source = (
        'subprocess.run([sys.executable, "-c", "import os, sys\\ndef say(*words): print(*words, flush=True)\\n" + '
        + repr(SETUP + "ask()\nimport aether\nsay(aether.Aether().emit_nowait('a').matched)\n")
        + "], check=True)"
    )
    assert program("import subprocess\n" + source).exited().out == [REFUSED, REFUSED, "0"]


def test_a_sub_interpreter_beside_parked_readers(program: Callable[..., Any]) -> None:
    """Loops and threads of the main interpreter wait while others are made, refused and destroyed."""
    source = (
        SETUP
        + """
medium = aether.Aether()
v = medium.vibrator("reader")
v.resonate_on("a")
got = []
thread = threading.Thread(target=lambda: got.append(v.receive_sync().payload))
thread.start()

async def main():
    w = medium.vibrator("task")
    w.resonate_on("b")
    task = asyncio.create_task(w.receive())
    await asyncio.sleep(0)
    for _ in range(3):
        ask()
    medium.emit_nowait("a", 1)
    medium.emit_nowait("b", 2)
    got.append((await task).payload)
    w.close()

asyncio.run(main())
thread.join()
say(sorted(got))
v.close()
"""
    )
    assert program(source).exited().out == [REFUSED] * 6 + ["[1, 2]"]
