#!/usr/bin/env bash
# One definition, four instances in two regions, real packets: create, list, show, stop, files, download, delete.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 4 --regions eu=2,us=2
equal "all four instances are online" 4 "$(online_count)"

cat >"$TEST_DIR/definition.yaml" <<YAML
name: job
target: {scaleSet: web}
filters: [{protocol: UDP, remotePort: "9999"}]
timeLimitInSeconds: 600
YAML
that "a dry run resolves the targets" fleetcap capture create -f "$TEST_DIR/definition.yaml" --dry-run
equal "a dry run creates nothing" 0 "$(fleetcap capture list -o json | jq length)"
that "a capture is created" fleetcap capture create -f "$TEST_DIR/definition.yaml"
that "it runs on all four when create returns" all_are RUNNING job
equal "list has it" job "$(fleetcap capture list -o json | jq -r '.[].name')"
fleetcap capture watch job -o json >"$TEST_DIR/watch" 2>&1 &
watch=$!
watch_tells() { jq -es "any(.[] | .. | objects; $1)" "$TEST_DIR/watch"; }

for instance in web-1 web-2 web-3 web-4; do
    send "$instance" 500
    send "$instance" 50 9998
done
for instance in web-1 web-2 web-3 web-4; do
    within 30 "the status of $instance counts while it runs" is 500 written job "$instance"
done
within 30 "watch tells of counters while it runs" watch_tells '.state? == "RUNNING" and .counters?.writtenPackets? == 500'
that "stop is acknowledged by all" fleetcap capture stop job
that "all are STOPPED" all_are STOPPED job
that "watch ends with the capture" wait $watch
that "and tells of it" watch_tells '.state? == "STOPPED"'
that "every packet is accounted for" accounted job
equal "four files are listed" 4 "$(fleetcap capture files job -o json | jq length)"
within 30 "with the hash of each" eval "fleetcap capture files job -o json | jq -e 'all(.[]; .sha256 != null)'"
fleetcap capture files job -o json >"$TEST_DIR/files.json"
that "download fetches them" fleetcap capture download job --dir "$TEST_DIR/got"
that "there is a manifest" test -s "$TEST_DIR/got/manifest.json"

for instance in web-1 web-2 web-3 web-4; do
    equal "$instance says why it stopped" STOP_REQUESTED "$(reason job "$instance")"
    equal "$instance wrote what was sent, and nothing else" 500 "$(written job "$instance")"
    mapfile -t original < <(files_of "$instance")
    copy=$(find "$TEST_DIR/got" -name "${instance}_*.pcapng")
    equal "$instance has one file" 1 "${#original[@]}"
    that "the copy of $instance is the file" cmp "${original[0]}" "$copy"
    equal "the hash of $instance's file is right" "$(sha256sum <"$copy" | cut -d ' ' -f 1)" \
        "$(jq -r --arg i "$instance" '.[] | select(.instance == $i) | .sha256' "$TEST_DIR/files.json")"
    equal "tshark and capinfos count the same in $instance's file" 500 "$(packets_of "$copy")"
    equal "all of them are outbound" 500 "$(tshark -n -r "$copy" -Y 'frame.packet_flags_direction == 2' 2>/dev/null | wc -l)"
    that "the file names the instance" grep -q "$instance" <(capinfos "$copy")
done

truncate -s 1000 "$copy"
that "download resumes a file that is cut short" fleetcap capture download job --dir "$TEST_DIR/got"
that "and then it is whole" cmp "${original[0]}" "$copy"

that "delete needs no more than a yes" fleetcap capture delete job --yes
equal "nothing is left in the list" 0 "$(fleetcap capture list -o json | jq length)"
that "the files stay" test -f "${original[0]}"
that "a second capture of the same name" fleetcap capture create -f "$TEST_DIR/definition.yaml" --include web-1
send web-1 10
that "deleted with its files while it runs" fleetcap capture delete job --yes --stop --delete-files
within 30 "its files are gone and the first capture's are not" is 1 eval 'files_of web-1 | wc -l'

# Whom the order reaches too late on a busy machine starts late: that is no sign of several instants.
start_at_once() {
    local spread_ms
    fleetcap capture create -f "$TEST_DIR/definition.yaml" || return 1
    spread_ms=$(show job | jq '[.instances[].captureStartTime | capture("(?<s>.*)\\.(?<ns>[0-9]{9})Z") |
        (.s + "Z" | fromdate) * 1000 + (.ns | tonumber) / 1e6] | (max - min) | floor')
    fleetcap capture delete job --yes --stop --delete-files
    [[ $spread_ms -le 50 ]]
}
within 60 "all start at one instant, 50 ms apart at most" start_at_once
