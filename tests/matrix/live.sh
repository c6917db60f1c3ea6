#!/usr/bin/env bash
# live: six instances of a real fleet, and `fleetcap compare CAPTURE` on what they have sent of themselves: nothing where they are equal;
# a stale resolver by its traffic and by its configuration; an MTU that only the context shows.
# shellcheck source=../system/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../system/lib.sh"
readonly MATRIX=$HERE/../matrix LAB=$HERE/../lab STALE=10.99.0.53 SECONDS_OF_TRAFFIC=10
readonly FILTERS='[{"protocol":"UDP","remotePort":"53;123"},{"protocol":"TCP","remotePort":"53;443;6379;8443;9000"}]'
export PYTHONPATH=$LAB PYTHONDONTWRITEBYTECODE=1

serve() { # log program argument...
    setsid -f "$HERE/../fleet/fleet" exec services -- /usr/bin/python3 "${@:2}" </dev/null >"$1" 2>&1
    within 60 "$(basename "$2") serves" grep -qx ready "$1"
}

# One capture while all six work; its comparison is in $TEST_DIR/NAME.json.
captured() { # name
    local -a jobs=()
    local member gate
    mkfifo "$TEST_DIR/$1.gate"
    exec {gate}<>"$TEST_DIR/$1.gate"
    fleetcap capture create -n "$1" --scale-set web --filters "$FILTERS" --time-limit 5m --capture-limit 200MiB >/dev/null
    for member in web-{1..6}; do
        on "$member" /usr/bin/python3 "$MATRIX/job.py" "seconds=$SECONDS_OF_TRAFFIC" "seed=$1.$member" "pki=$TEST_DIR/pki" \
            "bulk=$services" "clock=$services" "cache=$services" <&"$gate" >"$TEST_DIR/$1.$member.log" &
        jobs+=($!)
    done
    for member in web-{1..6}; do
        within 60 "$member has its job for $1" grep -qx ready "$TEST_DIR/$1.$member.log"
    done
    printf 'go go!' >&"$gate" # a byte for each
    wait "${jobs[@]}"
    exec {gate}>&-
    sleep 0.3
    fleetcap capture stop "$1" >/dev/null
    fleetcap compare "$1" -o json >"$TEST_DIR/$1.json"
    echo "$1: $(verdict "$1")"
}

verdict() { jq -r .verdict "$TEST_DIR/$1.json"; }
says() { verdict "$1" | grep -iE -- "$2" >/dev/null; } # name pattern
# Findings above note that are not about that instance alone.
others() {
    jq -r --arg who "$2" '.findings[] | select(.severity == "warning" or .severity == "error") | select(.instances != [$who]) | .title' \
        "$TEST_DIR/$1.json"
}
loud() { jq -r '.findings[] | select(.severity != "info") | .severity + ": " + .title' "$TEST_DIR/$1.json"; }

/usr/bin/python3 -c 'import lab, sys; lab.Pki(sys.argv[1])' "$TEST_DIR/pki"
fleet_up --instances 6
services=$(fleet host services)
serve "$TEST_DIR/dnsd.log" "$LAB/dnsd.py" "$services" zone=corp.example "a=$services"
serve "$TEST_DIR/services.log" "$MATRIX/services.py" "pki=$TEST_DIR/pki" "host=$services"
for member in web-{1..6}; do
    fleet resolvers "$member" "$services"
    echo "search corp.example" >>"/etc/netns/$(on "$member" ip netns identify)/resolv.conf"
done

captured equal
equal "six that are equal: no finding above info" "" "$(loud equal)"
fleetcap capture download equal --dir "$TEST_DIR/evidence" >/dev/null
mapfile -t files < <(find "$TEST_DIR/evidence" -name '*.pcapng')
equal "there is a file of each" 6 "${#files[@]}"
that "tshark says the same of the live fleet's files" /usr/bin/python3 "$HERE/../oracle/oracle.py" --program "$BUILD/bin/fleetcap" \
    --files "${files[@]}"

victim=web-$((RANDOM % 6 + 1))
fleet resolvers "$victim" "$STALE" "$services"
echo "search corp.example" >>"/etc/netns/$(on "$victim" ip netns identify)/resolv.conf"
captured stale
that "the verdict names $victim and its stale resolver" says stale "$victim.*$STALE"
equal "nobody else is accused" "" "$(others stale "$victim")"
fleet resolvers "$victim" "$services"
echo "search corp.example" >>"/etc/netns/$(on "$victim" ip netns identify)/resolv.conf"

victim=web-$((RANDOM % 6 + 1))
on "$victim" ip link set eth0 mtu 1400
captured mtu
that "the verdict names $victim and its MTU" says mtu "$victim.*(mtu.*1400|1400.*mtu)"
equal "nobody else is accused" "" "$(others mtu "$victim")"
