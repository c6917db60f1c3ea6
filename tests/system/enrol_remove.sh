#!/usr/bin/env bash
# Who is removed stays out: by id or by name, offline or never seen, with a certificate of the PKI, across crashes and without
# the CA's key; and removal is asked for.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 3 --enrolment --lease 6s --heartbeat 2s
pki=$FLEET_DIR/pki
fleet host app-1 >/dev/null
fleet host app-2 >/dev/null
token=$(token_for app us --uses 10)
that "one enrols under a name of its own" fleet enrol app-1 -- --token "$token" --id i-0001 --name front
within 60 "and is online" online front
that "another one enrols, and never connects" fleet enrol app-2 --no-start -- --token "$token"

# ---- asking
on_terminal() { # answer command: what it says when a person types that
    { sleep 1 && echo "$1"; } | timeout 60 script -qec "$2" /dev/null
}
said=$(on_terminal n "fleetcap instance remove front" || true)
that "on a terminal it is asked, with all that goes" grep -qE 'Remove instance front of scale set app in region us, which is online' <<<"$said"
that "and no means no" listed i-0001
said=$(on_terminal y "fleetcap instance remove front" || true)
that "yes means yes: $(grep -o 'Removed.*' <<<"$said")" not listed i-0001
within 10 "and its connection is closed" is 0 connections app-1
refused "it cannot be removed twice" 3 'front' fleetcap instance remove front --yes
refused "nor can what never was" 3 'ghost' fleetcap instance remove ghost --yes

equal "one that never connected is removed by its id" "false 1" \
    "$(fleetcap instance remove app-2 --yes -o json | jq -r '"\(.wasConnected) \(.certificatesRevoked)"')"
fleet start app-2
within 60 "and when it comes it is turned away" grep -qiE 'revoked|refused' "$MEMBERS/app-2/log"

# ---- certificates of the PKI
fleet kill web-1
within 60 "an instance is offline" is false instance_field web-1 .online
fleetcap instance remove web-1 --yes >/dev/null
that "its certificate of the PKI, which was seen, is revoked" is_revoked "$(serial_of "$MEMBERS/web-1/node-web-1.crt")"
fleet kill coordinator -KILL
fleet start coordinator
fleet start web-1
within 60 "the others are back after a crash" online web-2
within 60 "the removed one is turned away" grep -qiE 'revoked|refused' "$MEMBERS/web-1/log"
that "and not listed" not listed web-1
fleetcap pki issue node web-1 --dir "$pki" >/dev/null
said=$(peer node-web-1 hello web-1) || true
that "nor does a certificate help that the coordinator never saw: $(head -n 1 <<<"$said")" grep -q '^PERMISSION_DENIED.*removed' <<<"$said"
key_and_csr web-1 /CN=web-1
equal "but an enrolment does" "ISSUED app us" "$(ask "$token" web-1 "$TEST_DIR/web-1.csr" certificate="$TEST_DIR/node-web-1.crt")"
cp "$TEST_DIR/web-1.key" "$TEST_DIR/node-web-1.key"
equal "in another scale set even" OK "$(peer node-web-1 hello web-1 | head -n 1 | cut -d ' ' -f 1)"
equal "where it is then" app "$(instance_field web-1 .scaleSet)"

# ---- without the CA's key
fleet kill coordinator
sed -i '/^ca_key:/d' "$MEMBERS/coordinator/config.yaml"
fleet start coordinator
within 60 "without ca_key the others are served" online web-2
refused "tokens are not" 7 'no ca_key: enrolment is off' fleetcap token create --scale-set app --region us
refused "nor is a removal" 7 'no ca_key' fleetcap instance remove web-2 --yes
refused "a machine that wants to enrol is turned away" 6 'certificate|refused' \
    "$HERE/../fleet/fleet" enrol app-1 -- --force --token "$token" --wait 20s
sleep 2
that "and who was removed stays out all the same" not listed i-0001
