#!/usr/bin/env bash
# Times threadrace against curl, wget2 and aria2 as downloaders: whole process, files to disk, from an nginx
# of its own on loopback. `benches/peers.sh --help` says how to run it; benches/README.md says what came out.
set -euo pipefail
export LC_ALL=C

usage() {
    cat <<'END'
usage: benches/peers.sh [--rounds N] [--load LOAD]... [--at N]... [--awake] [--apart] [--dir DIR]

Every tool downloads the same files in turn (A B C D, A B C D, ...), each time into an empty folder, after one
round that isn't counted. Prints median seconds, threadrace's divided by the fastest peer's, and the median of the same
ratio round by round, with the interval that holds it 95 times in 100 (sign test; from 6 rounds on).

  --rounds N   counted rounds (7; 5 for the large load)
  --load LOAD  few (20 x 2 MiB), many (1000 x 10 KiB) or large (4 x 512 MiB); all three when not given
  --at N       downloads at once; 1, 5 and 16 when not given
  --awake      keeps every processor from halting, with a loop on each that gives way to anything (SCHED_IDLE, Linux):
               what is left out is how long a processor takes to wake up, which on a virtual machine is long
  --apart      keeps the server on the first processor and the tools on the others (taskset, Linux): no tool gains
               by a thread of its own that keeps the server's processor from halting
  --dir DIR    where the folder with the files is made: /dev/shm when it has 9 GiB to spare (then no disk
               disturbs), else $TMPDIR, else /tmp. The large load needs 5 GiB, the others 100 MiB.

Needs bash 5 and nginx; curl, wget2 and aria2c as far as they are there. THREADRACE names another program
than target/release/threadrace.
END
}

fail() {
    echo "peers.sh: $*" >&2
    exit 1
}

rounds='' loads=() widths=() base='' awake='' apart=''
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2 && shift 2 ;;
    --load) loads+=("$2") && shift 2 ;;
    --at) widths+=("$2") && shift 2 ;;
    --awake) awake=yes && shift ;;
    --apart) apart=yes && shift ;;
    --dir) base=$2 && shift 2 ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
done
[ ${#loads[@]} -gt 0 ] || loads=(few many large)
[ ${#widths[@]} -gt 0 ] || widths=(1 5 16)

root=$(cd "$(dirname "$0")/.." && pwd)
threadrace=${THREADRACE:-$root/target/release/threadrace}
[ -n "${EPOCHREALTIME:-}" ] || fail "needs bash 5 or newer for its clock"
[ -x "$threadrace" ] || fail "$threadrace is missing: cargo build --release"
PATH=$PATH:/usr/sbin:/sbin
command -v nginx >/dev/null || fail "needs nginx to download from"
if [ -n "$awake" ]; then
    chrt -i 0 true 2>/dev/null || fail "--awake needs Linux and its command chrt (util-linux)"
fi
processors=$(getconf _NPROCESSORS_ONLN)
server_workers=auto
if [ -n "$apart" ]; then
    [ "$processors" -gt 1 ] || fail "--apart needs two processors"
    of_server=0 of_tools=1-$((processors - 1)) server_workers=1
    taskset -c "$of_server" true 2>/dev/null && taskset -c "$of_tools" true 2>/dev/null ||
        fail "--apart needs Linux, its command taskset (util-linux) and leave to use every processor"
fi
peers=()
for peer in curl wget2 aria2c; do
    if command -v $peer >/dev/null; then peers+=($peer); else echo "$peer is missing and left out"; fi
done
[ ${#peers[@]} -gt 0 ] || fail "there is no peer to compare with: install curl, wget2 or aria2"

if [ -z "$base" ]; then
    base=${TMPDIR:-/tmp}
    if [ -w /dev/shm ] && [ "$(df -Pk /dev/shm | awk 'NR == 2 { print $4 }')" -gt $((9 * 1024 * 1024)) ]; then
        base=/dev/shm
    fi
fi
dir=$(mktemp -d "$base/threadrace-peers.XXXXXX")
nginx_pid=
loops=()
clean_up() {
    if [ ${#loops[@]} -gt 0 ]; then
        kill "${loops[@]}" 2>/dev/null || true
        wait "${loops[@]}" 2>/dev/null || true
    fi
    if [ -n "$nginx_pid" ]; then
        kill "$nginx_pid" 2>/dev/null || true
        wait "$nginx_pid" 2>/dev/null || true
    fi
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# nginx started by root serves as another user, who has to get in.
chmod 755 "$dir"
mkdir "$dir/content" "$dir/out" "$dir/nginx"

serve() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + RANDOM % 30000))
        cat >"$dir/nginx/nginx.conf" <<END
worker_processes $server_workers;
pid $dir/nginx/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path $dir/nginx/body;
    proxy_temp_path $dir/nginx/proxy;
    fastcgi_temp_path $dir/nginx/fastcgi;
    uwsgi_temp_path $dir/nginx/uwsgi;
    scgi_temp_path $dir/nginx/scgi;
    server {
        listen 127.0.0.1:$port;
        root $dir/content;
    }
}
END
        nginx -p "$dir/nginx" -e stderr -c "$dir/nginx/nginx.conf" -g 'daemon off;' 2>"$dir/nginx/stderr" &
        nginx_pid=$!
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            kill -0 $nginx_pid 2>/dev/null || break
            if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
            sleep 0.05
        done
        kill $nginx_pid 2>/dev/null || true
        wait $nginx_pid 2>/dev/null || true
        nginx_pid=
    done
    cat "$dir/nginx/stderr" >&2
    fail "nginx does not start"
}

# make_load LOAD: its files, and the lists of their URLs as each tool wants them.
make_load() {
    local count size
    case $1 in
    few) count=20 size=$((2 << 20)) ;;
    many) count=1000 size=$((10 << 10)) ;;
    large) count=4 size=$((512 << 20)) ;;
    *) fail "there is no load $1: few, many or large" ;;
    esac
    rm -rf "$dir/content" && mkdir "$dir/content"
    for i in $(seq -w 1 $count); do
        head -c $size /dev/urandom >"$dir/content/file-$i.bin"
        echo "http://127.0.0.1:$port/file-$i.bin"
    done >"$dir/urls"
    awk '{ print "url = \"" $0 "\""; print "remote-name" }' "$dir/urls" >"$dir/urls.curl"
    listing "$dir/content" >"$dir/expected"
}

# listing FOLDER: each file in it with its size, hidden ones left out.
listing() {
    (cd "$1" && ls -l | awk 'NF > 8 { print $9, $5 }')
}

# start TOOL N: one run of a tool with N downloads at once; this, and nothing else, is timed.
start() {
    case $1 in
    pool | async) "$threadrace" --plain --urls "$dir/urls" -e "$1" -w "$2" -o "$dir/out" ;;
    curl) (cd "$dir/out" && exec curl -q -s -f -Z --parallel-max "$2" --parallel-immediate -K "$dir/urls.curl") ;;
    wget2)
        wget2 --no-config -q --progress=none --no-robots --no-hsts --max-threads="$2" \
            -P "$dir/out" -i "$dir/urls"
        ;;
    aria2c)
        aria2c --no-conf -q -j "$2" -x1 -s1 --file-allocation=none --summary-interval=0 \
            -d "$dir/out" -i "$dir/urls"
        ;;
    esac >"$dir/said" 2>&1
}

