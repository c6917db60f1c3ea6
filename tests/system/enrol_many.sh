#!/usr/bin/env bash
# Two hundred machines at once, and more machines than a token has uses for.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 2 --enrolment
fleet host crowd >/dev/null

enrol_all() { # name count token: every exit status, one a line, in $TEST_DIR/NAME.status
    local name=$1 count=$2 token=$3
    mkdir "$TEST_DIR/$name"
    printf '%s\n' "$token" >"$TEST_DIR/$name.token"
    # shellcheck disable=SC2016 # expanded in there
    on crowd bash -c '
        for ((i = 1; i <= $2; i++)); do
            {
                status=0
                "$4/bin/fleetcap-node" enroll --coordinator "$5" --token-file "$3/$1.token" --id "$1-$i" --name "$1-$i" \
                    --metadata none --state-dir "$3/$1/$i" --wait 180s >"$3/$1/$i.log" 2>&1 || status=$?
                echo $status >"$3/$1/$i.status"
            } &
        done
        wait' enrol-all "$name" "$count" "$TEST_DIR" "$BUILD" "$FLEETCAP_COORDINATOR"
    cat "$TEST_DIR/$name"/*.status >"$TEST_DIR/$name.status"
    equal "all $count have ended" "$count" "$(wc -l <"$TEST_DIR/$name.status")"
}

token=$(token_for crowd eu --uses 200)
start=$(date +%s%N)
enrol_all all 200 "$token"
ms=$((($(date +%s%N) - start) / 1000000))
failed=$(grep -cvx 0 "$TEST_DIR/all.status" || true)
[[ $failed -eq 0 ]] || tail -q -n 1 "$TEST_DIR"/all/*.log | sort | uniq -c | sort -rn | sed 20,\$d
equal "200 enrolled at once, in $ms ms" 0 "$failed"
equal "with 200 uses of the token" "used up 200" "$(token_field "$token" '"\(.state) \(.used)"')"
equal "and 200 certificates" 200 "$(find "$TEST_DIR/all" -name node.pem -exec openssl x509 -noout -serial -in {} \; | sort -u | wc -l)"
that "that our CA signed" bash -c 'find "$1" -name node.pem -print0 | xargs -0 openssl verify -CAfile "$2" >/dev/null' \
    verify "$TEST_DIR/all" "$FLEET_DIR/pki/ca.crt"
equal "the enrolments are listed" 200 "$(fleetcap enrolment list --all -o json | jq '[.[] | select(.scaleSet == "crowd" and .state == "ISSUED")] | length')"
that "the fleet is served as ever" eval "fleetcap fleet show >/dev/null"
within 60 "and its nodes are there" is 2 online_count

token=$(token_for crowd us --uses 25)
enrol_all few 40 "$token"
equal "of 40 machines with a token for 25, 25 get in" 25 "$(grep -cx 0 "$TEST_DIR/few.status")"
equal "and 15 are told why not" 15 "$(grep -Lx 0 "$TEST_DIR"/few/*.status | sed 's/status$/log/' | xargs grep -liE use | wc -l)"
equal "the token was used 25 times" 25 "$(token_field "$token" .used)"
that "who was in already may ask again" on crowd "$BUILD/bin/fleetcap-node" enroll --coordinator "$FLEETCAP_COORDINATOR" \
    --token "$token" --metadata none --state-dir "$(dirname "$(find "$TEST_DIR/few" -name node.pem -print -quit)")"
