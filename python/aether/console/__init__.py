"""The console of a process: what `aether top` and `aether tap` see, over a Unix socket.

`AetherConfig(console=ConsoleConfig())` opens it while a medium is entered. The parts: `places` (where sockets are, and who
may use them), `protocol` (what is said on them), `server`, `client`.
"""
