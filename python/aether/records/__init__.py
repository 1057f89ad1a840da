"""Records: what a medium has emitted, as lines of JSON in a file, to be replayed and compared.

```text
{"record": "begin", "version": 1, "aether": "0.1.0", "program": "shop.py", "pattern": "*", "ts": 1700000000.0}
{"sequence": 1, "ts": 1700000001.5, "channel": "orders.created", "payload": {"id": 7}, "amplitude": 1.0, ...}
{"record": "missed", "count": 120}
{"record": "end", "ts": 1700000060.0, "waves": 1, "missed": 120}
```

Contract:
- A wave is a line as `aether journal export` writes it, so that `aether replay`, `aether waterfall` and `aether journal import`
  read records too, and whoever reads a record reads such files. `medium`, `request`, `type` and `shown` are said beside that
  where they apply, see `aether.records.lines`.
- A notice is an object with `record`, and no wave: it begins the record, ends it, and says how many waves are missing where.
- A file without an `end` was cut off. It is sound up to its last full line, and a line that is cut in two is left out.
- Whether a wave came from outside or was led to by another one is what its `propagation_count` says: 1, or more.
"""

from __future__ import annotations

__all__: list[str] = []
