#!/usr/bin/env bash
# Connections that never become peers: resets after the ClientHello, silence, nonsense, lengths that lie. Nodes and
# operators connect beside them.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 3
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$(fleet pid coordinator)/status"; }
before=$(rss)

# A machine that is slow without a flood is not faster with one.
begin=$SECONDS
for ((i = 0; i < 5; i++)); do fleetcap instance list >/dev/null; done
limit=$((8 + 2 * (SECONDS - begin)))

peer - silent 200 40 >"$TEST_DIR/silent" &
silent=$!
within 60 "200 connections stay silent" grep -q 'silent 200' "$TEST_DIR/silent"
peer - reset 500 >"$TEST_DIR/reset" &
fleet kill web-1
fleet kill web-2
fleet start web-1
fleet start web-2
for ((i = 0; i < 5; i++)); do
    that "an operator is served within $limit s meanwhile" bash -c 'timeout "$1" fleetcap instance list >/dev/null' list "$limit"
done
within 60 "500 connections were reset" grep -q 'reset 500' "$TEST_DIR/reset"
within 60 "the nodes that restarted are online" is 3 online_count
that "the silent ones are done" wait "$silent"
equal "and were hung up on, the admission time being over" "closed 200" "$(tail -n 1 "$TEST_DIR/silent")"

for bytes in ffffffff 80000000 00010001 00001001; do
    for who in operator-admin node-web-1; do
        said=$(peer $who length "$bytes" 2>&1) || true
        [[ $said =~ ^closed ]] || no "a length of 0x$bytes from $who: $said"
        seconds=$(sed -n 's/^closed after \([0-9]*\).*/\1/p' <<<"$said")
        that "a length of 0x$bytes from $who ends the connection at once" test "${seconds:-0}" -le 5
    done
done
for bytes in 474554202f20485454502f312e310d0a0d0a 16030100ff01 ffffffffffffffff; do
    said=$(peer - plain "$bytes" 2>&1) || true
    [[ $said =~ ^closed ]] || no "0x$bytes in place of a handshake: $said"
    echo "ok: 0x$bytes in place of a handshake: $said"
done
that "the coordinator still serves" fleetcap fleet show -o tsv
after=$(rss)
# asan keeps what was freed, so that resident memory says nothing there.
if ! grep -q __asan_init "$BUILD/bin/fleetcap-coordinator"; then
    that "and has not grown by more than 64 MiB ($before -> $after KiB)" test $((after - before)) -lt 65536
fi
