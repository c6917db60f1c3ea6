#!/usr/bin/env bash
# Two instances of a fleet talk to each other; `fleetcap path` fetches what both captured and finds every packet again.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 3
mkdir "$TEST_DIR/tmp"
export TMPDIR=$TEST_DIR/tmp # of its own, so that what is left behind is ours
near=$(fleet address web-1)
far=$(fleet address web-2)
result() { fleetcap path "$@" --from web-1 --to web-2 -o json; }
asked() { jq -r "$1" "$TEST_DIR/path.json"; }

that "a capture runs on all instances" fleetcap capture create talk --time-limit 10m
that "web-1 pings web-2" on web-1 ping -q -c 50 -i 0.02 "$far"
# shellcheck disable=SC2016 # expanded there
on web-1 bash -c 'exec 3>"/dev/udp/$1/9999"; for ((i = 0; i < 200; i++)); do echo "datagram $i of those that nobody wants" >&3 || true; done' \
    talk "$far" 2>/dev/null || true
within 30 "all of it is counted on one end" eval '[[ $(written talk web-1) -ge 300 ]]'
within 30 "and on the other" eval '[[ $(written talk web-2) -ge 300 ]]'
that "it stops" fleetcap capture stop talk

result talk >"$TEST_DIR/path.json"
equal "the ends have their instances' names" "web-1 web-2" "$(asked '[.a.name, .b.name] | join(" ")')"
equal "both files say that nothing was dropped" "true 0 true 0" \
    "$(asked '[.a.dropsKnown, .a.droppedKernel, .b.dropsKnown, .b.droppedKernel] | map(tostring) | join(" ")')"
equal "all echo requests and replies arrived" "50 50" \
    "$(asked "[.conversations[] | select(.protocol == \"icmp\" and (.aToB.sent // 0) >= 50)][0] | \"\(.aToB.arrived) \(.bToA.arrived)\"")"
equal "nothing is called lost" "0 0" "$(asked '"\(.totals.aToB.lost) \(.totals.bToA.lost)"')"
that "every conversation of the two leads from one to the other" jq -e --arg near "$near" --arg far "$far" '
    [.conversations[].aToB | select(. != null and .seen and .source.address == $near and .destination.address == $far)] |
    length > 0 and all(.farSource.address == $near)' "$TEST_DIR/path.json"
that "one clock for all: its offset is within the bound" jq -e '.clock.known and (.clock.offsetNs | fabs) <= .clock.boundNs' "$TEST_DIR/path.json"
fleetcap path talk --from web-1 --to web-2 >"$TEST_DIR/path.text"
that "the verdict says so to a person" grep -q 'no loss is proven' "$TEST_DIR/path.text"

that "the files are kept where --dir says" result talk --dir "$TEST_DIR/kept"
equal "of these two alone" "web-1 web-2" "$(cd "$TEST_DIR/kept" && printf '%s\n' ./*.pcapng | sed 's|^./\(web-[0-9]*\)_.*|\1|' | sort -u | paste -s -d ' ')"
that "a directory needs no fleet" env -u FLEETCAP_COORDINATOR fleetcap path "$TEST_DIR/kept" --from web-1 --to web-2 -o json
that "nor do files" env -u FLEETCAP_COORDINATOR fleetcap path "$TEST_DIR"/kept/web-1_*.pcapng "$TEST_DIR"/kept/web-2_*.pcapng
equal "nothing is left behind" 0 "$(find "$TMPDIR" -maxdepth 1 -name 'fleetcap-path.*' | wc -l)"

refused "an instance without files" 3 'no file of instance "web-9"' fleetcap path talk --from web-1 --to web-9
refused "one end only" 2 '--to is missing' fleetcap path talk --from web-1
refused "the same end twice" 2 'both "web-1"' fleetcap path talk --from web-1 --to web-1
refused "a file that is none" 3 'no-such' fleetcap path no-such-a.pcap no-such-b.pcap
printf 'no capture at all' >"$TEST_DIR/text"
refused "a file that is no capture" 2 'not a capture' fleetcap path "$TEST_DIR/text" "$TEST_DIR/text"
