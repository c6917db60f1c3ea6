#!/usr/bin/env bash
# Nodes that are killed while they renew their certificates, again and again: what is left is always a key and its
# certificate, and the coordinator always takes it. KILLS and SEED may be given.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

readonly NODES=4
kills=${KILLS:-100} seed=${SEED:-$RANDOM}
names=()

fleet_up --instances 0 --enrolment --coordinator certificate_life=60s
token_for web eu --uses $NODES >"$TEST_DIR/token"
for ((i = 1; i <= NODES; i++)); do
    names+=("app-$i")
    fleet host "app-$i" >/dev/null
    that "app-$i enrols" fleet enrol "app-$i" -- --token-file "$TEST_DIR/token"
done
that "$kills kills, each in the middle of a renewal, leave good certificates (seed $seed)" \
    timeout 1500 "$HERE/renewal_kills.py" --fleet "$HERE/../fleet/fleet" --kills "$kills" --seed "$seed" "$MEMBERS" "${names[@]}"
declare -A before=()
changed() { [[ $(serial_of "$MEMBERS/$1/state/node.pem") != "${before[$1]}" ]]; }
left() { find "$MEMBERS/$1/state" -mindepth 1 -printf '%f\n' | sort | paste -sd ' '; }
for name in "${names[@]}"; do
    within 60 "$name is online at the end" online "$name"
    before[$name]=$(serial_of "$MEMBERS/$name/state/node.pem")
done
for name in "${names[@]}"; do
    within 120 "$name goes on renewing by itself" changed "$name"
    within 30 "$name leaves nothing else behind" is "ca.crt identity.yaml node.pem" left "$name"
done
that "no renewal was refused" bash -c "! grep -h 'was not renewed' $MEMBERS/app-*/log | grep -v 'connection to'"
