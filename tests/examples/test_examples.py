"""Each program under examples/ runs as a user would run it, and prints what it is there to show.

Where several tasks print, the order of the lines is theirs; there the lines are compared
without it. Everything else is exact.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

IN_ORDER = {
    "cooperating_services": """
        order.placed      step 1 from shop     amplitude 0.800 priority 0.8 for ada
        payment.captured  step 2 from payments amplitude 0.760 priority 0.8 for ada
        parcel.packed     step 3 from stock    amplitude 0.722 priority 0.8 for ada
        parcel.shipped    step 4 from parcels  amplitude 0.686 priority 0.8 for ada
        delivered: {'order': 7, 'price': 30, 'paid': 30, 'shelf': 'B7', 'parcel': 900}
    """,
    "cqrs_request_reply": """
        order 1: placed
        order 2: placed
        order 3: refused, a price of -5 is not above 0
        total: {'orders': 2, 'total': 35}
        weather: nobody answers that
    """,
    "priority": """
        5 repairs wait
        priority 1.0 amplitude 0.950: the engine burns
        priority 0.9 amplitude 0.855: the brakes are soft
        priority 0.3 amplitude 0.285: a tyre is worn
        priority 0.3 amplitude 0.285: a lamp is broken
        priority 0.2 amplitude 0.190: the radio is silent
    """,
    "sync_threads": """
        reader: all lines are in
        adder: 4500 words in 1000 lines
    """,
    "worker_group": """
        bob leaves after 2 jobs
        every job once: True
        bob did 2, ann and cid 10
    """,
}

IN_ANY_ORDER = {
    "notification": """
        web:     told 3
        mailer:  welcome, Ada
        audit:   user.registered from web
        web:     told 2
        billing: Ada pays after user.plan.changed
        audit:   user.plan.changed from web
    """,
    "saga_compensation": """
        Rome: flight booked
        Rome: hotel booked
        Rome: car booked
        Rome: have a good journey
        Oslo: flight booked
        Oslo: hotel booked
        Oslo: car refused
        Oslo: hotel cancelled
        Oslo: flight cancelled
        flight.booked and flight.cancel: destructive
    """,
    "own_message_filter": """
        kim-2  hears Kim: hello
        lee    hears Kim: hello
        kim    was heard by 2
        kim    hears Kim: hello, namesake
        lee    hears Kim: hello, namesake
        kim-2  was heard by 2
        kim    hears Lee: hi both
        kim-2  hears Lee: hi both
        lee    hears Lee: hi both
        lee    was heard by 3
    """,
    "progress_conflate": """
        jobs are done, none of them waited
        tv    ends at index 100 %, backup 100 %, report 100 %; backwards 0 times; skipped some: True; all accounted for: True
        phone ends at index 100 %, backup 100 %, report 100 %; backwards 0 times; skipped some: True; all accounted for: True
        wall  ends at index 100 %, backup 100 %, report 100 %; backwards 0 times; skipped some: True; all accounted for: True
    """,
    "graceful_end": """
        farmer: ten sacks brought, going home
        bakery: sack 5
        bakery: sack 10
        medium: handlers are done
        bakery: that was the last one
        farmer: too late for the eleventh
        bakery: took 10
        shop: 10 abandoned
    """,
}


def run(name: str, *arguments: str) -> list[str]:
    """The lines that an example prints; it ends well and says nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line.rstrip() for line in done.stdout.splitlines()]


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("name", IN_ORDER)
def test_example_prints_these_lines_in_this_order(name: str) -> None:
    assert run(name) == lines(IN_ORDER[name])


@pytest.mark.parametrize("name", IN_ANY_ORDER)
def test_example_prints_these_lines(name: str) -> None:
    assert sorted(run(name)) == sorted(lines(IN_ANY_ORDER[name]))


def test_the_same_program_runs_on_trio() -> None:
    expected = lines(IN_ANY_ORDER["progress_conflate"])
    assert sorted(run("progress_conflate", "--trio")) == sorted(expected)


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*IN_ORDER, *IN_ANY_ORDER}
