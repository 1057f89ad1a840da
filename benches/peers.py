"""The peers that nobody ships: written here the way a careful person would, for speed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


class FutureQueue:
    """An unbounded queue for one consumer on one loop: a deque and, when it is empty, a future."""

    __slots__ = ("_items", "_loop", "_waiter")

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    def put(self, item: Any) -> None:
        """Append, and wake the consumer if it waits."""
        self._items.append(item)
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def get(self) -> Any:
        """Take the oldest item, waiting for it if need be."""
        items = self._items
        while not items:
            self._waiter = self._loop.create_future()
            await self._waiter
        return items.popleft()


class TopicTrie:
    """Publish by topic in plain Python: nested dicts, `+` one token, `*` the rest.

    With `cache`, the answers for that many topics are kept, as long as nobody subscribes.
    """

    __slots__ = ("_cached", "_root", "match")

    def __init__(self, cache: int = 0) -> None:
        self._root: dict[str, Any] = {}
        self._cached = lru_cache(cache)(self.find) if cache else None
        self.match: Callable[[str], tuple[Callable[[Any], object], ...]] = self._cached or self.find

    def subscribe(self, pattern: str, callback: Callable[[Any], object]) -> None:
        """Call `callback` with what is published on topics that `pattern` takes."""
        node = self._root
        for token in pattern.split("."):
            node = node.setdefault(token, {})
        node.setdefault("", []).append(callback)  # no token is empty: here stand the callbacks
        if self._cached:
            self._cached.cache_clear()

    def unsubscribe(self, pattern: str, callback: Callable[[Any], object]) -> None:
        """Take one `subscribe` back; what nothing hangs on any more goes."""
        path = [self._root]
        tokens = pattern.split(".")
        for token in tokens:
            path.append(path[-1][token])
        path[-1][""].remove(callback)
        if not path[-1][""]:
            del path[-1][""]
        for node, token in zip(reversed(path[:-1]), reversed(tokens), strict=True):
            if node[token]:
                break
            del node[token]
        if self._cached:
            self._cached.cache_clear()

    def find(self, topic: str) -> tuple[Callable[[Any], object], ...]:
        """Walk down for the callbacks of every pattern that takes `topic`."""
        found: list[Callable[[Any], object]] = []
        nodes = [self._root]
        for token in topic.split("."):
            below = []
            for node in nodes:
                if (rest := node.get("*")) is not None:
                    found += rest[""]
                if (child := node.get(token)) is not None:
                    below.append(child)
                if (child := node.get("+")) is not None:
                    below.append(child)
            if not below:
                return tuple(found)
            nodes = below
        for node in nodes:
            found += node.get("", ())
        return tuple(found)

    def publish(self, topic: str, payload: Any) -> int:
        """Hand `payload` to every callback of `topic`, and say how many there were."""
        targets = self.match(topic)
        for target in targets:
            target(payload)
        return len(targets)

    def publish_uncached(self, topic: str, payload: Any) -> int:
        """The same, without the kept answers, and without keeping this one."""
        targets = self.find(topic)
        for target in targets:
            target(payload)
        return len(targets)


@contextmanager
def zenoh_session() -> Iterator[Any]:
    """A session that talks to nobody else: no scouting, and no socket."""
    import zenoh

    config = zenoh.Config()
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("scouting/gossip/enabled", "false")
    config.insert_json5("listen/endpoints", "[]")
    with zenoh.open(config) as session:
        yield session
