// Runs threadrace's tasks on Node's event loop.
//
// Waits and transfers are awaited; computing blocks the loop, which is what Node does. A thread of its own
// reads the input, because its end must end this program even while the loop computes. threadrace's page on
// the protocol says what each message means. Copy this file to race a program of your own.
"use strict";
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { Worker } = require("node:worker_threads");

const SAMPLE_NANOS = 50_000_000; // bytes are told about 20 times a second

const now = () => Number(process.hrtime.bigint());
const write = (message) => fs.writeSync(1, JSON.stringify(message) + "\n");

let run = 0;
let mostBytes = Infinity;
let timeout = Infinity; // in seconds
const tell = (event, more) => write({ at: now(), event, run, ...more });
const enter = (task, phase) => tell("phase_entered", { task, phase });

// A task gave up: a kind of error that threadrace knows, and words.
class Failed extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

// The kind of error that an exception is: the disk's name the file that they are about.
function kindOf(error) {
  if (error instanceof Failed) return error.kind;
  if (error.code === "ENOSPC" || error.code === "EDQUOT") return "disk_full";
  return error.path === undefined ? "raised" : "disk";
}

// The body's length where the answer tells it: no number but one that a body can have. What is coded in a way that
// Node leaves as it is can't be a whole answer.
function announced(response) {
  const coding = response.headers["transfer-encoding"] ?? "chunked";
  if (coding.trim().toLowerCase() !== "chunked") {
    throw new Failed("protocol", "the answer's body is coded in an unknown way");
  }
  const length = response.headers["content-length"];
  if (length === undefined) return null;
  if (!/^[0-9]{1,15}$/.test(length)) {
    throw new Failed("protocol", `the answer's Content-Length is ${JSON.stringify(length.slice(0, 40))}`);
  }
  return Number(length);
}

// Requests a URL, hands each chunk of the body to `keep`, and holds it against its length and the run's limits.
function fetch(task, url, keep) {
  tell("attempt_started", { task, number: 1 });
  enter(task, "connecting");
  let late;
  return new Promise((resolve, reject) => {
    let request;
    let answered = false;
    const giveUp = (failed) => {
      reject(failed);
      request.destroy();
    };
    const answer = (response) => {
      answered = true;
      let length;
      try {
        length = announced(response);
      } catch (failed) {
        return giveUp(failed);
      }
      const headers = [];
      for (let at = 0; at < response.rawHeaders.length; at += 2) {
        headers.push([response.rawHeaders[at], response.rawHeaders[at + 1]]);
      }
      const version = `HTTP/${response.httpVersion}`;
      const head = { status: response.statusCode, version, length, remote: null, redirected_to: null, headers };
      if (task < 500) tell("response_arrived", { task, head });
      if (response.statusCode !== 200) {
        response.destroy();
        return reject(new Failed("status", `the server answered ${response.statusCode}`));
      }
      let received = 0;
      let told = now();
      response.on("data", (chunk) => {
        if (received === 0) enter(task, "receiving");
        if (received + chunk.length > mostBytes) {
          return giveUp(new Failed("too_large", `the body is larger than ${mostBytes} bytes (download.max_bytes)`));
        }
        try {
          keep(chunk);
        } catch (error) {
          response.destroy(error);
        }
        received += chunk.length;
        if (now() - told >= SAMPLE_NANOS) {
          told = now();
          tell("bytes_arrived", { task, bytes: received });
        }
      });
      response.on("error", (error) => reject(kindOf(error) === "raised" ? new Failed("truncated", error.message) : error));
      response.on("end", () => {
        if (length === null || received === length) return resolve({ received, length });
        reject(new Failed("truncated", `the body ended after ${received} of ${length} bytes`));
      });
    };
    const send = () => {
      const sent = (url.startsWith("https:") ? https : http).get(url, answer);
      request = sent;
      sent.setTimeout(60_000, () => sent.destroy(new Failed("stalled", "no byte came for 60 s")));
      sent.on("socket", (socket) => {
        if (!socket.connecting) return enter(task, "waiting");
        socket.once("connect", () => enter(task, "waiting"));
      });
      sent.on("upgrade", (response) => {
        giveUp(new Failed("status", `the server answered ${response.statusCode}`));
      });
      // A server may close a kept connection at any time: what died on one before its answer is sent once more.
      const closed = (error) => sent.reusedSocket && !answered && error.code === "ECONNRESET";
      sent.on("error", (error) => (closed(error) ? send() : reject(error)));
    };
    send();
    if (Number.isFinite(timeout)) {
      const words = `not finished within ${timeout} s (download.timeout_seconds)`;
      // A timer takes no more than 2^31 - 1 ms.
      late = setTimeout(() => giveUp(new Failed("deadline", words)), Math.min(timeout * 1000, 2 ** 31 - 1));
    }
  }).finally(() => clearTimeout(late));
}

