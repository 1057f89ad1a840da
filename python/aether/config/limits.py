"""How much there may be in a medium, as a section of the configuration."""

from __future__ import annotations

from pydantic import Field

from aether.config.settings import LIVE, Count, Settings

__all__ = ["LimitsConfig"]


class LimitsConfig(Settings):
    """How much there may be in a medium, as a section of `AetherConfig`. What is not given has no limit.

    What is too much is refused with an error that names the limit: `LimitExceeded`, and `WouldBlock` for waves. A limit that
    is lowered takes nothing away that is there.

    Raises:
        ConfigError: Fields are unknown, of the wrong type or out of range. All are listed.

    Example:
        >>> from aether import Aether, AetherConfig, LimitsConfig
        >>> medium = Aether(AetherConfig(limits=LimitsConfig(vibrators=1)))
        >>> desk = medium.vibrator("desk")
        >>> medium.vibrator("other")
        Traceback (most recent call last):
            ...
        aether.errors.LimitExceeded: the vibrator 'other' would be one more than limits.vibrators=1: there is 1; close those that are not needed, or raise the limit
    """

    vibrators: Count | None = Field(
        default=None,
        json_schema_extra=LIVE,
        description="How many vibrators may be open: 1 or more; `None`: however many.",
    )
    patterns: Count | None = Field(
        default=None,
        json_schema_extra=LIVE,
        description="How many patterns one vibrator may resonate on, with its handlers: 1 or more; `None`: however many.",
    )
    tasks: Count | None = Field(
        default=None,
        json_schema_extra=LIVE,
        description="How many handlers may run at once, as the sum of their `concurrency`: 1 or more; `None`: however many.",
    )
    queued: Count | None = Field(
        default=None,
        json_schema_extra=LIVE,
        description="How many waves may wait in all mailboxes together: 1 or more; `None`: as many as the mailboxes hold.",
    )
    soft: float = Field(
        default=1.0,
        ge=0,
        le=1,
        json_schema_extra=LIVE,
        description="From this share of `queued` on, faint waves are shed, the louder the more wait: 0..1; 1: none are.",
    )
