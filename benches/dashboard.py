#!/usr/bin/env python3
"""What the dashboard costs a race, and how soon it is there. Unix only; needs nothing but Python.

usage: benches/dashboard.py [PAIRS]; files go to /dev/shm where that is

Runs the same race in turn with the dashboard, in a pseudo-terminal of 200 x 60, and with --plain, and prints
each run's median wall time of both with their ratio. Then: how long until the first frame, and how much
processor time the dashboard takes while nothing happens. THREADRACE names another program than
target/release/threadrace.
"""

import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
THREADRACE = os.environ.get("THREADRACE", os.path.join(ROOT, "target/release/threadrace"))
# A disk's own moods would hide what is looked for here.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# After so long without a byte the race is over: under way, every frame shows another time.
QUIET = 1.0
BUSY = """format = "threadrace-config-1"
[scenarios.busy]
about = "40,000 small files from a server that answers at once"
content = "bytes"
tasks = 40000
bytes = 10240
executors = ["pool"]
workers = 16
"""


class Dashboard:
    """threadrace in a pseudo-terminal."""

    def __init__(self, args, folder):
        self.start = time.monotonic()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8")
            os.execv(THREADRACE, [THREADRACE, *args])

    def read(self, seconds):
        """What comes within so long; None at the end."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.terminal, 65536) or None
        except OSError:
            return None

    def wait_until_quiet(self):
        while self.read(QUIET):
            pass

    def processor_seconds(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def quit(self):
        os.write(self.terminal, b"q")
        while self.read(5):
            pass
        os.close(self.terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if status != 0:
            sys.exit(f"dashboard.py: threadrace ended with {status}")


def walls(path):
    with open(path) as file:
        return {run["label"]: run["wall_seconds"] for run in json.load(file)["runs"]}


def overhead(name, args, pairs):
    with_it, without = {}, {}
    for pair in range(pairs + 1):
        for kept, plain in ((with_it, False), (without, True)):
            with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                report = os.path.join(folder, "report.json")
                command = [*args, "-o", os.path.join(folder, "out"), "--report", report]
                if plain:
                    quiet = subprocess.DEVNULL
                    command = [THREADRACE, "--plain", *command]
                    subprocess.run(command, cwd=folder, stdout=quiet, stderr=quiet, check=True)
                else:
                    dashboard = Dashboard(command, folder)
                    dashboard.wait_until_quiet()
                    dashboard.quit()
                # The first pair only warms up.
                for label, wall in walls(report).items() if pair else ():
                    kept.setdefault(label, []).append(wall)
    print(f"{name}, {pairs} pairs")
    for label in with_it:
        dashboard, plain = statistics.median(with_it[label]), statistics.median(without[label])
        ratios = [a / b for a, b in zip(with_it[label], without[label])]
        print(f"  {label:10}  dashboard {dashboard:.4f} s  plain {plain:.4f} s"
              f"  ratio {statistics.median(ratios):.3f}")


def first_frame(tries):
    """Seconds from the start of the process to the first byte, and to the first 2 KiB, which are a frame."""
    first, frame = [], []
    for _ in range(tries):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            dashboard = Dashboard(["-o", os.path.join(folder, "out"), "-e", "async"], folder)
            seen = 0
            while seen < 2048 and (more := dashboard.read(5)):
                if not seen:
                    first.append(time.monotonic() - dashboard.start)
                seen += len(more)
            frame.append(time.monotonic() - dashboard.start)
            os.kill(dashboard.pid, signal.SIGTERM)
            while dashboard.read(5):
                pass
            os.close(dashboard.terminal)
            os.waitpid(dashboard.pid, 0)
    print(f"first byte after {statistics.median(first) * 1e3:.1f} ms, "
          f"first frame after {statistics.median(frame) * 1e3:.1f} ms, slowest of {tries}: "
          f"{max(frame) * 1e3:.1f} ms")


def idle(seconds):
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        dashboard = Dashboard(["posts-5", "-e", "threads", "-o", os.path.join(folder, "out")], folder)
        dashboard.wait_until_quiet()
        before = dashboard.processor_seconds()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            dashboard.read(left)
        print(f"idle after a race: {dashboard.processor_seconds() - before:.2f} s of processor time in {seconds} s")
        dashboard.quit()


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    first_frame(11)
    if os.path.exists("/proc/self/stat"):
        idle(5)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(BUSY)
        config.flush()
        overhead("40,000 x 10 KiB, no latency", ["busy", "--config", config.name], pairs)
    overhead("bytes-1000", ["bytes-1000", "-e", "pool,async"], pairs)
    overhead("images-20", ["images-20", "-e", "pool,async"], min(pairs, 5))


main()
