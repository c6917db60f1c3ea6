#!/usr/bin/env bash
# ./quickstart from a clean clone: twice, then interrupted; nothing but build/ is left.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

left() { # output of a run: what is left of its fleet on this machine
    local id
    id=$(sed -n 's/^fleet \([0-9a-f]*\) in .*/\1/p' "$1")
    [[ -n $id ]] || no "the run made no fleet"
    ip netns list | grep "^fc$id-" || true
    ip -br link show | grep "^fc$id" || true
    find /etc/netns /run/fleetcap-test -name "*$id*" 2>/dev/null || true
    pgrep -af "$TEST_DIR/clone/build/release/bin/" || true
}
git clone -q "$HERE/../.." "$TEST_DIR/clone"
cd "$TEST_DIR/clone"
that "it runs" bash -c './quickstart >"$TEST_DIR/first" 2>&1 </dev/null || { tail -n 40 "$TEST_DIR/first" && false; }'
for instance in web-1 web-2 web-3 web-4; do
    that "the last table has $instance" grep -qE "^$instance +(eu|us) +[1-9]" "$TEST_DIR/first"
done
that "the verdict of fleetcap names the instance and its resolver" grep -q '^web-4 .*10\.99\.0\.53' "$TEST_DIR/first"
equal "nothing is left behind" "" "$(left "$TEST_DIR/first")"
equal "but build/" "" "$(git status --porcelain)"
that "it runs again" bash -c './quickstart >"$TEST_DIR/second" 2>&1 </dev/null'
./quickstart >"$TEST_DIR/third" 2>&1 </dev/null &
pid=$!
within 240 "a third run is in the middle" grep -q 'It runs; the jobs run too' "$TEST_DIR/third"
kill -TERM $pid
wait $pid || true
equal "interrupted, it leaves nothing behind" "" "$(left "$TEST_DIR/third")"
cd /
