# lib.sh: what the system tests share: a fleet of their own, and sentences that hold or do not.
# shellcheck shell=bash
#
# A test sources this, calls fleet_up, and says what it expects: `that "sentence" COMMAND...`. The first sentence that
# does not hold ends the test, with the fleet's logs. The fleet is taken down whatever happens; a daemon that a
# sanitizer complained about fails the test.
set -euo pipefail
shopt -s nullglob

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${FLEET_BUILD:-$HERE/../../build/release}
readonly HERE BUILD
export HERE BUILD

if [[ $EUID -ne 0 ]]; then
    echo "SKIP: needs root, for network namespaces"
    exit 77
fi
for tool in ip jq tshark capinfos openssl; do
    command -v "$tool" >/dev/null || { echo "SKIP: needs $tool" && exit 77; }
done

TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/fleetcap-system.XXXXXX")
chmod 755 "$TEST_DIR"
export FLEET_DIR=$TEST_DIR/fleet TEST_DIR XDG_CONFIG_HOME=$TEST_DIR/config

fleet() { "$HERE/../fleet/fleet" "$@"; }
on() { fleet exec "$1" -- "${@:2}"; } # member command...

finish_test() {
    local status=$?
    trap - EXIT
    # shellcheck disable=SC2046 # one word per job
    kill $(jobs -p) 2>/dev/null || true
    if [[ -f $FLEET_DIR/fleet.conf ]]; then
        fleet stop || status=1
        fleet logs >"$TEST_DIR/logs" 2>/dev/null || true
        if grep -E -A 25 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' "$TEST_DIR/logs"; then
            echo "FAILED: a sanitizer complained"
            status=1
        fi
        [[ $status -eq 0 ]] || tail -n 60 "$TEST_DIR/logs"
        fleet down || status=1
    fi
    # Once more, for of a long log one sees the end.
    [[ $status -eq 0 ]] || cat "$TEST_DIR/not-ok" 2>/dev/null || echo "not ok: ended with exit status $status"
    rm -rf "$TEST_DIR"
    exit $status
}
trap finish_test EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fleet_up() {
    fleet up --build "$BUILD" --owner $$ "$@"
    eval "$(fleet env)"
}

# ---- sentences

no() {
    echo "not ok: $*" | tee "$TEST_DIR/not-ok"
    exit 1
}

that() { # sentence command...: the command succeeds
    local sentence=$1
    shift
    "$@" || no "$sentence ($*)"
    echo "ok: $sentence"
}

equal() { # sentence want got
    [[ $2 == "$3" ]] || no "$1: expected \"$2\", got \"$3\""
    echo "ok: $1"
}

within() { # seconds sentence command...: the command succeeds sooner or later
    local deadline=$((SECONDS + $1)) sentence=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS <= deadline)) || no "$sentence: not within the time ($*)"
        sleep 0.1
    done
    echo "ok: $sentence"
}

# A command that must fail: with this exit status and one sentence on stderr that matches.
refused() { # sentence status pattern command...
    local sentence=$1 want=$2 pattern=$3 got=0 said
    shift 3
    said=$(timeout 60 "$@" 2>&1 >/dev/null) || got=$?
    [[ $got -eq $want ]] || no "$sentence: expected exit status $want, got $got and \"$said\""
    [[ $said =~ $pattern ]] || no "$sentence: \"$said\" does not say \"$pattern\""
    [[ $(wc -l <<<"$said") -eq 1 ]] || no "$sentence: more than one sentence: \"$said\""
    echo "ok: $sentence: $said"
}

# ---- a peer that lies

# peer ROLE-NAME COMMAND...: as the holder of that certificate in $FLEET_DIR/pki, or `-` without any.
peer() {
    local who=$1
    local -a credentials=()
    shift
    [[ $who == - ]] || credentials=(--cert "$(credential "$who" crt)" --key "$(credential "$who" key)")
    timeout 180 "$HERE/peer.py" "${credentials[@]}" "$FLEETCAP_COORDINATOR" "$@"
}

credential() { # ROLE-NAME crt|key
    find "$TEST_DIR" "$FLEET_DIR/pki" "$FLEET_DIR/members" -maxdepth 2 -name "$1.$2" -print -quit
}

# ---- instances and captures

online_count() { fleetcap instance list -o json | jq '[.[] | select(.online)] | length'; }
show() { fleetcap capture show "$1" -o json; }                    # capture
of() { show "$1" | jq -r --arg i "$2" ".instances[] | select(.instance == \$i) | $3"; } # capture instance jq
state() { of "$1" "$2" .state; }
reason() { of "$1" "$2" .stopReason; }
written() { of "$1" "$2" .counters.writtenPackets; }
is() { [[ $("${@:2}") == "$1" ]]; }                               # value command...
# By a new helper, after that many gaps in all: what the coordinator knew before a daemon died does not count.
resumed() { [[ $(of "$1" "$2" '"\(.state) \(.gaps | length)"') == "RUNNING $3" ]]; } # capture instance gaps
all_are() { [[ $(show "$2" | jq -r '[.instances[].state] | unique | join(" ")') == "$1" ]]; } # state capture

# matched = written + drops by cause, on every instance of the capture.
accounted() {
    show "$1" | jq -e 'all(.instances[].counters; .matchedPackets == .writtenPackets + .droppedKernel + .droppedWriter +
        .droppedBeforeStart + .droppedAfterStop)' >/dev/null
}

# Sends this many UDP packets to port 9999 of an address that swallows them: each is on the wire once, without answer.
send() { # instance count [port]
    on "$1" bash -c 'exec 3>"/dev/udp/10.99.0.1/$2"; for ((i = 0; i < $1; i++)); do echo "packet $i" >&3; done' \
        send "$2" "${3:-9999}"
}

files_of() { # instance: sealed segments, and those being written
    find "$FLEET_DIR/members/$1/captures" -name '*.pcapng' | sort
}

parts_of() {
    find "$FLEET_DIR/members/$1/captures" -name '*.part'
}

# capinfos and tshark open it without a complaint; prints the number of packets on which they agree.
packets_of() { # file...
    local file complaint count total=0
    for file; do
        complaint=$(capinfos "$file" 2>&1 >/dev/null) || no "capinfos cannot read $file: $complaint"
        [[ -z $complaint ]] || no "capinfos complains about $file: $complaint"
        complaint=$(tshark -n -r "$file" 2>&1 >/dev/null | grep -v '^Running as user' || true)
        [[ -z $complaint ]] || no "tshark complains about $file: $complaint"
        count=$(tshark -n -r "$file" 2>/dev/null | wc -l)
        [[ $(capinfos -TrMc "$file" | cut -f 2) == "$count" ]] || no "capinfos and tshark count differently in $file"
        total=$((total + count))
    done
    echo "$total"
}
