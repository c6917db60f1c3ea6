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
export pki
fleet kill coordinator
# Even a node whose name is the coordinators' DNS name is no coordinator.
fleet_name=$(sed -n 's/^id=/fleet-/p' "$FLEET_DIR/fleet.conf")
fleetcap pki issue node "coordinator.$fleet_name" --dir "$pki" >/dev/null
for who in node-web-1 operator-admin "node-coordinator.$fleet_name"; do
    on coordinator bash -c 'serve "$@"' impostor "$(credential "$who" crt)" "$(credential "$who" key)" &
    within 10 "$who listens in the coordinator's place" on coordinator bash -c 'ss -Hltn | grep -q 7443'
    refused "an operator's command refuses $who" 6 'coordinator|certificate' fleetcap instance list
    sleep 3
    # shellcheck disable=SC2046 # one word per process
    kill $(on coordinator ss -Hltnp 'sport = :7443' | grep -o 'pid=[0-9]*' | cut -d = -f 2)
    wait || true
done

that "the nodes refused them too, and said so" grep -qiE 'certificate|not a coordinator' "$FLEET_DIR/members/web-2/log"
fleet start coordinator
within 30 "with the real one back, all are online" is 2 eval 'fleetcap instance list -o json | jq "[.[] | select(.online)] | length"'