# check TOOL: every file is there with its size and nothing else is, and the last one has every byte.
check() {
    local out=$dir/out last
    case $1 in pool | async) out=$dir/out/$1 ;; esac
    listing "$out" | cmp -s - "$dir/expected" || fail "$1 did not download what was asked for"
    last=$(awk 'END { print $1 }' "$dir/expected")
    cmp -s "$dir/content/$last" "$out/$last" || fail "$1 downloaded other bytes in $last"
}

# one_run TOOL N: prints the seconds it took.
one_run() {
    local from to
    rm -rf "$dir/out" && mkdir "$dir/out"
    from=${EPOCHREALTIME/./}
    start "$1" "$2" || { cat "$dir/said" >&2; fail "$1 failed"; }
    to=${EPOCHREALTIME/./}
    check "$1"
    awk -v micros=$((to - from)) 'BEGIN { printf "%.6f\n", micros / 1e6 }'
}

median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.4f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# by_round OURS PEER: the median of the rounds' ratios, with the interval of the sign test in normal approximation.
by_round() {
    paste "$dir/seconds.$1" "$dir/seconds.$2" | awk '{ print $1 / $2 }' | sort -n | awk '
        { v[NR] = $1 }
        END {
            printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            k = int((NR - 1.96 * sqrt(NR)) / 2 + 0.5)
            if (NR >= 6 && k >= 1) printf " (%.2f to %.2f)", v[k], v[NR + 1 - k]
        }'
}

# cell LOAD N: a row of the table.
cell() {
    local tools=(pool "${peers[@]}") count=${rounds:-7} seconds ours best='' name='' which='' median
    [ "$2" -lt 16 ] || tools=(pool async "${peers[@]}")
    if [ "$1" = large ]; then count=${rounds:-5}; fi
    rm -f "$dir"/seconds.*
    for round in $(seq 0 "$count"); do
        for tool in "${tools[@]}"; do
            seconds=$(one_run "$tool" "$2")
            [ "$round" -eq 0 ] || echo "$seconds" >>"$dir/seconds.$tool"
        done
    done
    printf '%-6s %3s ' "$1" "$2"
    ours=''
    for tool in pool async curl wget2 aria2c; do
        if [ ! -f "$dir/seconds.$tool" ]; then
            printf ' %9s' -
            continue
        fi
        median=$(median "$dir/seconds.$tool")
        printf ' %9s' "$median"
        case $tool in
        pool | async) if [ -z "$ours" ] || [ "$(printf '%s\n' "$ours" "$median" | sort -n | head -1)" = "$median" ]; then
            ours=$median which=$tool
        fi ;;
        *) if [ -z "$best" ] || [ "$(printf '%s\n' "$best" "$median" | sort -n | head -1)" = "$median" ]; then
            best=$median name=$tool
        fi ;;
        esac
    done
    awk -v ours="$ours" -v best="$best" -v name="$name" 'BEGIN { printf "  %5.2f of %s, ", ours / best, name }'
    echo "by round $(by_round "$which" "$name")"
}

if [ -n "$awake" ]; then
    for _ in $(seq "$processors"); do
        chrt -i 0 "$BASH" -c 'while :; do :; done' &
        loops+=($!)
    done
fi
# What is started from here on stays where this shell is.
if [ -n "$apart" ]; then taskset -cp "$of_server" $$ >/dev/null; fi
serve
if [ -n "$apart" ]; then taskset -cp "$of_tools" $$ >/dev/null; fi
echo "in $dir, $processors processors${awake:+ kept awake}${apart:+, the first for the server}; median seconds of a whole process"
printf '%-6s %3s  %9s %9s %9s %9s %9s  %s\n' load at pool async curl wget2 aria2c 'ours / fastest peer'
for load in "${loads[@]}"; do
    make_load "$load"
    for width in "${widths[@]}"; do
        cell "$load" "$width"
    done
done
