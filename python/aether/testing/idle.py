"""When all other tasks of the running loop wait for something.

Contract:
- A task that waits for a thread, a socket or the loop's own clock waits: nobody can tell when that will be.
- What was asked of the loop before the call (`call_soon_threadsafe`, `run_sync_soon`) has been done at the return.
- A task that never waits, but only lets others run, is an error after a while, and no hang.
"""

from __future__ import annotations

from typing import Any

from aether._wait import running_asyncio_loop

__all__ = ["until_idle"]

_QUIET_TURNS = 8
"""A wake-up that comes through the loop takes up to three turns, in which its task is still seen waiting."""
_MOST_TURNS = 100_000
_PATIENCE = 10.0
"""Seconds; trio says by itself when all tasks wait, and cannot be asked how often they have not."""


async def until_idle() -> None:
    """Lets the other tasks run until each of them waits.

    Raises:
        RuntimeError: One of them never does.
    """
    if running_asyncio_loop() is None:
        import trio
        from trio.testing import wait_all_tasks_blocked

        with trio.move_on_after(_PATIENCE) as scope:
            await wait_all_tasks_blocked()
        if scope.cancelled_caught:
            raise _busy(f"after {_PATIENCE} s")
        return
    import asyncio

    quiet = 0
    for _ in range(_MOST_TURNS):
        await asyncio.sleep(0)
        quiet = quiet + 1 if _others_wait(asyncio) else 0
        if quiet == _QUIET_TURNS:
            return
    raise _busy(f"in {_MOST_TURNS:,} turns of the loop")


def _others_wait(asyncio: Any) -> bool:
    own = asyncio.current_task()
    for task in asyncio.all_tasks():
        # As anyio's `wait_all_tasks_blocked` looks at it.
        waiter = task._fut_waiter  # noqa: SLF001
        if task is not own and (waiter is None or waiter.done()):
            return False
    return True


def _busy(when: str) -> RuntimeError:
    return RuntimeError(
        f"{when}, some task still has not waited for anything: one polls with sleep(0) or checkpoint(), or another advances"
        " the clock; wait for an event instead"
    )
