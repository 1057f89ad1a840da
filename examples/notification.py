"""Notification: one sign-up reaches everybody who cares, and nobody knows anybody.

The web service says what happened. Who writes mails, counts, or keeps an audit is
not its business, and adding one more means adding a handler, here or elsewhere.
"""

import asyncio
from typing import TypedDict

from aether import Aether, Wave


class User(TypedDict):
    name: str
    plan: str


medium = Aether()
web = medium.vibrator("web")
mailer = medium.vibrator("mailer")
billing = medium.vibrator("billing")
audit = medium.vibrator("audit")


@mailer.on("user.registered")
async def welcome(wave: Wave[User]) -> None:
    print(f"mailer:  welcome, {wave.payload['name']}")


@billing.on("user.*")
async def bill(wave: Wave[User]) -> None:
    if wave.payload["plan"] == "paid":
        print(f"billing: {wave.payload['name']} pays after {wave.channel}")


@audit.on("*")
def write_down(wave: Wave[User]) -> None:
    print(f"audit:   {wave.channel} from {wave.source}")


async def main() -> None:
    async with medium:
        receipt = await web.emit_wave("user.registered", User(name="Ada", plan="free"))
        print(f"web:     told {receipt.delivered}")
        await medium.settle(1.0)

        receipt = await web.emit_wave("user.plan.changed", User(name="Ada", plan="paid"))
        print(f"web:     told {receipt.delivered}")
        await medium.settle(1.0)


if __name__ == "__main__":
    asyncio.run(main())
