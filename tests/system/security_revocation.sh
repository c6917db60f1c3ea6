#!/usr/bin/env bash
# A revoked certificate: a new connection, a resumed session, and one that is connected.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2
pki=$FLEET_DIR/pki
fleetcap pki issue operator alice --dir "$pki" >/dev/null
fleetcap pki issue operator bob --dir "$pki" >/dev/null
fleetcap pki issue node web-9 --dir "$pki" >/dev/null

mkfifo "$TEST_DIR/go"
peer operator-bob resume <"$TEST_DIR/go" >"$TEST_DIR/bob" &
exec {bob}>"$TEST_DIR/go"
within 30 "bob connects" grep -q 'first OK' "$TEST_DIR/bob"
echo >&"$bob"
within 30 "bob's session is resumed, and serves" grep -q 'second resumed OK' "$TEST_DIR/bob"
exec {bob}>&-

peer operator-alice resume <"$TEST_DIR/go" >"$TEST_DIR/alice" &
exec {alice}>"$TEST_DIR/go"
within 30 "alice connects and gets a session ticket" grep -q 'first OK' "$TEST_DIR/alice"
peer node-web-9 hello web-9 120 >"$TEST_DIR/web-9" &
within 30 "a node is connected" grep -q '^OK' "$TEST_DIR/web-9"

that "alice is revoked" fleetcap pki revoke operator/alice --dir "$pki"
that "the node is revoked" fleetcap pki revoke node/web-9 --dir "$pki"
kill -HUP "$(fleet pid coordinator)"
within 30 "the coordinator has read it" grep -q 'credentials read again' "$FLEET_DIR/members/coordinator/log"
echo >&"$alice"
within 30 "alice's session ticket is worth nothing now" grep -q 'second refused' "$TEST_DIR/alice"
status=0
said=$(peer operator-alice call /fleetcap.v1.FleetService/GetFleet 2>&1) || status=$?
equal "nor is her certificate ($said)" 1 "$status"
within 60 "the node that was connected is cut off" grep -q '^closed after' "$TEST_DIR/web-9"
status=0
peer node-web-9 hello web-9 >/dev/null 2>&1 || status=$?
equal "and cannot come back" 1 "$status"
equal "the others stay" 2 "$(online_count)"
refused "the command says what is wrong" 6 'revoked|certificate' \
    fleetcap instance list --cert "$pki/operator-alice.crt" --key "$pki/operator-alice.key"
