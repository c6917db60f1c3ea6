#!/usr/bin/env bash
# kill -9 the coordinator in mid-capture: captures go on, and after its restart it knows all of them.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 3 --regions eu=2,us=1
for name in first second; do
    that "capture $name is created" fleetcap capture create -n "$name" --scale-set web \
        --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
done
that "one more, stopped before" fleetcap capture create -n "done" --scale-set web --include web-1 --time-limit 5m
that "one more is stopped" fleetcap capture stop "done"
send web-1 100
fleet kill coordinator -9
send web-1 100
send web-2 50
refused "the operator is told that the coordinator is away" 5 'connect|refused|reach' fleetcap capture list
fleet start coordinator
within 60 "all instances are back" is 3 online_count
equal "all three captures are known" "done first second" "$(fleetcap capture list -o json | jq -r '[.[].name] | sort | join(" ")')"
for name in first second; do
    within 60 "$name still runs everywhere" all_are RUNNING "$name"
    within 60 "$name counts what came meanwhile on web-1" is 200 written "$name" web-1
    within 60 "$name counts what came meanwhile on web-2" is 50 written "$name" web-2
    equal "$name never paused" 0 "$(show "$name" | jq '[.instances[].gaps // [] | length] | add')"
done
equal "the one stopped before is still STOPPED" STOPPED "$(state "done" web-1)"
that "a capture is accepted, and at that moment" fleetcap capture create -n fresh --scale-set web --time-limit 5m --no-wait
fleet kill coordinator -9
fleet start coordinator
within 60 "the coordinator dies; restarted, it knows that one" fleetcap capture show fresh
within 60 "and has it run everywhere" all_are RUNNING fresh
that "everything stops" fleetcap capture stop --all
that "first is STOPPED everywhere" all_are STOPPED first
that "every packet is accounted for" accounted first
that "the database is sound" test "$(sqlite3 "$(find "$FLEET_DIR/members/coordinator/state" -name '*.db' | head -n 1)" 'PRAGMA integrity_check')" = ok
