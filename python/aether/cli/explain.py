"""`aether explain`: would a wave on this channel reach a vibrator on these patterns, and if not, why?

The answer is the medium's own: one vibrator is made for each pattern, and `Aether.explain` says of each what an
emission would meet. Nothing is emitted.
"""

from __future__ import annotations

from collections.abc import Sequence

from aether import Aether, ChannelError, Vibrator

from .errors import MISUSED, CliError

__all__ = ["explain"]


def explain(channel: str, patterns: Sequence[str], amplitude: float = 1.0) -> str:
    """The table of who would get a wave on `channel`.

    Args:
        channel: a concrete channel.
        patterns: one vibrator for each, named after it.
        amplitude: of the wave, 0 to 1.

    Raises:
        CliError: no pattern is given, or a name or the amplitude breaks a rule.
    """
    if not patterns:
        raise CliError(
            "explain: no pattern is given; try: aether explain orders.created 'orders.*'",
            status=MISUSED,
        )
    if not 0.0 <= amplitude <= 1.0:
        raise CliError(f"--amplitude {amplitude:g}: must be in 0 to 1", status=MISUSED)
    medium = Aether()
    vibrators: list[Vibrator] = []
    try:
        for pattern in dict.fromkeys(patterns):
            vibrator = medium.vibrator(pattern)
            vibrators.append(vibrator)
            vibrator.resonate_on(pattern)
        return str(medium.explain(channel, amplitude))
    except ChannelError as error:
        raise CliError(str(error), status=MISUSED) from None
    finally:
        for vibrator in vibrators:
            vibrator.close()
