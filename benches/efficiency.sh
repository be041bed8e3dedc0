#!/usr/bin/env bash
# How close a pool comes to the perfect speedup: 20 tasks that wait 300 ms each, on 5 workers.
# Prints speedup and efficiency of the pool and of async against the sequential run of the same race.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/waits.toml" <<'END'
format = "threadrace-config-1"
[scenarios.waits]
about = "20 bodies that come after 300 ms each, as fast as they can"
content = "bytes"
tasks = 20
bytes = 102400
executors = ["sequential", "pool", "async"]
workers = 5
[scenarios.waits.origin]
latency_seconds = 0.3
END
"${THREADRACE:-$root/target/release/threadrace}" waits --config "$dir/waits.toml" --plain -o "$dir/out" 2>/dev/null
