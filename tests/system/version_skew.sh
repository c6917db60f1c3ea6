#!/usr/bin/env bash
# Programs of different releases in one fleet: a release apart they work together; further apart one is refused, with a
# sentence on both sides, and everybody else goes on. The programs of other releases are this one's, linked with another
# range of protocol versions.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

release=$TEST_DIR/release # what the fleet runs: programs in it are replaced as an upgrade would
mkdir -p "$release/bin"
cp "$BUILD"/bin/fleetcap{,-node,-coordinator,-capture} "$release/bin/"

install() { # program[-skew]: from now on started as that program
    local program=${1#fleetcap-}
    program=fleetcap-${program%%-*}
    local from=$BUILD/tests/skew/$1
    [[ -e $from ]] || from=$BUILD/bin/$1
    cp "$from" "$release/bin/.new"
    mv "$release/bin/.new" "$release/bin/$program"
}

upgrade() { # member program: of that member alone; others are not started meanwhile
    install "$2"
    fleet kill "$1" --all
    fleet start "$1"
}

log_of() { cat "$FLEET_DIR/members/$1/log"; }
says() { log_of "$1" | grep -F -- "$2" >/dev/null; }
times() { log_of "$1" | grep -cF -- "$2" || true; }
online() { fleetcap instance show "$1" -o json | jq -r .online; }
audit() { sqlite3 "$FLEET_DIR/members/coordinator/state/fleetcap.db" "$1"; }

# A capture on these instances: started, counted, stopped, with its profile.
capture_runs() { # name instance...
    local name=$1 instance
    shift
    that "a capture on $*" fleetcap capture create -n "$name" --scale-set web --include "$(IFS=, && echo "$*")" \
        --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
    within 60 "it runs everywhere" all_are RUNNING "$name"
    for instance; do
        send "$instance" 20
        within 60 "$instance counts" is 20 written "$name" "$instance"
    done
    that "it is stopped" fleetcap capture stop "$name"
    that "everywhere" all_are STOPPED "$name"
    that "every packet is accounted for" accounted "$name"
    for instance; do
        within 60 "$instance's profile has them" eval \
            "fleetcap capture profile $name --instance $instance -o json | jq -e '.[0].profile.counters.packetsOut == 20'"
    done
}

fleet up --build "$release" --owner $$ --instances 3
eval "$(fleet env)"

that "a capture that runs through two upgrades" fleetcap capture create -n through --scale-set web --include web-1,web-2 \
    --filters '[{"protocol":"UDP","remotePort":"9998"}]' --time-limit 5m
send web-2 20 9998
within 60 "it counts" is 20 written through web-2

# A node of the next release. The daemon before it dies, its helper seals: as in a restart.
install fleetcap-node-newer
fleet kill web-2 -KILL
fleet start web-2
within 60 "a node that is one release newer is online" is true online web-2
within 60 "and goes on, after a gap, with what the older one was capturing" resumed through web-2 1
send web-2 20 9998
within 60 "in the same account" is 40 written through web-2
capture_runs newer-node web-1 web-2 web-3

# A node that has given up the version we speak.
that "a capture that goes on meanwhile" fleetcap capture create -n meanwhile --scale-set web --include web-1,web-2 \
    --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
sentence='the node speaks protocol version 2, this coordinator 1: upgrade the coordinator'
begin=$SECONDS
upgrade web-3 fleetcap-node-too-new
within 60 "a node that is too new is refused, and the coordinator says why" says coordinator "$sentence"
within 60 "and the node" says web-3 "the coordinator refuses this instance: $sentence"
within 30 "it is not online" is false online web-3
equal "and the list of instances has the three it had" "web-1 web-2 web-3" \
    "$(fleetcap instance list -o json | jq -r '[.[].id] | sort | join(" ")')"
within 30 "it is counted" eval "fleetcap fleet show -o json | jq -e '.counters.coordinator_hellos_version >= 1'"
within 60 "it is in the audit log" eval "[[ \$(audit \"SELECT count(*) FROM audit WHERE principal = 'node/web-3' AND
    action = 'hello' AND detail = '$sentence'\") -ge 1 ]]"
sleep 3
that "it does not hammer: it waits half a minute" test "$(times coordinator "$sentence")" -le $((1 + (SECONDS - begin) / 30))
send web-1 20
send web-2 20
within 60 "the others go on" is 20 written meanwhile web-1
within 60 "both of them" is 20 written meanwhile web-2
that "and stop" fleetcap capture stop meanwhile

# The coordinator of the next release: it speaks to both ages.
install fleetcap-node
upgrade coordinator fleetcap-coordinator-newer
for instance in web-1 web-2 web-3; do
    within 60 "$instance is online with a coordinator that is one release newer" is true online "$instance"
done
within 60 "the capture from before both upgrades is known to it" is RUNNING state through web-2
that "and stopped by it" fleetcap capture stop through
equal "with all its packets" 40 "$(written through web-2)"
that "accounted for" accounted through
capture_runs newer-coordinator web-1 web-2 web-3

# A coordinator that has given up the version that this release speaks.
sentence='the node speaks protocol version 1, this coordinator 2 to 3: upgrade the node'
upgrade coordinator fleetcap-coordinator-too-new
for instance in web-2 web-3; do
    within 60 "$instance is online with a coordinator that is two releases newer" is true online "$instance"
done
within 60 "an old node is refused, and says why" says web-1 "$sentence"
within 60 "and the coordinator" says coordinator "$sentence"
within 30 "it is not online" is false online web-1
capture_runs too-new-coordinator web-2 web-3

# Back again: who was refused is there at once.
upgrade coordinator fleetcap-coordinator
within 60 "with the coordinator as it was, the old node is back at once" is true online web-1
within 60 "and the newer one" is true online web-2
capture_runs back web-1 web-2
