#!/usr/bin/env bash
# Strangers who fill the door, and machines that fight over one name: operators, nodes and honest machines get through.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 2 --enrolment
fleet host app-1 >/dev/null
fleet host crowd >/dev/null
token=$(token_for app us --uses 50)
counter() { fleetcap fleet show -o json | jq ".counters.$1"; }

peer - strangers 400 15 >"$TEST_DIR/strangers" &
within 150 "400 strangers come and stay" grep -q 'strangers 400' "$TEST_DIR/strangers"
# Where the handshakes of 400 take half a minute, the time of the first is over before the last has come.
that "no more than 256 of them at once: others were sent away" \
    test $(($(counter rpc_refused_anonymous) + $(counter rpc_expired_anonymous))) -ge 144
that "an operator is served" bash -c 'timeout 30 fleetcap instance list >/dev/null'
fleet kill web-2
within 60 "a node is away" not online web-2
fleet start web-2
within 60 "a node comes back" online web-2
that "an honest machine enrols" fleet enrol app-1 -- --token "$token" --wait 180s
within 60 "and is online" online app-1
wait
equal "the rest of the strangers is no node" 0 "$(fleetcap instance list -o json | jq '[.[] | select(.id | test("^(web|app)-") | not)] | length')"

printf '%s\n' "$token" >"$TEST_DIR/token"
mkdir "$TEST_DIR/same"
# shellcheck disable=SC2016 # expanded in there
on crowd bash -c '
    for ((i = 1; i <= 20; i++)); do
        {
            status=0
            "$2/bin/fleetcap-node" enroll --coordinator "$3" --token-file "$1/token" --id same --name same --metadata none \
                --state-dir "$1/same/$i" --wait 180s >"$1/same/$i.log" 2>&1 || status=$?
            echo $status >"$1/same/$i.status"
        } &
    done
    wait' fight "$TEST_DIR" "$BUILD" "$FLEETCAP_COORDINATOR"
equal "of 20 machines with one id at once, one gets it" 1 "$(grep -lx 0 "$TEST_DIR"/same/*.status | wc -l)"
equal "and 19 are told that it is taken" 19 "$(grep -lx 7 "$TEST_DIR"/same/*.status | wc -l)"
equal "which used the token once" 2 "$(token_field "$token" .used)"
