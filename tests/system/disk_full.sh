#!/usr/bin/env bash
# A full disk, and a disk that falls under the node's floor: the capture stops with the reason, earlier packets intact.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

small_disk() { # instance size
    local captures=$FLEET_DIR/members/$1/captures
    fleet kill "$1" --all
    mount -t tmpfs -o "size=$2,mode=755,uid=$(stat -c %u "$captures"),gid=$(stat -c %g "$captures")" fleetcap-test "$captures"
    fleet start "$1"
}

flood() { # instance: about 6 MiB of packets
    on "$1" bash -c 'line=$(head -c 1400 /dev/zero | tr "\0" x); exec 3>/dev/udp/10.99.0.1/9999
        for ((i = 0; i < 4500; i++)); do printf "%s" "$line" >&3; done'
}

fleet_up --instances 3 --node disk_floor=0
small_disk web-1 4m
small_disk web-2 16m
sed -i 's/^disk_floor:.*/disk_floor: 12MiB/' "$FLEET_DIR/members/web-2/config.yaml"
fleet kill web-2 --all
fleet start web-2
within 60 "all are online" is 3 online_count
that "a capture" fleetcap capture create -n job --scale-set web --filters '[{"protocol":"UDP","remotePort":"9999"}]' --time-limit 5m
within 60 "runs on all of them" all_are RUNNING job # "online" may have been of before a restart
for instance in web-1 web-2 web-3; do
    flood "$instance"
done
within 60 "web-1 stops: its disk is full" is DISK_FULL reason job web-1
within 60 "web-2 stops: its disk is under the floor" is DISK_FLOOR reason job web-2
equal "web-3 goes on" RUNNING "$(state job web-3)"
within 60 "web-3 has all" is 4500 written job web-3
that "stop" fleetcap capture stop job
that "every packet is accounted for" accounted job
for instance in web-1 web-2 web-3; do
    mapfile -t files < <(files_of "$instance")
    equal "the packets in $instance's file are those that its status counts" "$(written job "$instance")" "$(packets_of "${files[@]}")"
    that "and they are many" test "$(written job "$instance")" -gt 1000
done
