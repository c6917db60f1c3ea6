#!/usr/bin/env bash
# Limits are kept on the node, to the packet: packets, bytes, time; bytes per packet; a ring of files. And what is not
# asked for is not captured: fleetcap's own connections. IPv6 and both directions.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fleet_up --instances 2 --heartbeat 1s
udp='[{"protocol":"UDP","remotePort":"9999"}]'
create() { fleetcap capture create --scale-set web --include web-1 --filters "$udp" "$@"; }
that "a limit on packets" create -n packets --packet-limit 50 --time-limit 5m
that "a limit on bytes" create -n bytes --capture-limit 2000 --time-limit 5m
that "a limit on time" create -n time --time-limit 3s
that "a limit on bytes per packet" create -n short --capture-size 44 --time-limit 5m
that "a ring of files" create -n ring --ring 2:1MiB --time-limit 5m
that "no filter at all" fleetcap capture create --scale-set web --include web-1 -n everything --time-limit 5m
that "everything, and our own connections" fleetcap capture create --scale-set web --include web-1 -n ours \
    --include-own-traffic --time-limit 5m
that "IPv6, both directions" fleetcap capture create --scale-set web -n six --time-limit 5m \
    --filters '[{"protocol":"ICMP","remoteIPAddress":"fd77::/16"}]'

send web-1 200
within 30 "the packet limit stops it" is PACKET_COUNT reason packets web-1
within 30 "the byte limit stops it" is SESSION_BYTES reason bytes web-1
that "wait says when the time is over" fleetcap capture wait time --for stopped --timeout 60s
equal "that was the time limit" TIME_LIMIT "$(reason time web-1)"
equal "exactly 50 packets are written" 50 "$(written packets web-1)"
that "no more bytes are written than allowed" test "$(of bytes web-1 .counters.writtenBytes)" -le 2000
on web-1 bash -c 'line=$(head -c 1400 /dev/zero | tr "\0" x); exec 3>/dev/udp/10.99.0.1/9999
    for ((i = 0; i < 4000; i++)); do printf "%s" "$line" >&3; done'
that "six pings" on web-1 ping -6 -q -c 6 -i 0.05 "$(on web-2 ip -6 -o address show dev eth0 scope global | awk '{ sub("/.*", "", $4); print $4 }')"
sleep 3 # three heartbeats of our own, for those who look for them
that "all stop" fleetcap capture stop --all

for name in packets bytes time short ring everything ours six; do
    that "every packet of $name is accounted for" accounted $name
    that "download $name" fleetcap capture download $name --dir "$TEST_DIR/$name"
    mapfile -t files < <(find "$TEST_DIR/$name" -name 'web-1_*.pcapng' | sort)
    total=$(packets_of "${files[@]}")
    [[ $name == ring ]] || equal "the file of $name has the packets that its status counts" "$(written $name web-1)" "$total"
done
long=$(find "$TEST_DIR/short" -name 'web-1_*.pcapng')
equal "packets are cut to 44 bytes, and say how long they were" 0 "$(tshark -n -r "$long" -Y 'frame.cap_len != 44 || frame.len <= 44' 2>/dev/null | wc -l)"
equal "the ring keeps two files" 2 "$(find "$TEST_DIR/ring" -name '*.pcapng' | wc -l)"
that "of the size asked for" test "$(find "$TEST_DIR/ring" -name '*.pcapng' -size +1024k | wc -l)" -eq 0
equal "and the instance has no more" 2 "$(files_of web-1 | grep -c /ring-)"
that "their numbers tell that others went before" test "$(of ring web-1 '[.segments[].sequence] | min')" -gt 1
own='tcp.port == 7443'
equal "our own connections are in no capture" 0 "$(tshark -n -r "$(find "$TEST_DIR/everything" -name '*.pcapng')" -Y "$own" 2>/dev/null | wc -l)"
that "unless asked for" test "$(tshark -n -r "$(find "$TEST_DIR/ours" -name '*.pcapng')" -Y "$own" 2>/dev/null | wc -l)" -gt 0
for instance in web-1 web-2; do
    file=$(find "$TEST_DIR/six" -name "${instance}_*.pcapng")
    equal "$instance saw six requests" 6 "$(tshark -n -r "$file" -Y 'icmpv6.type == 128' 2>/dev/null | wc -l)"
    equal "$instance saw six answers" 6 "$(tshark -n -r "$file" -Y 'icmpv6.type == 129' 2>/dev/null | wc -l)"
done
file=$(find "$TEST_DIR/six" -name "web-2_*.pcapng")
equal "to web-2 the requests are inbound" 6 "$(tshark -n -r "$file" -Y 'icmpv6.type == 128 && frame.packet_flags_direction == 1' 2>/dev/null | wc -l)"
that "its timestamps are in nanoseconds" grep -q nanoseconds <(capinfos "$file")
