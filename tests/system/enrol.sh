#!/usr/bin/env bash
# The whole way of a machine: a token, a key of its own, a certificate, captures, removal, and back with a new enrolment.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 1 --enrolment --lease 12s --heartbeat 2s
fleet host app-1 >/dev/null
home=$MEMBERS/app-1
token=$(token_for app us --uses 2 --ttl 10m 2>"$TEST_DIR/notes")
that "a token is one word" test "$(wc -w <<<"$token")" -eq 1
that "with nothing beside it that is not for a terminal" test ! -s "$TEST_DIR/notes"
equal "it is listed, unused" "valid 0 2 app us" "$(token_field "$token" '"\(.state) \(.used) \(.uses) \(.scaleSet) \(.region)"')"
that "its secret is nowhere in the coordinator's directory" not grep -rqF "$(cut -d . -f 3 <<<"$token")" "$MEMBERS/coordinator"

printf '%s\n' "$token" >"$TEST_DIR/token"
that "the machine enrols" fleet enrol app-1 --node zone=us-7 -- --token-file "$TEST_DIR/token" --label role=app
within 60 "and is online" online app-1
equal "in the scale set and region of the token, with its own zone and label" "app us us-7 app" \
    "$(instance_field app-1 '"\(.scaleSet) \(.region) \(.zone) \(.labels.role)"')"
equal "the token was used once" 1 "$(token_field "$token" .used)"
equal "the enrolment is listed as issued" ISSUED "$(enrolment_field app-1 .state)"

pem=$home/state/node.pem
equal "certificate and key are one file, which nobody else reads" 600 "$(stat -c %a "$pem")"
that "it is the daemon's" test "$(stat -c %U "$pem")" = "$(stat -c %U "$home/state")"
equal "openssl reads who it is" "subject=CN=app-1,OU=app,L=us" "$(certificate_field "$pem" -subject | sed 's/subject=\(L=us\),\(OU=app\),\(CN=app-1\)$/subject=\3,\2,\1/')"
that "and what it is for" grep -q 'TLS Web Client Authentication' <(certificate_field "$pem" -ext extendedKeyUsage)
that "and its principal" grep -qE 'URI:spiffe://[^/]+/node/app-1' <(certificate_field "$pem" -ext subjectAltName)
that "and that the fleet's CA signed it" openssl verify -CAfile "$FLEET_DIR/pki/ca.crt" "$pem"
equal "its key is its own" "$(openssl x509 -in "$pem" -noout -pubkey)" "$(openssl pkey -in "$pem" -pubout)"
equal "the key's hash is what operators are shown" "$(openssl pkey -in "$pem" -pubout -outform DER | sha256sum | cut -d ' ' -f 1)" \
    "$(enrolment_field app-1 .keySha256)"
left=$(($(date -d "$(certificate_field "$pem" -enddate | cut -d = -f 2)" +%s) - $(date +%s)))
that "it lives for 72 hours ($left s are left)" test "$left" -gt $((72 * 3600 - 120)) -a "$left" -le $((72 * 3600 + 1))

fleet cut app-1
that "who has a good certificate enrols no more, and needs nobody for that" fleet enrol app-1 -- --token "$token"
fleet mend app-1
equal "the token was not used for it" 1 "$(token_field "$token" .used)"
sed -i 's/^zone:.*/&\nscale_set: web\nregion: eu/' "$home/config.yaml"
fleet kill app-1
within 60 "it is away" not online app-1
fleet start app-1
within 60 "a machine whose configuration claims another scale set comes back" online app-1
equal "and is in the one of its certificate" "app us" "$(instance_field app-1 '"\(.scaleSet) \(.region)"')"

that "it is captured from" fleetcap capture create job --scale-set app --filter protocol=UDP,remotePort=9999 --time-limit 5m
within 60 "it runs" is RUNNING state job app-1 # "online" may have been of before the restart
send app-1 200
within 60 "its packets are counted" is 200 written job app-1
refused "removal asks first, which it cannot without a terminal" 2 'needs --yes' fleetcap instance remove app-1
refused "an instance with a capture is not removed by mistake" 7 'job|capture|force' fleetcap instance remove app-1 --yes
serial=$(serial_of "$pem")
fleetcap instance remove app-1 --force --yes -o json >"$TEST_DIR/removed"
equal "it is removed, with its certificate and its capture" "app-1 true 1" \
    "$(jq -r '"\(.id) \(.wasConnected) \(.capturesEnded)"' "$TEST_DIR/removed")"
that "a certificate was revoked" jq -e '.certificatesRevoked >= 1' "$TEST_DIR/removed"
within 10 "its connection is closed" is 0 connections app-1
that "openssl finds the serial in the revocation list" is_revoked "$serial"
that "which the fleet's CA signed" grep -q 'verify OK' <(openssl crl -in "$MEMBERS/coordinator/state/crl.pem" -CAfile "$FLEET_DIR/pki/ca.crt" -noout 2>&1)
cat "$FLEET_DIR/pki/ca.crt" "$MEMBERS/coordinator/state/crl.pem" >"$TEST_DIR/ca-and-crl"
that "openssl refuses the certificate now" grep -q 'certificate revoked' <(openssl verify -crl_check -CAfile "$TEST_DIR/ca-and-crl" "$pem" 2>&1 || true)
that "the fleet does not know it any more" not listed app-1
within 60 "when its lease is over, its capture is too" eval '[[ -z $(parts_of app-1) ]]'
equal "the file is whole" 200 "$(packets_of "$(files_of app-1)")"

fleet kill app-1
fleet kill coordinator
said_before=$(wc -l <"$home/log")
fleet start coordinator
fleet start app-1
within 60 "the others are back after a restart of the coordinator" online web-1
turned_away() { tail -n "+$((said_before + 1))" "$home/log" | grep -i revoked; }
within 60 "the removed one is turned away, restarted or not, and says why" turned_away
that "it may not return" not listed app-1
refused "with a token for another scale set than its configuration says it does not get in" 6 "is for scale set 'app', not for 'web'" \
    "$HERE/../fleet/fleet" enrol app-1 -- --force --token "$token"
sed -i '/^scale_set:/d; /^region:/d' "$home/config.yaml"
refused "nor as somebody who is in" 7 'web-1.*remove it first' \
    "$HERE/../fleet/fleet" enrol app-1 -- --id web-1 --force --token "$token"
fleet kill app-1
that "with --force it enrols anew" fleet enrol app-1 -- --force --token "$token"
within 60 "and is back" online app-1
that "with another certificate" test "$(serial_of "$pem")" != "$serial"
equal "for which the token was used again" "used up 2" "$(token_field "$token" '"\(.state) \(.used)"')"

for step in '^token-create.operator/admin.[0-9a-f]{16}.ok' '^enrol-issued.anonymous/anonymous.app-1.ok' \
    '^instance-remove.operator/admin.app-1.ok' '^create.operator/admin.job.ok'; do
    within 60 "the audit log has $step" audited "$step"
done
equal "with every certificate" 2 "$(audit | grep -c '^enrol-issued|')"
