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

if [[ $EUID -ne 0 ]]; then
    echo "SKIP: needs root, for network namespaces"
    exit 77
fi
for tool in ip jq tshark capinfos openssl; do
    command -v "$tool" >/dev/null || { echo "SKIP: needs $tool" && exit 77; }
done

TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/fleetcap-system.XXXXXX")
chmod 755 "$TEST_DIR"
export FLEET_DIR=$TEST_DIR/fleet TEST_DIR

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
    echo "not ok: $*"
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
        ((SECONDS < deadline)) || no "$sentence: not within the time ($*)"
        sleep 0.1
    done
    echo "ok: $sentence"
}

# A command that must fail: with this exit status and one sentence on stderr that matches.
refused() { # sentence status pattern command...
    local sentence=$1 want=$2 pattern=$3 got=0 said
    shift 3
    said=$(timeout 30 "$@" 2>&1 >/dev/null) || got=$?
    [[ $got -eq $want ]] || no "$sentence: expected exit status $want, got $got and \"$said\""
    [[ $said =~ $pattern ]] || no "$sentence: \"$said\" does not say \"$pattern\""
    [[ $(wc -l <<<"$said") -eq 1 ]] || no "$sentence: more than one sentence: \"$said\""
    echo "ok: $sentence: $said"
}
