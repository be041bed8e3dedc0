"""Runs threadrace's tasks on Python's event loop: asyncio.

Waits are awaited. What blocks goes to a thread: the standard library has no HTTP client for asyncio, so
each request is an asyncio.to_thread, which is what most programs do. Computing blocks the loop, and is
left to: that is what this program shows. threadrace's page on the protocol says what each message means.
"""

import asyncio
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


def fetch(task, url, keep):
    """Requests a URL, hands each chunk of the body to `keep`, and holds it against its length and the run's
    limits; on a thread. urllib doesn't say when it has connected, so all the time before the body counts as
    waiting."""
    since = time.monotonic()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = request(url)
    with opener.open(asked, timeout=min(STALL_SECONDS, timeout)) as response:
        length = announced(response.headers)
        if task < 500:
            tell("response_arrived", task=task, head=head_of(response, asked, length))
        if response.status != 200:
            raise Failed("status", f"the server answered {response.status}")
        received, told = 0, time.monotonic_ns()
        while chunk := response.read1(CHUNK):
            if received == 0:
                enter(task, "receiving")
            received += len(chunk)
            if received > most_bytes:
                raise Failed("too_large", f"the body is larger than {most_bytes} bytes (download.max_bytes)")
            if time.monotonic() - since > timeout:
                raise Failed("deadline", f"not finished within {timeout:g} s (download.timeout_seconds)")
            keep(chunk)
            if time.monotonic_ns() - told >= SAMPLE_NANOS:
                told = time.monotonic_ns()
                tell("bytes_arrived", task=task, bytes=received)
    if length is not None and received != length:
        raise Failed("truncated", f"the body ended after {received} of {length} bytes")
    return received, length


def fetch_to_file(task, about):
    """A final name always means a complete file: it is written under another name first."""
    with open(about["part"], "xb") as file:
        try:
            received, length = fetch(task, about["url"], file.write)
            enter(task, "writing")
            file.flush()
            os.link(about["part"], about["path"])  # unlike a rename, never replaces a file
        finally:
            os.remove(about["part"])
    return received, "nothing" if length is None else "length", None


async def download(task, about):
    tell("attempt_started", task=task, number=1)
    enter(task, "waiting")
    return await asyncio.to_thread(fetch_to_file, task, about)


async def api(task, about):
    tell("attempt_started", task=task, number=1)
    enter(task, "waiting")
    body = bytearray()
    received, _ = await asyncio.to_thread(fetch, task, about["url"], body.extend)
    text = body.decode()
    json.loads(text)
    if task < 500:
        tell("body_arrived", task=task, text=text[:4096])
    return received, "result", None


async def sleep(task, about):
    enter(task, "sleeping")
    await asyncio.sleep(about["seconds"])
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


async def compute(task, about):
    if about.get("computation") != "primes":
        raise Failed("raised", "this program computes primes only")
    enter(task, "computing")
    return 0, "nothing", f"{primes_below(about['below']):,} primes"


async def perform(about, lane):
    """Does one task, whatever comes of it."""
    task = about["task"]
    tell("task_started", task=task, lane=lane)
    received, check, result, failure = 0, "nothing", None, None
    try:
        received, check, result = await work(task, about)
    except Failed as failed:
        failure = {"outcome": "failed", "kind": failed.kind, "message": str(failed)}
    except urllib.error.HTTPError as error:
        failure = {"outcome": "failed", "kind": "status", "message": f"the server answered {error.code}"}
    except Exception as error:
        failure = {"outcome": "failed", "kind": kind_of(error), "message": f"{type(error).__name__}: {error}"}
    end = {"bytes": received, "write_nanos": 0, "check": check, "result": result}
    tell("task_finished", task=task, end={**(failure or {"outcome": "done"}), **end})


async def slot(lane, tasks):
    """A place for one task in flight: takes the next task as soon as it is free."""
    worker = {"kind": "process", "pid": os.getpid(), "name": f"slot-{lane + 1}",
              "thread_id": threading.get_native_id()}
    tell("lane_opened", lane=lane, worker=worker)
    while True:
        await perform(await tasks.get(), lane)


def listen(loop, tasks):
    """Reads tasks, on a thread: reading blocks."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(tasks.put_nowait, json.loads(line))
    # The input's end says that nobody wants the rest: threadrace is done, or gone. Nothing is waited for.
    os._exit(0)


async def main():
    loop, tasks = asyncio.get_running_loop(), asyncio.Queue()
    loop.set_default_executor(ThreadPoolExecutor(hello["workers"]))
    threading.Thread(target=listen, args=(loop, tasks), daemon=True).start()
    await asyncio.gather(*(slot(lane, tasks) for lane in range(hello["workers"])))


hello = json.loads(sys.stdin.readline())
run = hello["run"]
most_bytes = hello.get("max_bytes", float("inf"))
timeout = hello.get("timeout_seconds", threading.TIMEOUT_MAX)
work = {"download": download, "api": api, "sleep": sleep, "compute": compute}[hello["workload"]]
ready = {"message": "ready", "protocol": 1, "machine_nanos": time.monotonic_ns(),
         "name": f"Python {sys.version.split()[0]}, asyncio"}
print(json.dumps(ready), flush=True)
asyncio.run(main())
