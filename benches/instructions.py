"""The instruction counts of the Rust core, held to what was accepted.

    python benches/instructions.py [--accept] [--list]

Builds `benches/counts` for the baseline CPU with fixed hash seeds, runs its jobs under
callgrind, and ends with status 1 if

- a job takes 3 % more instructions than `benches/instructions.json` says, or 3 % less
  (a stale figure would hide the next regression), or is not in it at all;
- a relation of `scaling.py` does not hold.

Counts are of one toolchain: compiler, target and C library. On another one, the relations
are all that is asked, and the comparison is said to be left out; `--accept` adds or
replaces the figures of the toolchain at hand. Set-up is never counted.

callgrind is part of valgrind, which is installed by apt-get where that is possible.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaling import relations

ROOT = Path(__file__).parent.parent
ACCEPTED = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.03

BASELINE = {"x86_64": "x86-64", "aarch64": "generic"}

# The C library chooses among its memcpy and memcmp by the CPU: all take the plain ones.
PLAIN_LIBC = "glibc.cpu.hwcaps=" + ",".join(
    f"-{feature}"
    for feature in (
        *("AVX", "AVX2", "AVX2_Usable", "AVX512F", "AVX512VL", "AVX512BW"),
        *("AVX_Fast_Unaligned_Load", "ERMS", "FSRM", "SSSE3", "SSE4_1", "SSE4_2"),
    )
)

CALLGRIND = (
    "--tool=callgrind",
    "--collect-atstart=no",
    "--toggle-collect=aether_counts::job::counted*",
    "--dump-before=aether_counts::job::ends*",
    "--callgrind-out-file=profile",
)


class Failed(Exception):
    """What cannot be done, and what to do about it."""


@dataclass(frozen=True)
class Toolchain:
    """What the counts depend on, but for valgrind, which only reads them."""

    rustc: str
    target: str
    libc: str

    def __str__(self) -> str:
        return f"rustc {self.rustc} for {self.target} on {self.libc}"


def main() -> int:
    parser = argparse.ArgumentParser(description="instruction counts of the Rust core")
    parser.add_argument("--accept", action="store_true", help="write instructions.json")
    parser.add_argument("--list", action="store_true", help="print every count")
    given = parser.parse_args()
    if platform.system() != "Linux":
        print(f"left out: there is no callgrind for {platform.system()} {platform.machine()}")
        return 0
    try:
        return run(accept=given.accept, listed=given.list)
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def run(*, accept: bool, listed: bool) -> int:
    valgrind = find_valgrind()
    toolchain = Toolchain(*rust_version(), libc=" ".join(platform.libc_ver()))
    counts = count(valgrind, build(toolchain))
    version = output([valgrind, "--version"]).strip().removeprefix("valgrind-")
    print(f"{len(counts)} jobs, {toolchain}, counted by valgrind {version}")
    if listed:
        for name, figure in counts.items():
            print(f"{figure:12,.1f}  {name}")

    print("\ninstructions, and how they grow")
    broken = False
    for relation in relations(counts):
        print(f"  {'' if relation.holds else 'BROKEN '}{relation.promise}: {relation.figures}")
        broken |= not relation.holds

    sections = json.loads(ACCEPTED.read_text()) if ACCEPTED.exists() else []
    known = accepted_for(sections, toolchain)
    print()
    if accept:
        keep(sections, toolchain, version, counts)
        print(f"accepted: {ACCEPTED.relative_to(ROOT)} says so now")
        return int(broken)
    if known is None:
        others = "; ".join(str(Toolchain(**section["toolchain"])) for section in sections)
        print(
            f"left out: the comparison with {ACCEPTED.relative_to(ROOT)}, which is of "
            f"{others or 'nothing'}, as this is {toolchain} (make counts ACCEPT=1 adds it)"
        )
        return int(broken)
    changes = compared(counts, known)
    for change in changes:
        print(f"error: {change}", file=sys.stderr)
    if changes:
        print("if that is meant: make counts ACCEPT=1, and say why in the commit", file=sys.stderr)
    else:
        print(f"all within {TOLERANCE:.0%} of {ACCEPTED.relative_to(ROOT)}")
    if broken:
        print("error: a relation is broken, see above", file=sys.stderr)
    return int(broken or bool(changes))


def compared(counts: Mapping[str, float], accepted: Mapping[str, float]) -> list[str]:
    """What has changed by more than the tolerance, a sentence each."""
    changes = []
    for name in sorted({*counts, *accepted}):
        if name not in accepted:
            changes.append(f"{name} is new: {counts[name]:,.1f} instructions, none accepted yet")
        elif name not in counts:
            changes.append(f"{name} was accepted and is counted no more")
        else:
            now, before = counts[name], accepted[name]
            change = now / before - 1
            said = (
                f"{name} takes {now:,.1f} instructions, accepted were {before:,.1f}: {change:+.1%}"
            )
            if change > TOLERANCE:
                changes.append(said)
            elif change < -TOLERANCE:
                changes.append(f"{said}; accept the better figure, it would hide the next loss")
    return changes


def accepted_for(sections: list[dict[str, Any]], toolchain: Toolchain) -> dict[str, float] | None:
    for section in sections:
        if section["toolchain"] == asdict(toolchain):
            return section["counts"]
    return None


def keep(
    sections: list[dict[str, Any]], toolchain: Toolchain, valgrind: str, counts: dict[str, float]
) -> None:
    """Writes the counts in the place of those of the same toolchain."""
    new = {"toolchain": asdict(toolchain), "valgrind": valgrind, "counts": counts}
    others = [section for section in sections if section["toolchain"] != new["toolchain"]]
    whole = sorted([*others, new], key=lambda section: tuple(section["toolchain"].values()))
    ACCEPTED.write_text(json.dumps(whole, indent=2) + "\n")


# --- counting ----------------------------------------------------------------------------------


def count(valgrind: str, program: Path) -> dict[str, float]:
    """Instructions for each operation of every job, in the order in which the program has them."""
    groups = output([str(program)]).splitlines()
    # The dearest come first.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda group: count_group(valgrind, program, group), groups)
        return {name: figure for part in parts for name, figure in part.items()}


def count_group(valgrind: str, program: Path, group: str) -> dict[str, float]:
    environment = {"PATH": os.environ.get("PATH", ""), "GLIBC_TUNABLES": PLAIN_LIBC}
    with tempfile.TemporaryDirectory() as folder:
        command = [valgrind, *CALLGRIND, str(program), group]
        jobs = output(command, cwd=folder, env=environment).splitlines()
        figures = {}
        for number, job in enumerate(jobs, 1):
            operations, name = job.split("\t")
            profile = Path(folder, f"profile.{number}")
            found = re.search(r"^totals: (\d+)$", profile.read_text(), re.MULTILINE)
            if found is None or found[1] == "0":
                raise Failed(f"callgrind has collected nothing for {name}")
            figures[name] = round(int(found[1]) / int(operations), 1)
        return figures


def build(toolchain: Toolchain) -> Path:
    """The program with the jobs: release profile, baseline CPU, fixed hash seeds."""
    flags = ["--cfg", "fixed_seed"]
    if cpu := BASELINE.get(toolchain.target.partition("-")[0]):
        flags += ["-C", f"target-cpu={cpu}"]
    told = ("CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_PROFILE_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(told)}
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--package", "aether-counts"]
    command += ["--target-dir", "target/counts", "--message-format=json-render-diagnostics"]
    lines = output(command, cwd=ROOT, env={**environment, "RUSTFLAGS": " ".join(flags)})
    messages = [json.loads(line) for line in lines.splitlines()]
    return Path(next(found for message in messages if (found := message.get("executable"))))


def rust_version() -> tuple[str, str]:
    """Release and host."""
    said = output(["rustc", "--version", "--verbose"], cwd=ROOT)
    told = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    return told["release"], told["host"]


# --- valgrind ----------------------------------------------------------------------------------


def find_valgrind() -> str:
    found = shutil.which("valgrind")
    if found is None:
        install("valgrind")
        found = shutil.which("valgrind")
    if found is None:
        raise Failed("valgrind was installed and is still not on the PATH")
    return found


def install(package: str) -> None:
    """By apt-get, as root or with a sudo that asks for no password."""
    missing = f"{package} was not found: install the package {package} (Debian, Ubuntu and Fedora call it so)"
    apt = shutil.which("apt-get")
    if apt is None:
        raise Failed(missing)
    if os.geteuid() == 0:
        root = []
    elif (
        shutil.which("sudo")
        and not subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode
    ):
        root = ["sudo", "-n"]
    else:
        raise Failed(missing)
    print(f"installing the package {package}", flush=True)
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", apt, "-qq"]
    wanted = [*command, "install", "--yes", "--no-install-recommends", package]
    # Lists of packages may be missing, or older than the archive.
    for attempt in ([wanted], [[*command, "update"], wanted]):
        done = [
            subprocess.run(step, check=False, capture_output=True, text=True) for step in attempt
        ]
        if done[-1].returncode == 0:
            return
    raise Failed(f"{missing}; apt-get could not:\n{done[-1].stderr.strip()}")


def output(command: list[str], **options: Any) -> str:
    """What a command prints; its errors are shown if it fails."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} was not found") from error
    if done.returncode:
        raise Failed(
            f"{' '.join(command)} ended with status {done.returncode}\n{done.stderr.strip()}"
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
