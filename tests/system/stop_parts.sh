#!/usr/bin/env bash
# A stop of a part of a capture: an instance, a region, a selector, a scale set; the rest goes on.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 5 --regions eu=2,us=2,asia=1
states() { show "$1" | jq -r '[.instances[] | "\(.instance) \(.state)"] | sort | map(split(" ")[1]) | join(" ")'; }
that "a capture" fleetcap capture create -n one --scale-set web --time-limit 5m
that "another" fleetcap capture create -n two --scale-set web --time-limit 5m
that "stop it on one instance" fleetcap capture stop one --instance web-2
equal "only that one stops" "RUNNING STOPPED RUNNING RUNNING RUNNING" "$(states one)"
that "stop it in a region" fleetcap capture stop one --region us
equal "only those stop" "RUNNING STOPPED STOPPED STOPPED RUNNING" "$(states one)"
equal "the other capture goes on" "RUNNING RUNNING RUNNING RUNNING RUNNING" "$(states two)"
that "stop whatever runs in a region" fleetcap capture stop --region asia
equal "of the one" "RUNNING STOPPED STOPPED STOPPED STOPPED" "$(states one)"
equal "and of the other" "RUNNING RUNNING RUNNING RUNNING STOPPED" "$(states two)"
that "stop by a selector" fleetcap capture stop two --selector 'role=web,env!=prod'
equal "stops all that match" "STOPPED STOPPED STOPPED STOPPED STOPPED" "$(states two)"
that "stop whatever runs in the scale set" fleetcap capture stop --scale-set web
equal "stops the last" "STOPPED STOPPED STOPPED STOPPED STOPPED" "$(states one)"
that "everything is accounted for" accounted one
that "of both" accounted two
that "a stop of what has stopped is no error" fleetcap capture stop one
