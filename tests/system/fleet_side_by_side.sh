#!/usr/bin/env bash
# The harness: two fleets side by side do not see each other, and what it made it removes, even after a crash.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

left() { # id: what is left of a fleet on this machine
    ip netns list | grep "^fc$1-" || true
    ip -br link show | grep "^fc$1" || true
    find /etc/netns -name "fc$1-*" 2>/dev/null || true
    find /run/fleetcap-test -name "$1" 2>/dev/null || true
}
id() { sed -n 's/^id=//p' "$1/fleet.conf"; }
online() { (eval "$(fleet --dir "$1" env)" && fleetcap instance list -o json | jq -r '[.[].name] | sort | join(" ")'); }

fleet_up --instances 1
fleet --dir "$TEST_DIR/second" up --build "$BUILD" --owner $$ --regions eu=1,us=2

second=$(id "$TEST_DIR/second")
equal "the first has its instances" web-1 "$(online "$FLEET_DIR")"
equal "the second has its own" "web-1 web-2 web-3" "$(online "$TEST_DIR/second")"
that "an instance has one interface, eth0" test "$(on web-1 ip -br link show | awk '$1 != "lo" { sub("@.*", "", $1); print $1 }')" = eth0
equal "a command runs on the instance" "$(fleet address web-1)" "$(on web-1 ip -4 -o address show eth0 | awk '{ sub("/.*", "", $4); print $4 }')"
fleet --dir "$TEST_DIR/second" down
equal "of the second nothing is left" "" "$(left "$second")"
that "nor its directory" test ! -e "$TEST_DIR/second"
equal "the first is untouched" web-1 "$(online "$FLEET_DIR")"

sleep 600 &
owner=$!
fleet --dir "$TEST_DIR/crashed" up --build "$BUILD" --owner $owner --instances 1
third=$(id "$TEST_DIR/crashed")
exec {lock}</run # or the next command is that of a test beside this one
flock "$lock"
kill -KILL $owner
wait $owner || true
that "an owner that is killed leaves its fleet behind" test -n "$(left "$third")"
exec {lock}<&-
fleet gc
within 60 "the next command removes it" is "" left "$third"

fleet --dir "$TEST_DIR/lost" up --build "$BUILD" --owner $$ --instances 1
fourth=$(id "$TEST_DIR/lost")
rm -rf "$TEST_DIR/lost"
fleet --dir "$TEST_DIR/lost" down
equal "a fleet whose directory is gone is taken down by its name" "" "$(left "$fourth")"

"$HERE/../fleet/fleet" --dir "$TEST_DIR/half" up --build "$BUILD" --owner $$ --instances 30 >/dev/null 2>&1 &
within 60 "an up is under way" test -e "$TEST_DIR/half/members/web-2/config.yaml"
kill -TERM $!
wait $! || true
that "an interrupted up leaves nothing" test ! -e "$TEST_DIR/half/fleet.conf"
equal "the first is still there" web-1 "$(online "$FLEET_DIR")"
