"""A worker group: members share one mailbox, each job goes to one of them. On trio.

A member that leaves, or is cancelled while it waits, takes nothing with it: what it
did not receive is the others'.
"""

from contextlib import aclosing

import trio

from aether import Aether, Vibrator

JOBS = 12
done: dict[str, list[int]] = {}


async def work(worker: Vibrator, at_most: int) -> None:
    """Do jobs until there are no more, or until it has been enough."""
    async with aclosing(worker):
        while len(done[worker.name]) < at_most:
            wave = await worker.receive()
            if wave is None:
                return
            await trio.sleep(0)  # the work
            done[worker.name].append(wave.payload)
    print(f"{worker.name} leaves after {at_most} jobs")


async def main() -> None:
    async with trio.open_nursery() as nursery, Aether() as medium:
        for name, at_most in (("ann", JOBS), ("bob", 2), ("cid", JOBS)):
            worker = medium.vibrator(name, group="workers")
            await worker.resonate_on("job.*")
            done[name] = []
            nursery.start_soon(work, worker, at_most)

        for number in range(JOBS):
            receipt = await medium.emit_wave("job.created", number)
            assert receipt.matched == 1  # the group is one

    jobs = sorted(job for jobs in done.values() for job in jobs)
    print(f"every job once: {jobs == list(range(JOBS))}")
    print(f"bob did {len(done['bob'])}, ann and cid {len(done['ann']) + len(done['cid'])}")


if __name__ == "__main__":
    trio.run(main)