// A final name always means a complete file: it is written under another name first.
async function download(task, about) {
  const file = fs.openSync(about.part, "wx");
  try {
    const { received, length } = await fetch(task, about.url, (chunk) => {
      for (let at = 0; at < chunk.length; ) at += fs.writeSync(file, chunk, at);
    });
    enter(task, "writing");
    fs.linkSync(about.part, about.path); // unlike a rename, never replaces a file
    return { bytes: received, check: length === null ? "nothing" : "length" };
  } finally {
    fs.closeSync(file);
    fs.unlinkSync(about.part);
  }
}

async function api(task, about) {
  const chunks = [];
  const { received } = await fetch(task, about.url, (chunk) => chunks.push(chunk));
  const text = Buffer.concat(chunks).toString();
  JSON.parse(text);
  if (task < 500) tell("body_arrived", { task, text: text.slice(0, 4096) });
  return { bytes: received, check: "result" };
}

async function sleep(task, about) {
  enter(task, "sleeping");
  await new Promise((resolve) => setTimeout(resolve, about.seconds * 1000));
  return { result: `slept ${about.seconds} s` };
}

// Counts primes by dividing by odd numbers up to the root, as threadrace does.
function primesBelow(limit) {
  let count = limit > 2 ? 1 : 0;
  for (let number = 3; number < limit; number += 2) {
    let divisor = 3;
    while (divisor * divisor <= number && number % divisor) divisor += 2;
    if (divisor * divisor > number) count += 1;
  }
  return count;
}

async function compute(task, about) {
  if (about.computation !== "primes") throw new Failed("raised", "this program computes primes only");
  enter(task, "computing");
  return { result: `${primesBelow(about.below).toLocaleString("en")} primes` };
}

// Does one task, whatever comes of it.
async function perform(work, about, lane) {
  const { task } = about;
  tell("task_started", { task, lane });
  let end = { bytes: 0, write_nanos: 0, check: "nothing", result: null };
  try {
    end = { ...end, ...(await work(task, about)), outcome: "done" };
  } catch (error) {
    end = { ...end, outcome: "failed", kind: kindOf(error), message: error.message || String(error) };
  }
  tell("task_finished", { task, end });
}

// The thread that reads: passes lines on, and ends the whole process when there are no more.
function listen() {
  const chunk = Buffer.alloc(64 * 1024);
  let rest = Buffer.alloc(0);
  for (;;) {
    const length = fs.readSync(0, chunk);
    // The input's end says that nobody wants the rest: threadrace is done, or gone. A thread can only
    // end itself by exit, so the process is ended by a signal.
    if (length === 0) process.kill(process.pid, "SIGKILL");
    rest = Buffer.concat([rest, chunk.subarray(0, length)]);
    for (let end; (end = rest.indexOf(10)) >= 0; rest = rest.subarray(end + 1)) {
      parentPort.postMessage(rest.subarray(0, end).toString());
    }
  }
}

function main() {
  const works = { download, api, sleep, compute };
  const tasks = [];
  const free = [];
  let work;
  const next = () => {
    while (tasks.length > 0 && free.length > 0) {
      const lane = free.shift();
      perform(work, tasks.shift(), lane).then(() => {
        free.push(lane);
        next();
      });
    }
  };
  const hear = (line) => {
    const message = JSON.parse(line);
    if (message.message === "task") {
      tasks.push(message);
      return next();
    }
    run = message.run;
    mostBytes = message.max_bytes ?? mostBytes;
    timeout = message.timeout_seconds ?? timeout;
    work = works[message.workload];
    write({ message: "ready", protocol: 1, machine_nanos: now(), name: `Node ${process.versions.node}` });
    for (let lane = 0; lane < message.workers; lane += 1) {
      const worker = { kind: "process", pid: process.pid, name: `slot-${lane + 1}`, thread_id: process.pid };
      tell("lane_opened", { lane, worker });
      free.push(lane);
    }
  };
  // With `node -e` there is no file to start a thread from: it gets the function's text.
  const text = `const fs = require("node:fs"); const { parentPort } = require("node:worker_threads"); (${listen})()`;
  new Worker(text, { eval: true }).on("message", hear);
}

main();
