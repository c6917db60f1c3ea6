#!/usr/bin/env bash
# A restart of the node daemon (SIGUSR2, as its unit sends it) ends no capture: its helpers seal, and it goes on afterwards.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 1
that "a capture" fleetcap capture create -n job --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
send web-1 100
fleet kill web-1 -USR2
mapfile -t files < <(files_of web-1)
equal "every packet is in a sealed file when the daemon has gone" " 100" "$(parts_of web-1) $(packets_of "${files[@]}")"
fleet start web-1
within 60 "the capture goes on" resumed job web-1 1
send web-1 10
within 30 "and counts on" is 110 written job web-1
fleet kill web-1 -TERM
fleet start web-1
within 60 "a stop ends it" is STOPPED state job web-1
that "every packet is accounted for" accounted job
mapfile -t files < <(files_of web-1)
equal "two segments with every packet" "2 110" "${#files[@]} $(packets_of "${files[@]}")"
