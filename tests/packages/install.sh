#!/usr/bin/env bash
# The packages: two builds are the same bytes; they go into a clean Debian 12, run there under its own systemd with their units as they
# are, capture, and go without a trace.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
machine=$here/machine
work=$(mktemp -d /var/tmp/fleetcap-packages-XXXXXX)
root=$work/root

say() { printf '%s\n' "-- $*"; }
die() { printf 'FAILED: %s\n' "$*" >&2 && exit 1; }
in_root() { "$machine" run "$root" -- "$@"; }
finish() {
    "$machine" remove "$root" || true
    rm -rf "$work"
}

# Everything that a package could leave behind; what apt and dpkg write for themselves is not.
list_files() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./tmp -o -path ./packages -o -path ./var/lib/dpkg -o \
        -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./root -o -path ./run -o -path ./dev \
        -o -path ./etc/passwd- -o -path ./etc/group- -o -path ./etc/shadow- -o -path ./etc/gshadow- \
        -o -path ./var/lib/systemd/deb-systemd-helper-enabled \) -prune -o -print | sort)
}

build_twice() {
    say "two builds of one commit"
    "$top/debian/build" >/dev/null
    (cd "$top/build/package" && sha256sum ./*.deb) >"$work/first"
    "$top/debian/build" >/dev/null
    (cd "$top/build/package" && sha256sum ./*.deb) | diff "$work/first" - || die "two builds differ"
}

put_credentials() {
    in_root sh -ec '
        cd /root
        fleetcap pki init --fleet test --dir pki -q
        fleetcap pki issue coordinator main --dir pki --dns 127.0.0.1 -q
        fleetcap pki issue node web-1 --dir pki -q
        fleetcap pki issue operator me --dir pki -q
        install -m 644 pki/ca.crt pki/coordinator-main.crt /etc/fleetcap
        mv /etc/fleetcap/coordinator-main.crt /etc/fleetcap/coordinator.crt
        install -o fleetcap-coordinator -m 600 pki/coordinator-main.key /etc/fleetcap/coordinator.key
        install -d -o fleetcap-node -m 700 /var/lib/fleetcap-node
        install -o fleetcap-node -m 600 pki/node-web-1.key /var/lib/fleetcap-node/node.key
        install -o fleetcap-node -m 644 pki/node-web-1.crt /var/lib/fleetcap-node/node.crt
        install -o fleetcap-node -m 644 pki/ca.crt /var/lib/fleetcap-node/ca.crt
        sed -i "s/^coordinator:.*/coordinator: 127.0.0.1:7443/" /etc/fleetcap/node.yaml' >/dev/null
}

operator() {
    # shellcheck disable=SC2016 # for the shell inside
    in_root sh -c 'export FLEETCAP_COORDINATOR=127.0.0.1:7443 FLEETCAP_CA=/root/pki/ca.crt \
        FLEETCAP_CERT=/root/pki/operator-me.crt FLEETCAP_KEY=/root/pki/operator-me.key; exec fleetcap "$@"' sh "$@"
}

# The units as they are shipped, started by a systemd that reads them.
run_units() {
    local unit main
    say "booted: the units run, watched and confined"
    "$machine" boot "$root"
    for unit in fleetcap-coordinator fleetcap-node; do
        [[ $(in_root systemctl is-active $unit) == active ]] || die "$unit: $(in_root systemctl status $unit --no-pager)"
        [[ $(in_root systemctl show -P Type $unit) == notify ]] || die "$unit is not Type=notify"
        main=$(in_root systemctl show -P MainPID $unit)
        [[ $(in_root awk '/^CapEff/ { print $2 }' "/proc/$main/status") == 0000000000000000 ]] || die "$unit has capabilities"
        [[ $(in_root awk '/^NoNewPrivs/ { print $2 }' "/proc/$main/status") == 1 ]] || die "$unit may gain privileges"
    done
    in_root sh -ec 'ip link add eth0 type veth peer name peer0 && ip address add 10.77.0.1/24 dev eth0
        ip link set eth0 up && ip link set peer0 up && ip neighbour add 10.77.0.7 lladdr 02:00:00:00:00:07 dev eth0'
    operator capture create t1 --filter protocol=UDP,remotePort=4711 --time-limit 30s -q >/dev/null
    in_root bash -c 'for i in 1 2 3; do echo x >/dev/udp/10.77.0.7/4711; done'
    operator capture stop t1 -q >/dev/null
    [[ $(operator capture show t1 -o json | jq -r '.instances[0] | "\(.state) \(.counters.writtenPackets)"') == "STOPPED 3" ]] ||
        die "the capture: $(operator capture show t1)"
    # A daemon that hangs is noticed and started again.
    main=$(in_root systemctl show -P MainPID fleetcap-coordinator)
    in_root kill -SEGV "$main"
    sleep 4
    [[ $(in_root systemctl is-active fleetcap-coordinator) == active ]] || die "the coordinator was not started again"
    in_root systemctl stop fleetcap-node fleetcap-coordinator
    [[ $(in_root systemctl show -P Result fleetcap-node) == success ]] || die "the node did not end well"
    "$machine" kill "$root"
}

main() {
    trap finish EXIT
    trap 'exit 130' INT TERM
    build_twice
    say "a clean Debian 12"
    "$machine" base "$root"
    list_files >"$work/before"
    mkdir "$root/packages"
    cp "$top"/build/package/*.deb "$root/packages/"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    say "install"
    in_root sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends jq /packages/fleetcap_*.deb \
        /packages/fleetcap-node_*.deb /packages/fleetcap-coordinator_*.deb' >"$work/apt.log" 2>&1 || die "$(tail "$work/apt.log")"
    in_root fleetcap --help >/dev/null
    in_root test -s /usr/share/man/man1/fleetcap.1.gz || in_root test -d /usr/share/doc/fleetcap
    put_credentials
    run_units
    say "purge"
    rm -rf "$root"/etc/fleetcap/*.crt "$root"/etc/fleetcap/*.key "$root/var/captures/"2*
    in_root sh -c 'apt-get purge -y -qq fleetcap fleetcap-node fleetcap-coordinator jq && apt-get autoremove --purge -y -qq' \
        >"$work/apt.log" 2>&1 || die "$(tail "$work/apt.log")"
    rm -f "$root/usr/sbin/policy-rc.d"
    list_files | diff "$work/before" - || die "something was left behind"
    say "installed, ran, and gone without a trace"
}

main "$@"
