"""What the measures of the fault tests rest on."""

import json
import signal
import subprocess
import sys

from tests.faults.harness import ROOT, awake_seconds, pause

SLEEPER = """
import json, sys, time
from tests.faults.harness import awake_seconds
awake_seconds()
print("ready", flush=True)
for _ in range(2):
    sys.stdin.readline()
    print(json.dumps([time.monotonic(), awake_seconds()]), flush=True)
"""
HALT = 3.0


def test_the_clock_of_measures_goes_on_and_never_back() -> None:
    before = awake_seconds()
    pause(0.2)
    told = [awake_seconds() for _ in range(1_000)]

    assert told[0] > before
    assert told == sorted(told)


def test_the_clock_of_measures_does_not_count_what_the_machine_stood_still() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as sleeper:
        assert sleeper.stdin is not None
        assert sleeper.stdout is not None
        assert sleeper.stdout.readline() == "ready\n"
        found = []
        for _ in range(2):
            sleeper.stdin.write("\n")
            sleeper.stdin.flush()
            found.append(json.loads(sleeper.stdout.readline()))
            sleeper.send_signal(signal.SIGSTOP)
            pause(HALT)
            sleeper.send_signal(signal.SIGCONT)

    (began, awake_began), (ended, awake_ended) = found
    assert ended - began >= HALT
    assert ended - began - (awake_ended - awake_began) > HALT / 2
