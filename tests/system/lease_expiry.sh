#!/usr/bin/env bash
# Cut a node's network for longer than its lease: it stops by itself, and says so when it is back.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2 --lease 10s --heartbeat 2s
that "a capture" fleetcap capture create -n job --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
send web-1 40
within 30 "they are counted" is 40 written job web-1
cut_at=$(date +%s)
fleet cut web-1
within 60 "it stops by itself while it is cut off" is "" parts_of web-1
mapfile -t files < <(files_of web-1)
equal "its file is whole" 40 "$(packets_of "${files[@]}")"
equal "the other runs on" RUNNING "$(state job web-2)"
fleet mend web-1
within 90 "when it is back it says so" is LEASE_EXPIRED reason job web-1
within 30 "STOPPED" is STOPPED state job web-1
# Renewed by a heartbeat every two seconds; the last one may have been a while ago.
that "it did not stop before the lease was over" test "$(date -d "$(of job web-1 .captureStopTime)" +%s)" -ge $((cut_at + 4))
send web-2 10
within 30 "the other still counts" is 10 written job web-2
that "stop" fleetcap capture stop job
equal "the reason stays" LEASE_EXPIRED "$(reason job web-1)"
that "every packet is accounted for" accounted job
