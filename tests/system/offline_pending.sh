#!/usr/bin/env bash
# A capture created while an instance is offline waits for it, and starts when it returns.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 3
fleet kill web-3 --all
within 30 "the coordinator sees web-3 go" is false eval 'fleetcap instance show web-3 -o json | jq .online'
that "a capture over all three is created" fleetcap capture create -n wait --scale-set web \
    --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m --no-wait
within 30 "web-1 runs" is RUNNING state wait web-1
within 30 "web-2 runs" is RUNNING state wait web-2
equal "web-3 is PENDING" PENDING "$(state wait web-3)"
fleet start web-3
within 60 "web-3 starts when it returns" is RUNNING state wait web-3
send web-3 20
within 30 "and counts" is 20 written wait web-3
that "stop" fleetcap capture stop wait
that "all STOPPED" all_are STOPPED wait
that "every packet is accounted for" accounted wait
mapfile -t files < <(files_of web-3)
equal "web-3's file has them" 20 "$(packets_of "${files[@]}")"

fleet kill web-3 --all
within 30 "web-3 is away again" is false eval 'fleetcap instance show web-3 -o json | jq .online'
that "a capture with a short window" fleetcap capture create -n short --scale-set web --include web-3 --time-limit 2s --no-wait
window_is_over() { show short | jq -e '.windowEndTime | strings | sub("\\.[0-9]*Z"; "Z") | fromdate + 2 < now'; }
within 60 "its window is over" window_is_over
fleet start web-3
within 60 "that ended before web-3 came back says so" is WINDOW_CLOSED reason short web-3
