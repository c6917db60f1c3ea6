#!/usr/bin/env bash
# Cut a node's network for longer than its lease: it stops by itself, and says so when it is back.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2 --lease 6s --heartbeat 2s
that "a capture" fleetcap capture create -n job --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
send web-1 40
sleep 1
fleet cut web-1
sleep 2
that "it does not stop before the lease is over" test -n "$(parts_of web-1)"
within 12 "it stops by itself while it is cut off" is "" parts_of web-1
mapfile -t files < <(files_of web-1)
equal "its file is whole" 40 "$(packets_of "${files[@]}")"
equal "the other runs on" RUNNING "$(state job web-2)"
fleet mend web-1
within 45 "when it is back it says so" is LEASE_EXPIRED reason job web-1
within 5 "STOPPED" is STOPPED state job web-1
send web-2 10
within 5 "the other still counts" is 10 written job web-2
that "stop" fleetcap capture stop job
equal "the reason stays" LEASE_EXPIRED "$(reason job web-1)"
that "every packet is accounted for" accounted job
