#!/usr/bin/env bash
# The packages: two builds are the same bytes; they go into a clean Debian 12, run there under its own systemd with their units as they
# are, enrol, capture, survive what daemons have to survive, are upgraded, and go without a trace.
#
# PACKAGES=DIR takes packages that are there already, in place of the two builds; BASE=DIR a Debian that `machine base` has made.
# shellcheck disable=SC2016 # what awk and the shells inside expand
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
machine=$here/machine
work=/var/tmp/fleetcap-packages-$$
root=$work/root
packages=${PACKAGES:-$work/first}
export MACHINE_OWNER=$$

die() { printf 'FAILED: %s\n' "$*" >&2 && exit 1; }
ok() { printf 'ok: %s (%d s)\n' "$*" "$SECONDS"; }
in_root() { "$machine" run "$root" -- "$@"; }
finish() {
    local status=$?
    trap - EXIT
    # shellcheck disable=SC2046 # one word per job
    kill $(jobs -p) 2>/dev/null || true
    [[ $status -eq 0 || ! -e $root.machine/pid ]] || in_root journalctl --no-pager -n 60 -o cat -u 'fleetcap*' || true
    "$machine" remove "$root" || true
    rm -rf "$work"
    exit $status
}

within() { # seconds sentence command...
    local seconds=$1 sentence=$2 deadline=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [[ $SECONDS -lt $deadline ]] || die "not within $seconds s: $sentence"
        sleep 0.2
    done
    ok "$sentence"
}

# What a run left that was killed: its machine goes with the next one that is made, its directory here.
remove_leftovers() {
    local left
    "$machine" gc
    for left in /var/tmp/fleetcap-packages-*; do
        [[ ! -d $left || -d /proc/${left##*-} ]] || rm -rf --one-file-system "$left"
    done
}

# ---- the machine

# Everything that a package could leave behind; what apt, dpkg and systemd write for themselves is not.
list_files() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./tmp -o -path ./packages -o -path ./var/lib/dpkg -o \
        -path ./var/lib/apt -o -path ./var/backups -o -path ./var/cache -o -path ./var/log -o -path ./root -o -path ./run -o -path ./dev \
        -o -path './etc/*-' -o -path ./etc/ld.so.cache -o -path ./etc/hosts -o -path './var/lib/systemd/*' -o -path './var/tmp/*' \
        -o -path './etc/.pwd.lock' -o -path './etc/ssh/ssh_host_*' \) -prune -o -print | LC_ALL=C sort)
}

# Files, and who there is on the machine.
snapshot() {
    list_files
    cut -d: -f1 "$root/etc/passwd" "$root/etc/group" | LC_ALL=C sort
}

property() { in_root systemctl show -P "$2" "$1"; } # unit name
is() { [[ $("${@:2}") == "$1" ]]; }                  # value command...
active() { is active in_root systemctl is-active "$1"; }
main_pid() { property "$1" MainPID; }
status_of() { in_root awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; } # pid key
pids_of() { in_root pgrep -x "$1" || true; }
other_than() { [[ $(main_pid "$1") != "$2" && $(main_pid "$1") != 0 ]] && active "$1"; } # unit pid

operator() { in_root fleetcap "$@"; }

send() { # count
    in_root bash -c 'for ((i = 0; i < $1; i++)); do echo x >/dev/udp/10.77.0.7/4711; done' bash "$1"
}
capture() { operator capture show "$1" -o json | jq -r ".instances[0] | $2"; } # name expression
written() { capture "$1" .counters.writtenPackets; }
# By a new helper, after a gap: what the coordinator knew before the node ended does not count.
resumed() { is "RUNNING true" capture "$1" '"\(.state) \((.gaps | length) > 0)"'; }
journal_has() { in_root journalctl -u "$1" -o cat --no-pager | grep -F "$2" >/dev/null; } # unit text

# ---- the packages

