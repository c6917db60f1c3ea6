#!/usr/bin/env bash
# A stop while a node is away is reported as not acknowledged, and applied when it returns.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2 --heartbeat 2s
that "a capture" fleetcap capture create -n job --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
send web-2 30
fleet cut web-2
status=0
fleetcap capture stop job --timeout 5s >"$TEST_DIR/stop" 2>&1 || status=$?
equal "stop says that not all have answered" 4 "$status"
that "and who" grep -q web-2 "$TEST_DIR/stop"
within 30 "web-1 is STOPPED" is STOPPED state job web-1
that "web-2 is not" test "$(state job web-2)" != STOPPED
fleet mend web-2
within 90 "the stop is applied when web-2 returns" is STOPPED state job web-2
equal "for the reason given" STOP_REQUESTED "$(reason job web-2)"
that "every packet is accounted for" accounted job
mapfile -t files < <(files_of web-2)
equal "its file is whole" 30 "$(packets_of "${files[@]}")"
