#!/usr/bin/env bash
# golden_state.sh BUILD DIRECTORY: what the programs of a release leave on the disk, for test_wire_state.c.
#
# A fleet of BUILD's programs runs the story that the test knows, and is killed in the middle of it. DIRECTORY gets the
# coordinator's database as SQL (coordinator.sql) and web-1's captures directory (node/). See docs/protocol.md.
set -euo pipefail

build=${1:?which build} out=${2:?which directory}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ ! -e $out ]] || { echo "golden_state: $out is there already: a release's state is never made again" >&2 && exit 1; }
export FLEET_DIR=/tmp/fleet # it stands in the files
fleet() { "$here/../fleet/fleet" "$@"; }
trap 'fleet down' EXIT

send() { # instance count
    fleet exec "$1" -- bash -c \
        'exec 3>"/dev/udp/10.99.0.1/9999"; for ((i = 0; i < $1; i++)); do echo "packet $i" >&3; done' send "$2"
}

until_written() { # capture count
    local deadline=$((SECONDS + 20))
    until [[ $(fleetcap capture show "$1" -o json | jq '[.instances[].counters.writtenPackets] | add') == "$2" ]]; do
        ((SECONDS < deadline)) || { echo "golden_state: $1 does not come to $2 packets" >&2 && exit 1; }
        sleep 0.2
    done
}

fleet up --build "$build" --owner $$ --instances 2 --enrolment
eval "$(fleet env)"
fleetcap token create --scale-set web --region eu --uses 3 --ttl 1h -q >/dev/null
fleetcap capture create -n finished --scale-set web --filters \
    '[{"protocol":"UDP","remotePort":"9999"},{"protocol":"TCP","remoteIPAddress":"10.0.0.0/8","localPort":"8000-8010"}]' \
    --time-limit 5m --packet-limit 1000 --ring 3:64MiB --reason "golden state" --owner ops --incident INC-7 --tag team=net
send web-1 5
send web-2 3
until_written finished 8
fleetcap capture stop finished
fleet kill web-2 --all
fleetcap capture create -n going --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 10m --no-wait
sleep 3 # the arming time, because web-2 is away
send web-1 7
until_written going 7
sleep 4 # counters and profiles reach the disks
fleet kill web-1 -KILL --all
fleet kill coordinator -KILL

mkdir -p "$out"
database=$FLEET_DIR/members/coordinator/state/fleetcap.db
{
    echo "PRAGMA user_version=$(sqlite3 "$database" 'PRAGMA user_version');"
    sqlite3 "$database" .dump
} | sed -E 's/[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}/00000000-0000-4000-8000-000000000001/g' >"$out/coordinator.sql"
cp -r "$FLEET_DIR/members/web-1/captures" "$out/node"
rm -f "$out/node/.lease"
chmod -R u=rwX,go=rX "$out"
