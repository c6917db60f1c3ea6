#!/usr/bin/env bash
# Approval by hand: a machine waits, is approved or denied, by its enrolment's id or its own, also across a restart of the
# coordinator.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 1 --enrolment
for host in app-1 app-2 app-3 app-4; do fleet host $host >/dev/null; done
token=$(token_for app us --uses 10 --approval)
declare -A waiting=()
enrol_behind() { # host option...
    fleet enrol "$1" -- --token "$token" "${@:2}" >"$TEST_DIR/$1.said" 2>&1 &
    waiting[$1]=$!
}
pending() { is PENDING enrolment_field "$1" .state; }
enrol_behind app-1
enrol_behind app-2
enrol_behind app-3
for host in app-1 app-2 app-3; do
    within 60 "$host waits" pending $host
done
equal "three wait" 3 "$(fleetcap enrolment list -o json | jq length)"
that "none has a certificate" test -z "$(find "$MEMBERS" -path '*/state/node.pem')"
shown=$(openssl pkey -in "$MEMBERS/app-1/state/enrolling.key" -pubout -outform DER | sha256sum | cut -d ' ' -f 1)
equal "the operator is shown the machine's key" "$shown" "$(enrolment_field app-1 .keySha256)"
within 60 "and so is who looks at the machine" grep -q "$shown" "$TEST_DIR/app-1.said"

that "one is approved by the instance's id" fleetcap enrolment approve app-1
that "it gets in" wait "${waiting[app-1]}"
within 60 "and is online" online app-1
that "one is denied" fleetcap enrolment deny "$(enrolment_field app-2 .id)"
status=0
wait "${waiting[app-2]}" || status=$?
equal "and is told so" 6 "$status"
that "in a sentence: $(tail -n 1 "$TEST_DIR/app-2.said")" grep -qiE 'denied' "$TEST_DIR/app-2.said"
that "it has no certificate" test ! -e "$MEMBERS/app-2/state/node.pem"

fleet kill coordinator -KILL
fleet start coordinator
that "the one that still waits is there after a crash of the coordinator" pending app-3
that "and is approved by the enrolment's id" fleetcap enrolment approve "$(enrolment_field app-3 .id)"
that "it gets in, having waited all the time" wait "${waiting[app-3]}"
within 60 "and is online too" online app-3
equal "who decided is kept" operator/admin "$(enrolment_field app-3 .decidedBy)"

enrol_behind app-4
within 60 "one more waits" pending app-4
refused "there is nobody called nobody" 3 'nobody' fleetcap enrolment approve nobody
refused "who is in cannot be denied any more" 7 '' fleetcap enrolment deny "$(enrolment_field app-1 .id)"
refused "nor approved who was denied" 7 '' fleetcap enrolment approve "$(enrolment_field app-2 .id)"
that "its token is revoked" fleetcap token revoke "$token"
status=0
wait "${waiting[app-4]}" || status=$?
that "whose token is revoked while it waits stays out" test "$status" -ne 0 -a ! -e "$MEMBERS/app-4/state/node.pem"
status=0
fleet host app-5 >/dev/null
token=$(token_for app us --approval)
said=$(fleet enrol app-5 -- --token "$token" --wait 8s 2>&1) || status=$?
equal "who is not approved in time gives up: $(tail -n 1 <<<"$said")" 5 "$status"
that "and may ask again: it is approved meanwhile" fleetcap enrolment approve app-5
that "and enrols with the same token" fleet enrol app-5 -- --token "$token"
within 60 "and is online" online app-5

token=$(token_for app us --approval --uses 2)
that "it is removed" fleetcap instance remove app-5 --yes
fleet kill app-5
by_force() { fleet enrol app-5 -- --force --token "$token" --wait 8s; }
key_of() { openssl pkey -in "$1" -pubout; }
old_key=$(key_of "$MEMBERS/app-5/state/node.pem")
status=0
by_force >"$TEST_DIR/by_force" 2>&1 || status=$?
equal "with --force it waits for approval too" 5 "$status"
begun_key=$(key_of "$MEMBERS/app-5/state/enrolling.key")
that "with another key" test "$begun_key" != "$old_key"
that "it is denied" fleetcap enrolment deny app-5
status=0
by_force >"$TEST_DIR/by_force" 2>&1 || status=$?
equal "--force asks anew then" 5 "$status"
that "with yet another key" test "$(key_of "$MEMBERS/app-5/state/enrolling.key")" != "$begun_key"
that "which is approved" fleetcap enrolment approve app-5
that "and said again, with --force, it is the same enrolment" by_force
within 60 "and is online again" online app-5
equal "for which the token was used once more" 2 "$(token_field "$token" .used)"

for step in '^enrol-asked.*app-1' '^enrol-approved.operator/admin.*app-1' '^enrol-denied.operator/admin.*app-2' '^enrol-issued.*app-3' \
    '^token-revoke.operator/admin'; do
    within 60 "the audit log has $step" audited "$step"
done
