#!/usr/bin/env bash
# The profile that a fleet makes while it captures is the one that its files give, field for field; it is there while
# the capture runs, after a restart of the coordinator, and after the death of a node.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2
server=$(fleet address web-2)
on web-2 "$HERE/talk.py" server "$server" 2>/dev/null &
within 30 "there is somebody to talk to" on web-2 bash -c 'ss -Hltn | grep :8080 && ss -Hlun | grep :53'
talk() { on web-1 "$HERE/talk.py" client "$server" "$1"; }
create() { fleetcap capture create -n "$1" --scale-set web --time-limit 5m "${@:2}"; }
live() { fleetcap capture profile "$1" --instance "$2" -o json | jq -S '.[0].profile'; } # capture instance
live_counter() { live "$1" "$2" | jq ".counters.$3 // 0"; }                              # capture instance name
packets() { live "$1" "$2" | jq '.counters | (.packetsIn // 0) + (.packetsOut // 0) + (.packetsUnoriented // 0)'; }

# The last profile of an instance says when its capture ended: after that moment, and with every packet.
complete() { # capture instance moment
    live "$1" "$2" | jq -e --arg after "$3" '.subject.end != null and .subject.end > $after' && [[ $(packets "$1" "$2") == $(written "$1" "$2") ]]
}
moment() { date -u +%FT%T.%NZ; }

# The files of an instance as they were downloaded, in order.
got() { find "$TEST_DIR/$1" -name "$2_*.pcapng" | sort; }

same() { # capture: on both instances, live and from the downloaded files
    local instance
    fleetcap capture download "$1" --dir "$TEST_DIR/$1" >/dev/null
    for instance in web-1 web-2; do
        live "$1" "$instance" >"$TEST_DIR/live.json"
        # shellcheck disable=SC2046 # one word per file
        fleetcap analyze -o json $(got "$1" "$instance") | jq -S '.profiles[0]' >"$TEST_DIR/file.json"
        diff "$TEST_DIR/live.json" "$TEST_DIR/file.json" || return 1
        [[ $(jq '.counters.packetsIn' "$TEST_DIR/live.json") -gt 0 ]] || return 1
    done
}

that "a capture" create whole
talk 4
within 30 "there is a profile while it runs" eval '[[ $(live_counter whole web-1 tcpConversations) -gt 0 ]]'
within 30 "and the context at the start" eval 'fleetcap capture profile whole --instance web-1 -o json | jq -e ".[0].contextStart.facts.route" >/dev/null'
before=$(moment)
that "stop" fleetcap capture stop whole
for instance in web-1 web-2; do
    within 30 "the last profile of $instance has every packet" complete whole $instance "$before"
done
that "the live profile is the file's, on both instances" same whole
that "with failed connections" test "$(live whole web-1 | jq '.troubles.tcpRefused.count')" -gt 0
within 30 "and the context at the end" eval 'fleetcap capture profile whole --instance web-1 -o json | jq -e ".[0].contextStop.facts" >/dev/null'
that "a table for people" eval 'fleetcap capture profile whole | grep "^web-1 *STOPPED" >/dev/null'
refused "an instance that it has not" 3 'no instance "web-9"' fleetcap capture profile whole --instance web-9

that "a capture with a ring and a snap length" create cut --ring 50:1MiB --capture-size 96
talk 2
on web-1 bash -c 'exec 3>"/dev/udp/10.99.0.1/9999"; for ((i = 0; i < 12000; i++)); do echo "packet $i" >&3; done'
before=$(moment)
that "stop" fleetcap capture stop cut
for instance in web-1 web-2; do
    within 30 "the last profile of $instance has every packet" complete cut $instance "$before"
done
equal "it has several files" yes "$([[ $(of cut web-1 '.segments | length') -ge 2 ]] && echo yes)"
that "the live profile is the files', on both instances" same cut

live whole web-1 >"$TEST_DIR/before.json"
fleet kill coordinator -9
fleet start coordinator
within 60 "the coordinator is back" is 2 online_count
live whole web-1 >"$TEST_DIR/after.json"
that "a restarted coordinator still has the profile" cmp "$TEST_DIR/before.json" "$TEST_DIR/after.json"

that "a capture" create again
talk 4
fleet kill web-1 -9
within 60 "the helper seals its file without the daemon" is "" parts_of web-1
fleet start web-1
within 60 "the capture is resumed" resumed again web-1 1
talk 4
before=$(moment)
that "stop" fleetcap capture stop again
within 30 "the profiles of both helpers add up" complete again web-1 "$before"
equal "without a gap" 0 "$(live_counter again web-1 captureUnprofiled)"
fleetcap capture download again --dir "$TEST_DIR/again" >/dev/null
# shellcheck disable=SC2046 # one word per file
fleetcap analyze -o json $(got again web-1) | jq -S '.profiles[0]' >"$TEST_DIR/file.json"
for counter in packetsIn packetsOut bytesIn bytesOut tcpPackets udpPackets tcpOpenedOut tcpEstablished dnsQueries captureMatched; do
    equal "$counter is that of the files" "$(jq ".counters.$counter // 0" "$TEST_DIR/file.json")" "$(live_counter again web-1 $counter)"
done
equal "and so are the files" "$(jq -c .subject.files "$TEST_DIR/file.json")" "$(live again web-1 | jq -c .subject.files)"

that "deleted" fleetcap capture delete whole --yes
within 60 "the evidence goes, and the files stay" eval \
    '[[ $(find "$FLEET_DIR"/members/*/captures -path "*/whole-*" -name "*.pb" | wc -l) == 0 && -n $(files_of web-1) ]]'
