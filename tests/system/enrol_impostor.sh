#!/usr/bin/env bash
# Who plays coordinator to a machine that wants to enrol: another CA, a stolen node key, the fleet's CA shown beside a leaf
# that it never signed. None of them may learn the token, nor give the machine a certificate.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 1 --enrolment
pki=$FLEET_DIR/pki
other=$TEST_DIR/other
fleet_name=$(sed -n 's/^id=/fleet-/p' "$FLEET_DIR/fleet.conf")
fleet host app-1 >/dev/null
token=$(token_for app us --ttl 10m)
mkdir "$other"
fleetcap pki init --fleet "$fleet_name" --dir "$other" >/dev/null
fleetcap pki issue coordinator main --dir "$other" --dns enrol.fleetcap.invalid --dns "$(fleet address coordinator)" >/dev/null
fleetcap pki issue coordinator other --dir "$pki" >/dev/null
cat "$pki/ca.crt" "$other/ca.crt" >"$TEST_DIR/both.crt"
cat "$other/ca.crt" "$pki/ca.crt" >"$TEST_DIR/both-again.crt"
fleet kill coordinator

serve() { # certificate key chain
    exec openssl s_server -accept "$FLEETCAP_COORDINATOR" -tls1_2 -cert "$1" -key "$2" -cert_chain "$3" \
        -www >"$TEST_DIR/impostor" 2>&1 </dev/null
}
export -f serve
impostor() { # sentence certificate key chain
    local said status=0
    on coordinator bash -c 'serve "$@"' impostor "${@:2}" &
    within 60 "somebody listens in the coordinator's place" on coordinator bash -c 'ss -Hltn | grep -q 7443'
    said=$(timeout 60 "$HERE/../fleet/fleet" enrol app-1 -- --token "$token" --wait 10s 2>&1) || status=$?
    # shellcheck disable=SC2046 # one word per process
    kill $(on coordinator ss -Hltnp 'sport = :7443' | grep -o 'pid=[0-9]*' | cut -d = -f 2)
    wait || true
    [[ $status -eq 6 || $status -eq 5 ]] || no "$1: exit status $status: $said"
    grep -qiE 'certificate|coordinator|pin|CA' <<<"$said" || no "$1: $said"
    [[ ! -e $MEMBERS/app-1/state/node.pem ]] || no "$1: the machine has a certificate"
    that "$1 is refused: $(tail -n 1 <<<"$said")" not grep -qF "$(cut -d . -f 3 <<<"$token")" "$TEST_DIR/impostor"
}

impostor "another CA" "$other/coordinator-main.crt" "$other/coordinator-main.key" "$other/ca.crt"
impostor "another CA that shows ours beside it" "$other/coordinator-main.crt" "$other/coordinator-main.key" "$TEST_DIR/both.crt"
impostor "the same the other way round" "$other/coordinator-main.crt" "$other/coordinator-main.key" "$TEST_DIR/both-again.crt"
impostor "a stolen node key" "$(credential node-web-1 crt)" "$(credential node-web-1 key)" "$pki/ca.crt"
impostor "a stolen operator key" "$pki/operator-admin.crt" "$pki/operator-admin.key" "$pki/ca.crt"
impostor "a coordinator of ours that does not show its CA" "$pki/coordinator-other.crt" "$pki/coordinator-other.key" "$pki/operator-admin.crt"

fleet start coordinator
equal "the token has not been used" 0 "$(token_field "$token" .used)"
that "with the real coordinator the machine enrols" fleet enrol app-1 -- --token "$token"
within 60 "and is online" online app-1
