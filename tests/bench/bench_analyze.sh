#!/usr/bin/env bash
# bench_analyze.sh: `fleetcap analyze` on 3,000,000 packets beside capinfos and tshark, in one run on one machine.
#
#   bench_analyze.sh [PACKETS [TSHARK_PACKETS]]
#
# Each program runs alone, its file in /dev/shm, so that no disk counts. tshark reads the first TSHARK_PACKETS (default: all); where
# that is a part, its time is scaled to all of them, and said to be. Figures are wall time; the best of three runs, of tshark one.
set -euo pipefail

BUILD=${FLEET_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/release}
PACKETS=${1:-3000000}
SLICE=${2:-$PACKETS}
for number in "$PACKETS" "$SLICE"; do
    [[ $number =~ ^[1-9][0-9]{0,8}$ ]] || { echo "bench_analyze.sh: \"$number\" is no number of packets" >&2 && exit 2; }
done
DIR=$(mktemp -d /dev/shm/fleetcap-bench-XXXXXX)
trap 'rm -rf "$DIR"' EXIT
for tool in capinfos tshark awk; do
    command -v "$tool" >/dev/null || { echo "needs $tool" >&2 && exit 2; }
done

# Best wall time of N runs, in seconds.
timed() { # runs command...
    local runs=$1 best='' took i TIMEFORMAT=%R
    shift
    for ((i = 0; i < runs; i++)); do
        took=$({ time "$@" >"$DIR/out" 2>"$DIR/err" || cat "$DIR/err" >&2; } 2>&1)
        best=$(awk -v a="${best:-$took}" -v b="$took" 'BEGIN { print a < b ? a : b }')
    done
    echo "$best"
}

calculate() { # expression
    awk "BEGIN { printf \"%.2f\", $1 }"
}

for kind in one many tcp; do
    file=$DIR/$kind.pcapng
    "$BUILD/bin/bench-analyze" make $kind "$PACKETS" "$file"
    "$BUILD/bin/bench-analyze" make $kind "$SLICE" "$DIR/slice.pcapng"
    cat "$file" >/dev/null
    ours=$(timed 3 "$BUILD/bin/fleetcap" analyze "$file" -o json)
    capinfos=$(timed 3 capinfos "$file")
    tshark=$(timed 1 tshark -q -z conv,tcp -z dns,tree -r "$DIR/slice.pcapng")
    scaled=$(calculate "$tshark * $PACKETS / $SLICE")
    echo "$kind: $PACKETS packets, $(($(stat -c %s "$file") >> 20)) MiB"
    echo "  fleetcap analyze $ours s ($(calculate "$ours * 1e9 / $PACKETS") ns a packet)"
    echo "  capinfos         $capinfos s: analyze takes $(calculate "$ours / $capinfos") x as long (at most 1.00)"
    echo "  tshark           $scaled s$([[ $SLICE == "$PACKETS" ]] || echo ", scaled from $SLICE packets in $tshark s"): analyze is $(calculate "$scaled / $ours") x faster (at least 50)"
    "$BUILD/bin/bench-analyze" read "$file" 3 | sed 's/^/  library, on its own: /'
    rm -f "$file"
done
