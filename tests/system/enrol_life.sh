#!/usr/bin/env bash
# The life of a certificate: renewed by itself, also after the coordinator was away; ended when it was away too long; never
# again after a removal.
# shellcheck source=enrol_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/enrol_lib.sh"

fleet_up --instances 1 --enrolment --coordinator certificate_life=45s
fleet host app-1 >/dev/null
fleet host app-2 >/dev/null
fleet kill coordinator
token_file=$TEST_DIR/token
fleet start coordinator
token_for app us --uses 5 >"$token_file"
fleet kill coordinator
fleet enrol app-1 -- --token-file "$token_file" --wait 120s >"$TEST_DIR/said" 2>&1 &
enrolling=$!
sleep 2
that "a machine that finds no coordinator waits" kill -0 $enrolling
fleet start coordinator
that "and enrols when there is one" wait $enrolling
within 60 "it is online" online app-1
that "another one enrols" fleet enrol app-2 -- --token-file "$token_file"
within 60 "it is online too" online app-2

pem=$MEMBERS/app-1/state/node.pem
first=$(serial_of "$pem")
pid=$(fleet pid app-1)
connected=$(on app-1 ss -Htn state established 'dport = :7443' | awk '{ print $3 }')
that "a capture runs on it" fleetcap capture create job --scale-set app --filter protocol=UDP,remotePort=9999 --time-limit 5m
renewed() { [[ $(serial_of "$pem") != "$1" ]]; }
within 60 "within its life the certificate is renewed" renewed "$first"
equal "by the same process" "$pid" "$(fleet pid app-1)"
equal "over the connection that it has" "$connected" "$(on app-1 ss -Htn state established 'dport = :7443' | awk '{ print $3 }')"
equal "for the same name, scale set and region" "subject=L=us,OU=app,CN=app-1" "$(certificate_field "$pem" -subject)"
equal "with a key that is its own" "$(openssl x509 -in "$pem" -noout -pubkey)" "$(openssl pkey -in "$pem" -pubout)"

fleet kill coordinator
second=$(serial_of "$pem")
sleep 8
equal "with the coordinator away for 8 s of its life it goes on" "$pid" "$(fleet pid app-1)"
fleet start coordinator
within 60 "it is back when the coordinator is" online app-1
within 60 "and renews" renewed "$second"
equal "the capture ran all the time" RUNNING "$(state job app-1)"

third=$(serial_of "$pem")
that "it is removed in the middle of this" fleetcap instance remove app-1 --force --yes
within 10 "its connection is closed" is 0 connections app-1
last=$(serial_of "$pem")
sleep 4
equal "it renews nothing any more" "$last" "$(serial_of "$pem")"
that "what it had last is revoked" is_revoked "$last"
that "and what it had when it was removed" is_revoked "$third"
that "it is not listed" not listed app-1

fleet kill coordinator
sleep 46
fleet start coordinator
within 60 "a node whose certificate has ended says what to do" grep -qE 'fleetcap-node enroll' "$MEMBERS/app-2/log"
that "and stays out" not online app-2
that "which enrolling again mends" fleet enrol app-2 -- --token-file "$token_file"
within 60 "without a restart it is back" online app-2
that "every renewal is in the audit log" audited 'renew.*app-1'
