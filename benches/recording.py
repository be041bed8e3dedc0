#!/usr/bin/env python3
"""What recording costs a race. Unix only; needs nothing but Python.

usage: benches/recording.py [PAIRS]; files go to /dev/shm where that is

Runs the same race in turn with and without --record, and prints each run's median wall time of both with the median
of their ratios, pair by pair, and its 95 % interval (bootstrap), and how large the recording is. THREADRACE names
another program than target/release/threadrace.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
THREADRACE = os.environ.get("THREADRACE", os.path.join(ROOT, "target/release/threadrace"))
# A disk's own moods would hide what is looked for here.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
BUSY = """format = "threadrace-config-1"
[scenarios.busy]
about = "40,000 small files from a server that answers at once"
content = "bytes"
tasks = 40000
bytes = 10240
executors = ["pool"]
workers = 16
"""


def walls(folder, scenario, record):
    """The wall time of each run of one race, and the size of its recording."""
    command = [THREADRACE, *scenario, "-o", "out", "--plain", "--format", "json"]
    recording = os.path.join(folder, "race.jsonl")
    if record:
        command += ["--record", recording]
    report = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    runs = {run["executor"]: run["wall_seconds"] for run in json.loads(report)["runs"]}
    return runs, os.path.getsize(recording) if record else 0


def interval(ratios, chance):
    """The percentile bootstrap's 95 % interval of the median of these ratios."""
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(4000))
    return medians[100], medians[-101]


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    scenarios = {"images-20": ["images-20", "-e", "pool,async"], "40,000 x 10 KiB, no latency": ["busy"]}
    for name, scenario in scenarios.items():
        plain, recorded, size = [], [], 0
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            with open(os.path.join(folder, "config.toml"), "w", encoding="utf-8") as config:
                config.write(BUSY)
            for pair in range(pairs + 1):
                order = [False, True] if pair % 2 else [True, False]
                for record in order:
                    runs, bytes_written = walls(folder, scenario, record)
                    size = max(size, bytes_written)
                    # The first pair finds caches cold.
                    if pair > 0:
                        (recorded if record else plain).append(runs)
        print(f"{name}, {pairs} pairs, a recording of {size / 1e6:.1f} MB")
        for run in plain[0]:
            without, with_it = [one[run] for one in plain], [one[run] for one in recorded]
            ratios = [b / a for a, b in zip(without, with_it)]
            low, high = interval(ratios, random.Random(1))
            print(
                f"  {run:12} {statistics.median(without):.3f} s plain, {statistics.median(with_it):.3f} s recorded; "
                f"pair by pair {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})"
            )


main()
