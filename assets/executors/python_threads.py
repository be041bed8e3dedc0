"""Runs threadrace's tasks on Python threads: concurrent.futures.ThreadPoolExecutor.

threadrace starts this program, writes tasks to its standard input and reads events from its standard
output, one JSON object a line. threadrace's page on the protocol says what each message means. Copy this
file to race a program of your own: replace what `download` and its neighbours do, and keep the rest.
"""

import base64
import errno
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

CHUNK = 64 * 1024
SAMPLE_NANOS = 50_000_000  # bytes are told about 20 times a second
STALL_SECONDS = 60  # without a byte, a request has failed

writing = threading.Lock()
place = threading.local()  # each thread's lane, and since when it has its task


def tell(event, **more):
    """Writes one event, stamped now by the machine's monotonic clock, as one whole line."""
    line = json.dumps({"at": time.monotonic_ns(), "event": event, "run": run, **more})
    with writing:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def enter(task, phase):
    tell("phase_entered", task=task, phase=phase)


class Failed(Exception):
    """A task gave up: a kind of error that threadrace knows, and words."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def request(url):
    """A request for a URL, whose user and password go into a header of their own: urllib takes them for a host."""
    parts = urllib.parse.urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    asked = urllib.request.Request(parts._replace(netloc=host).geturl())
    if at:
        secret = base64.b64encode(urllib.parse.unquote_to_bytes(user)).decode()
        asked.add_unredirected_header("Authorization", f"Basic {secret}")
    return asked


def head_of(response, asked, length):
    """The head of an answer as an event tells it."""
    led = response.geturl()
    return {"status": response.status, "version": "HTTP/1.0" if response.version == 10 else "HTTP/1.1",
            "length": length, "remote": None, "redirected_to": None if led == asked.full_url else led,
            "headers": list(response.headers.items())}


def kind_of(error):
    """The kind of error that an exception is: the disk's name the file that they are about."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    return "disk" if isinstance(error, OSError) and error.filename is not None else "raised"


def announced(headers):
    """The body's length where the answer tells it: no number but one that a body can have. A head that broke off, or
    a body that urllib would keep as it is coded, can't be a whole answer."""
    coding = headers.get("Transfer-Encoding", "chunked")
    if headers.defects or coding.strip().lower() != "chunked":
        raise Failed("protocol", "the answer's head is broken, or its body is coded in an unknown way")
    length = headers.get("Content-Length")
    if length is None:
        return None
    if not (length.isascii() and length.isdecimal() and len(length) < 19):
        raise Failed("protocol", f"the answer's Content-Length is {length[:40]!r}")
    return int(length)


def answer(task, url):
    """Sends a request and waits for the head of its answer. urllib doesn't say when it has connected, so the
    whole time counts as waiting. threadrace's own origin is on this machine: no proxy stands between."""
    tell("attempt_started", task=task, number=1)
    enter(task, "waiting")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = request(url)
    response = opener.open(asked, timeout=min(STALL_SECONDS, timeout))
    length = announced(response.headers)
    if task < 500:
        tell("response_arrived", task=task, head=head_of(response, asked, length))
    if response.status != 200:
        raise Failed("status", f"the server answered {response.status}")
    return response, length


def receive(task, response, length, keep):
    """Reads the body, hands each chunk to `keep`, and holds it against its length and the run's limits."""
    received, told = 0, time.monotonic_ns()
    while chunk := response.read1(CHUNK):
        if received == 0:
            enter(task, "receiving")
        received += len(chunk)
        if received > most_bytes:
            raise Failed("too_large", f"the body is larger than {most_bytes} bytes (download.max_bytes)")
        if time.monotonic() - place.since > timeout:
            raise Failed("deadline", f"not finished within {timeout:g} s (download.timeout_seconds)")
        keep(chunk)
        if time.monotonic_ns() - told >= SAMPLE_NANOS:
            told = time.monotonic_ns()
            tell("bytes_arrived", task=task, bytes=received)
    if length is not None and received != length:
        raise Failed("truncated", f"the body ended after {received} of {length} bytes")
    return received


def download(task, about):
    """A final name always means a complete file: it is written under another name first."""
    response, length = answer(task, about["url"])
    with response, open(about["part"], "xb") as file:
        try:
            received = receive(task, response, length, file.write)
            enter(task, "writing")
            file.flush()
            os.link(about["part"], about["path"])  # unlike a rename, never replaces a file
        finally:
            os.remove(about["part"])
    return received, "nothing" if length is None else "length", None


def api(task, about):
    response, length = answer(task, about["url"])
    body = bytearray()
    with response:
        received = receive(task, response, length, body.extend)
    text = body.decode()
    json.loads(text)
    if task < 500:
        tell("body_arrived", task=task, text=text[:4096])
    return received, "result", None


def sleep(task, about):
    enter(task, "sleeping")
    time.sleep(about["seconds"])
    return 0, "nothing", f"slept {about['seconds']:g} s"


def primes_below(limit):
    """Counts primes by dividing by odd numbers up to the root, as threadrace does."""
    count = 1 if limit > 2 else 0
    for number in range(3, limit, 2):
        divisor = 3
        while divisor * divisor <= number and number % divisor:
            divisor += 2
        count += divisor * divisor > number
    return count


def compute(task, about):
    if about.get("computation") != "primes":
        raise Failed("raised", "this program computes primes only")
    enter(task, "computing")
    return 0, "nothing", f"{primes_below(about['below']):,} primes"


def perform(about):
    """Does one task on the calling thread, whatever comes of it."""
    task = about["task"]
    place.since = time.monotonic()
    tell("task_started", task=task, lane=place.lane)
    received, check, result, failure = 0, "nothing", None, None
    try:
        received, check, result = work(task, about)
    except Failed as failed:
        failure = {"outcome": "failed", "kind": failed.kind, "message": str(failed)}
    except urllib.error.HTTPError as error:
        failure = {"outcome": "failed", "kind": "status", "message": f"the server answered {error.code}"}
    except Exception as error:
        failure = {"outcome": "failed", "kind": kind_of(error), "message": f"{type(error).__name__}: {error}"}
    end = {"bytes": received, "write_nanos": 0, "check": check, "result": result}
    tell("task_finished", task=task, end={**(failure or {"outcome": "done"}), **end})


def open_lane(numbers):
    """Runs once on each thread of the pool."""
    place.lane = next(numbers)
    thread = threading.current_thread()
    worker = {"kind": "process", "pid": os.getpid(), "name": thread.name, "thread_id": thread.native_id}
    tell("lane_opened", lane=place.lane, worker=worker)


hello = json.loads(sys.stdin.readline())
run = hello["run"]
most_bytes = hello.get("max_bytes", float("inf"))
timeout = hello.get("timeout_seconds", threading.TIMEOUT_MAX)
work = {"download": download, "api": api, "sleep": sleep, "compute": compute}[hello["workload"]]
ready = {"message": "ready", "protocol": 1, "machine_nanos": time.monotonic_ns(),
         "name": f"Python {sys.version.split()[0]}, ThreadPoolExecutor"}
print(json.dumps(ready), flush=True)
lanes = iter(range(hello["workers"]))
pool = ThreadPoolExecutor(hello["workers"], "python", open_lane, (lanes,))
for line in sys.stdin:
    pool.submit(perform, json.loads(line))
# The input's end says that nobody wants the rest: threadrace is done, or gone. Nothing is waited for.
os._exit(0)
