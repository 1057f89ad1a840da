"""Groups: vibrators that share one mailbox and its patterns, so that each wave goes to one of them.

Contract:
- The first member makes the mailbox; its options hold. A member that asks for others is refused.
- What a member that leaves has not taken stays for the others; the last one ends the mailbox.
- The group is one: with `ignore_own`, what a member emits is own to all of it.
- Handlers of members share a mailbox too, one for each set of patterns.
- Members come and go: messages, `explain` and logs name a mailbox that they share after the group, as
  `workers (group)`.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from aether import _native

if TYPE_CHECKING:
    from typing import Protocol

    from aether._native import Mailbox
    from aether.options import Options

    class Open(Protocol):
        """Makes a mailbox."""

        def __call__(self, name: str, options: Options, *, lane: bool, readers: int) -> Mailbox:
            """One with these options; `lane` for handlers, of which `readers` will take from it."""
            ...


class Shared:
    """What the members of a group share, and keep alive."""

    __slots__ = ("__weakref__", "identity", "mailbox", "options")

    def __init__(self, mailbox: Mailbox, identity: int, options: tuple[object, ...]) -> None:
        self.mailbox = mailbox
        self.identity = identity
        self.options = options


class Groups:
    """The groups of one medium: the name of a group, and for handlers also their patterns."""

    __slots__ = ("_joining", "_shared")

    def __init__(self) -> None:
        self._shared: weakref.WeakValueDictionary[tuple[str, ...], Shared] = (
            weakref.WeakValueDictionary()
        )
        # May be asked for again in the midst of it, by the end of some object.
        self._joining = threading.RLock()

    def join(
        self,
        key: tuple[str, ...],
        name: str,
        options: Options,
        open_mailbox: Open,
        *,
        readers: int = 0,
    ) -> Shared:
        """Makes the mailbox of a group, or joins it with the same options.

        Raises:
            ValueError: The options differ from those of the first member.
        """
        ignore_own = options["ignored"] != 0
        said = (
            options["order"],
            options["overflow"],
            options["buffer_size"],
            options["noise_floor"],
            ignore_own,
        )
        shared = self._shared.get(key)
        if shared is None or not shared.mailbox.join(readers):
            identity = _native.new_identity()
            is_lane = len(key) > 1
            if not is_lane:
                options = {**options, "ignored": identity if ignore_own else 0}
            mailbox = open_mailbox(f"{key[0]} (group)", options, lane=is_lane, readers=readers)
            made = Shared(mailbox, identity, said)
            with self._joining:
                # Another thread may have made it meanwhile; then nobody has heard of this one.
                shared = self._shared.get(key)
                if shared is None or not shared.mailbox.join(readers):
                    self._shared[key] = made
                    return made
            mailbox.close()
        if shared.options != said:
            shared.mailbox.leave()
            message = (
                f"vibrator {name!r} joins group {key[0]!r} with options {said}, but its first member has "
                f"{shared.options} (order, overflow, buffer_size, noise_floor, ignore_own); members share a "
                "mailbox, so give the same"
            )
            raise ValueError(message)
        return shared
