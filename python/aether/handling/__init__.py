"""What keeps a handler standing when what it needs fails: retries, time limits, circuit breakers, rates, dead letters.

- `retry`: when a wave that failed is handled again.
- `circuit`: nothing is handled for a while, once too much has failed.
- `rate`: so many in a second.
- `deadlines`: how long a handler may take.
- `guard`: all of these around one handler, in their order.
- `letters`: what has failed for good, on `dead.<channel>`.

A handler without any of these options is called without any of this.
"""

from __future__ import annotations

from aether.handling.circuit import CircuitBreaker, CircuitChange
from aether.handling.rate import Rate
from aether.handling.retry import Retry

__all__ = ["CircuitBreaker", "CircuitChange", "Rate", "Retry"]
