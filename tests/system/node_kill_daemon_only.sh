#!/usr/bin/env bash
# kill -9 the node daemon alone: its helper drains, seals and exits by itself, and the restarted daemon goes on.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 1
that "a capture" fleetcap capture create -n job --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
send web-1 100
fleet kill web-1 -9
within 60 "the helper seals its file without the daemon" is "" parts_of web-1
mapfile -t files < <(files_of web-1)
equal "with every packet" 100 "$(packets_of "${files[@]}")"
fleet start web-1
within 60 "the capture is resumed" resumed job web-1 1
send web-1 10
within 30 "and counts on" is 110 written job web-1
that "stop" fleetcap capture stop job
that "every packet is accounted for" accounted job
mapfile -t files < <(files_of web-1)
equal "two segments with every packet" "2 110" "${#files[@]} $(packets_of "${files[@]}")"
