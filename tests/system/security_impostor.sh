#!/usr/bin/env bash
# A stolen node key cannot play coordinator, neither to operators nor to nodes.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2
pki=$FLEET_DIR/pki
serve() { # certificate key: a TLS server in the coordinator's place
    exec openssl s_server -quiet -accept "$FLEETCAP_COORDINATOR" -tls1_2 -cert "$1" -key "$2" -CAfile "$pki/ca.crt" \
        -Verify 2 >"$TEST_DIR/impostor" 2>&1 </dev/zero
}
export -f serve
refusals() { grep -cE 'is not for coordinator|may not be the server' "$FLEET_DIR/members/$1/log" || true; } # instance
grows() { [[ $(refusals "$1") -gt ${before[${1#web-}]} ]]; }
export pki
fleet kill coordinator
# Even a node whose name is the coordinators' DNS name is no coordinator.
fleet_name=$(sed -n 's/^id=/fleet-/p' "$FLEET_DIR/fleet.conf")
fleetcap pki issue node "coordinator.$fleet_name" --dir "$pki" >/dev/null
for who in node-web-1 operator-admin "node-coordinator.$fleet_name"; do
    before=([1]=$(refusals web-1) [2]=$(refusals web-2))
    on coordinator bash -c 'serve "$@"' impostor "$(credential "$who" crt)" "$(credential "$who" key)" &
    within 30 "$who listens in the coordinator's place" on coordinator bash -c 'ss -Hltn | grep -q 7443'
    refused "an operator's command refuses $who" 6 'coordinator|certificate' fleetcap instance list
    for instance in web-1 web-2; do
        within 60 "$instance refuses $who too, and says so" grows "$instance"
    done
    # shellcheck disable=SC2046 # one word per process
    kill $(on coordinator ss -Hltnp 'sport = :7443' | grep -o 'pid=[0-9]*' | cut -d = -f 2)
    wait || true
done

fleet start coordinator
within 90 "with the real one back, all are online" is 2 online_count