build_twice() {
    local commit
    commit=$(git -C "$top" rev-parse HEAD) # somebody may commit meanwhile
    "$top/debian/build" --commit "$commit" --output "$work/first" >"$work/build.log" 2>&1 || die "the build: $(tail -20 "$work/build.log")"
    "$top/debian/build" --commit "$commit" --output "$work/second" --no-lintian >"$work/build.log" 2>&1 ||
        die "the second build: $(tail -20 "$work/build.log")"
    (cd "$work/first" && sha256sum ./*.deb) >"$work/sums"
    (cd "$work/second" && sha256sum ./*.deb) | diff "$work/sums" - || die "two builds differ"
    ok "two builds in two places are the same bytes, and lintian has nothing to say"
}

# The same programs as a later version: what an upgrade does is in the maintainer scripts.
make_upgrade() {
    local name deb
    mkdir -p "$root/packages/next"
    for name in fleetcap fleetcap-node fleetcap-coordinator; do
        deb=$(echo "$packages/${name}"_*.deb)
        dpkg-deb -R "$deb" "$work/$name"
        sed -i 's/^Version: .*/&+next1/' "$work/$name/DEBIAN/control"
        dpkg-deb --root-owner-group -b "$work/$name" "$root/packages/next/$name.deb" >/dev/null
    done
}

install_packages() {
    mkdir -p "$root/packages"
    cp "$packages"/fleetcap{,-node,-coordinator}_*.deb "$root/packages/"
    in_root sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends /packages/fleetcap_*.deb \
        /packages/fleetcap-node_*.deb /packages/fleetcap-coordinator_*.deb' >"$work/apt.log" 2>&1 || die "$(tail "$work/apt.log")"
    in_root fleetcap --version >/dev/null
    [[ $(stat -c '%U %a' "$root/etc/fleetcap/node.yaml") == "root 644" ]] || die "node.yaml"
    in_root test -s /usr/share/bash-completion/completions/fleetcap
    in_root test -s /usr/share/zsh/vendor-completions/_fleetcap
    ok "installed into a clean Debian 12"
}

# ---- what is true of units that run

boots_unconfigured() {
    "$machine" boot "$root" --hostname web-1
    [[ -z $(in_root systemctl --failed --no-legend) ]] || die "failed units: $(in_root systemctl --failed)"
    for unit in fleetcap-coordinator fleetcap-node fleetcap-enroll; do
        is enabled in_root systemctl is-enabled $unit || die "$unit is not enabled"
        is inactive in_root systemctl is-active $unit || die "$unit runs without credentials"
    done
    ok "booted without credentials: units wait, and none has failed"
}

# The commands of docs/install.md, as they stand there: the n-th block of "The first fleet".
block() { awk -v n="$1" '/^## / { here = /first fleet/ } here && /^```/ { i++; next } here && i == 2 * n - 1' "$top/docs/install.md"; }
# An interface, and a neighbour on it to whom packets can be sent.
make_network() {
    in_root sh -ec 'ip link add eth0 type veth peer name peer0 && ip address add 10.77.0.1/24 dev eth0
        ip link set eth0 up && ip link set peer0 up && ip neighbour add 10.77.0.7 lladdr 02:00:00:00:00:07 dev eth0'
}
name_coordinator() { echo '127.0.0.1 fc.example' >>"$root/etc/hosts"; }

# A token that is none stays a failure: it is not tried again and again, and stays to be looked at.
is_refused() {
    in_root bash -euc "$(block 2)" <<<"${token%.*}.AAAA" >/dev/null 2>&1 && die "enrolled with a token that is none"
    is failed in_root systemctl is-active fleetcap-enroll || die "fleetcap-enroll is $(in_root systemctl is-active fleetcap-enroll)"
    is 0 property fleetcap-enroll NRestarts || die "it is tried again"
    [[ -e $root/etc/fleetcap/token ]] || die "the token is gone"
    in_root systemctl reset-failed fleetcap-enroll
    ok "a token that is refused is a failed unit"
}

enrols() {
    local token
    name_coordinator
    token=$(in_root bash -euc "$(block 1)" 2>"$work/setup" | tail -1)
    [[ $token == fct1.* ]] || die "no token: $(cat "$work/setup")"
    active fleetcap-coordinator || die "the coordinator does not run"
    is_refused
    in_root bash -euc "$(block 2)" <<<"$token" || die "no enrolment: $(in_root journalctl -u fleetcap-enroll -o cat --no-pager)"
    within 90 "enrolled by its unit, the node runs" active fleetcap-node
    [[ ! -e $root/etc/fleetcap/token ]] || die "the token is still there"
    [[ $(stat -c '%a' "$root/var/lib/fleetcap-node/node.pem") == 600 ]] || die "others can read the key"
    within 90 "and is online, in the scale set of the token" is "web eu" listed
    make_network
    in_root bash -euc "$(block 3)" >"$work/setup" 2>&1 || die "as documented: $(cat "$work/setup")"
    grep -q 'RUNNING (1 RUNNING)' "$work/setup" || die "as documented: $(cat "$work/setup")"
    operator capture stop dns -q >/dev/null
    ok "the first fleet, by the commands of docs/install.md"
    [[ -z $(in_root find /var/lib/fleetcap-node ! -user fleetcap-node) ]] || die "state that belongs to somebody else"
}
listed() { operator instance list -o json | jq -r '.[] | select(.online) | "\(.scaleSet) \(.region)"'; }

# As in a golden image whose coordinator is not there yet; and for a machine that had been put out.
enrols_when_it_can() {
    local token
    operator instance remove web-1 --yes -q >/dev/null
    token=$(operator token create --scale-set web --region eu -q)
    in_root systemctl stop fleetcap-node fleetcap-coordinator
    rm -r "${root:?}"/var/lib/fleetcap-node/*
    (umask 077 && printf '%s\n' "$token" >"$root/etc/fleetcap/token")
    drop_in fleetcap-enroll 'ExecStart=\nExecStart=/usr/bin/fleetcap-node enroll --token-file %%d/token --wait 1s\nRestartSec=1s'
    in_root systemctl start --no-block fleetcap-enroll
    within 90 "without its coordinator it is tried again" tried_again
    in_root systemctl start fleetcap-coordinator
    within 90 "and enrols when that is there" active fleetcap-node
    within 90 "and is online" is "web eu" listed
    drop_in fleetcap-enroll
}
tried_again() { [[ $(property fleetcap-enroll NRestarts) -ge 2 ]]; }

# Thirty seconds are long for a test: other settings for a while. Without lines they go.
drop_in() { # unit [lines, a format of printf]
    local directory=/run/systemd/system/$1.service.d
    if [[ $# -gt 1 ]]; then
        in_root sh -ec "mkdir -p '$directory' && printf '[Service]\n$2\n' >'$directory/test.conf'"
    else
        in_root rm -r "$directory"
    fi
    in_root systemctl daemon-reload
}

survives_a_reboot() {
    "$machine" kill "$root"
    "$machine" boot "$root" --hostname web-1
    name_coordinator
    within 90 "after a reboot both run again" active fleetcap-node
    within 90 "the coordinator, too" active fleetcap-coordinator
    is inactive in_root systemctl is-active fleetcap-enroll || die "it has enrolled a second time"
    make_network
    within 90 "and the node is online" is "web eu" listed
}

readonly none=0000000000000000 net_raw=0000000000002000

is_confined() { # pid what capabilities
    [[ $(status_of "$1" CapEff) == "$3" ]] || die "$2 has capabilities: $(status_of "$1" CapEff)"
    [[ $(status_of "$1" NoNewPrivs) == 1 ]] || die "$2 may gain privileges"
    [[ $(status_of "$1" Seccomp) == 2 ]] || die "$2 may call what it likes"
    [[ $(status_of "$1" Uid) != 0 ]] || die "$2 is root"
}

# Who may not raise limits here gets what there is.
at_most_ours() {
    if [[ $(ulimit -Hn) == unlimited || $1 -le $(ulimit -Hn) ]]; then
        echo "$1"
    else
        ulimit -Hn
    fi
}

units_hold() {
    local unit main child count=0
    for unit in fleetcap-coordinator fleetcap-node; do
        is notify property $unit Type || die "$unit is not Type=notify"
        main=$(main_pid $unit)
        is_confined "$main" $unit $none
        [[ $(in_root awk '/^Max open files/ { print $4 }' "/proc/$main/limits") == "$(at_most_ours "$(property $unit LimitNOFILE)")" ]] ||
            die "$unit has other limits than its unit says"
    done
    for child in $(in_root pgrep -P "$(main_pid fleetcap-node)"); do
        is_confined "$child" "the monitor" $net_raw
        count=$((count + 1))
    done
    [[ $count -eq 1 ]] || die "$count processes beside the node, not its monitor alone"
    ok "daemons without capabilities, under seccomp and no_new_privs; CAP_NET_RAW is with the monitor alone"
}

captures() {
    local helper
    operator capture create first --filter protocol=UDP,remotePort=4711 --time-limit 60s -q >/dev/null
    helper=$(pids_of fleetcap-captur)
    is_confined "$helper" "fleetcap-capture" $none
    send 3
    operator capture stop first -q >/dev/null
    is "STOPPED 3" capture first '"\(.state) \(.counters.writtenPackets)"' || die "the capture: $(operator capture show first)"
    ok "captured under its unit, by a process without a capability"
}

survives_crashes() {
    local main
    operator capture create crash --filter protocol=UDP,remotePort=4711 --time-limit 300s -q >/dev/null
    main=$(main_pid fleetcap-node)
    send 10
    in_root kill -SEGV "$main"
    within 90 "a node that crashed is started again" other_than fleetcap-node "$main"
    within 90 "and goes on" resumed crash
    send 5
    within 90 "without the loss of a packet, for its helper has sealed" is 15 written crash
    main=$(main_pid fleetcap-coordinator)
    in_root kill -SEGV "$main"
    within 90 "a coordinator that crashed is started again" other_than fleetcap-coordinator "$main"
    # A daemon that hangs says nothing any more: the watchdog notices.
    drop_in fleetcap-coordinator 'WatchdogSec=3s'
    in_root systemctl restart fleetcap-coordinator
    main=$(main_pid fleetcap-coordinator)
    in_root kill -STOP "$main"
    within 90 "a coordinator that hangs is started again" other_than fleetcap-coordinator "$main"
    within 90 "by the watchdog" journal_has fleetcap-coordinator 'Watchdog timeout'
    drop_in fleetcap-coordinator
    within 90 "the node is back" is "web eu" listed
    within 90 "the capture goes on through all of it" is RUNNING capture crash .state
    operator capture stop crash -q >/dev/null
}

is_upgraded() {
    local node coordinator
    operator capture create upgrade --filter protocol=UDP,remotePort=4711 --time-limit 300s -q >/dev/null
    send 20
    within 90 "packets before the upgrade" is 20 written upgrade
    node=$(main_pid fleetcap-node) coordinator=$(main_pid fleetcap-coordinator)
    echo '# an own line' >>"$root/etc/fleetcap/node.yaml"
    in_root sh -c 'dpkg -i /packages/next/*.deb' >"$work/apt.log" 2>&1 || die "$(tail "$work/apt.log")"
    within 90 "the new node runs" other_than fleetcap-node "$node"
    within 90 "the new coordinator runs" other_than fleetcap-coordinator "$coordinator"
    within 90 "the capture goes on" resumed upgrade
    within 90 "the node is back" is "web eu" listed
    send 10
    within 90 "nothing that was captured is lost" is 30 written upgrade
    operator capture stop upgrade -q >/dev/null
    is "STOPPED STOP_REQUESTED" capture upgrade '"\(.state) \(.stopReason)"' || die "it ended otherwise: $(operator capture show upgrade)"
    [[ $(tail -1 "$root/etc/fleetcap/node.yaml") == '# an own line' ]] || die "the configuration was replaced"
    within 90 "the node was asked to hand over" journal_has fleetcap-node 'SIGUSR2: leaving'
    ok "upgraded while a capture ran"
}

# A stop ends the daemon well, and leaves no process.
stops() {
    in_root systemctl stop fleetcap-node fleetcap-coordinator
    is success property fleetcap-node Result || die "the node did not end well"
    is success property fleetcap-coordinator Result || die "the coordinator did not end well"
    [[ -z $(in_root pgrep fleetcap) ]] || die "processes are left: $(in_root pgrep -a fleetcap)"
    ok "stopped"
}

purge() { in_root sh -c "DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq $*" >"$work/apt.log" 2>&1 || die "$(tail "$work/apt.log")"; }

goes_without_a_trace() {
    in_root systemctl start fleetcap-node fleetcap-coordinator
    purge fleetcap-node
    in_root test -d /var/captures || die "evidence was deleted"
    in_root getent passwd fleetcap-node >/dev/null || die "evidence without an owner"
    [[ -z $(in_root pgrep fleetcap-node) ]] || die "a purged daemon runs"
    rm -r "${root:?}"/var/captures/2*
    in_root dpkg -i /packages/next/fleetcap-node.deb >"$work/apt.log" 2>&1 || die "$(tail "$work/apt.log")"
    rm -rf "$root"/etc/fleetcap/{ca,coordinator}.{crt,key} "$root/root/.config"
    purge fleetcap fleetcap-node fleetcap-coordinator
    purge --autoremove
    in_root systemctl daemon-reload
    [[ -z $(in_root systemctl list-unit-files --no-legend 'fleetcap*') ]] || die "units are left"
    "$machine" kill "$root"
    snapshot | diff "$work/before" - || die "something was left behind"
    ok "purged without a trace; what was captured stays until somebody removes it"
}

main() {
    local base
    remove_leftovers
    mkdir "$work"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [[ -n ${BASE:-} ]]; then
        "$machine" clone "$BASE" "$root" &
    else
        "$machine" base "$root" &
    fi
    base=$!
    [[ -n ${PACKAGES:-} ]] || build_twice
    wait $base || die "no Debian: $(tail "$root.machine/log")"
    snapshot >"$work/before"
    install_packages
    make_upgrade
    boots_unconfigured
    enrols
    survives_a_reboot
    enrols_when_it_can
    units_hold
    captures
    survives_crashes
    is_upgraded
    stops
    goes_without_a_trace
}

main "$@"
