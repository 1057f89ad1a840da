"""Own messages: everyone in a room hears the others, and not themselves.

`ignore_own` goes by identity, not by name: two people called Kim hear each other.
"""

import asyncio

from aether import Aether, Channel, Vibrator

ROOM = Channel.of("chat", "room 7".replace(" ", "_"))  # of() takes names from outside safely


async def listen(member: Vibrator, label: str) -> None:
    async for wave in member:
        print(f"{label:6} hears {wave.source}: {wave.payload}")


async def main() -> None:
    async with asyncio.TaskGroup() as tasks, Aether() as medium:
        members = {
            "kim": medium.vibrator("Kim", ignore_own=True),
            "kim-2": medium.vibrator("Kim", ignore_own=True),
            "lee": medium.vibrator("Lee"),  # hears the echo too
        }
        for label, member in members.items():
            await member.resonate_on(ROOM)
            tasks.create_task(listen(member, label))
        await asyncio.sleep(0)  # now they listen

        for label, text in (("kim", "hello"), ("kim-2", "hello, namesake"), ("lee", "hi both")):
            receipt = await members[label].emit_wave(ROOM, text)
            await medium.settle(1.0)
            print(f"{label:6} was heard by {receipt.delivered}")


if __name__ == "__main__":
    asyncio.run(main())
