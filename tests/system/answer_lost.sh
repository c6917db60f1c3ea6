#!/usr/bin/env bash
# The connection is lost when an order was carried out, before its answer came: the command asks again, and nothing is done twice.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 2 --enrolment
fleet host app-1 >/dev/null
database=$MEMBERS/coordinator/state/fleetcap.db
from_store() { sqlite3 -readonly "$database" "$1"; }

# Runs a command over a way that loses the answer after which `query` gives another number: query command...
losing() {
    local port='' status=0 name=${FLEETCAP_COORDINATOR%:*}
    rm -f "$TEST_DIR/way"
    "$HERE/answer_lost.py" "$FLEETCAP_COORDINATOR" "$database" "$1" >"$TEST_DIR/way" 2>"$TEST_DIR/way.err" &
    local way=$!
    within 60 "a way is open" test -s "$TEST_DIR/way"
    read -r port <"$TEST_DIR/way"
    FLEETCAP_COORDINATOR=127.0.0.1:$port FLEETCAP_SERVER_NAME=$name "${@:2}" || status=$?
    kill "$way"
    wait "$way" || true
    that "the answer was lost on it" grep -qx lost "$TEST_DIR/way"
    return $status
}

losing 'SELECT count(*) FROM token' fleetcap token create --scale-set app --region us -o json >"$TEST_DIR/out"
sed -n '/^{/,$p' "$TEST_DIR/out" | sed '/^}/q' >"$TEST_DIR/created"
equal "one token was made" 1 "$(from_store 'SELECT count(*) FROM token')"
token=$(jq -r .token "$TEST_DIR/created")
that "it is the one that was told" test "$(from_store 'SELECT id FROM token')" = "$(token_id "$token")"
that "and it lets a machine in" fleet enrol app-1 -- --token "$token"
within 60 "which is online" online app-1

that "a capture" fleetcap capture create job --scale-set web --time-limit 5m
losing "SELECT count(*) FROM audit WHERE action = 'delete'" fleetcap capture delete job --stop --yes -o json >"$TEST_DIR/out"
that "its deletion was done before, says the second answer" grep -q '"doneBefore": true' "$TEST_DIR/out"
equal "and it was deleted once" 1 "$(from_store "SELECT count(*) FROM audit WHERE action = 'delete' AND outcome = 'ok'")"

losing 'SELECT count(*) FROM removed' fleetcap instance remove app-1 --yes -o json >"$TEST_DIR/out"
that "so was the removal" grep -q '"doneBefore": true' "$TEST_DIR/out"
that "of that instance" grep -q '"id": "app-1"' "$TEST_DIR/out"
equal "which was removed once" 1 "$(from_store "SELECT count(*) FROM audit WHERE action = 'instance-remove' AND outcome = 'ok'")"

noted=$(timeout 60 script -qec 'fleetcap token create --scale-set wbe --region eu' /dev/null)
that "a scale set that no instance has is noted on a terminal" grep -q "no instance of scale set 'wbe' is known yet; known: web" <<<"$noted"
that "and the token is made" grep -q 'fct1\.' <<<"$noted"
