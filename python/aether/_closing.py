"""What works until it is closed, and is closed where its `with` block is left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Closing"]


class Closing(ABC):
    """Something with a `close` that may be called more than once."""

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """Ends it; a second time does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
