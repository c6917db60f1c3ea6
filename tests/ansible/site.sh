#!/usr/bin/env bash
# The collection fleetcap.fleet on machines of its own: a coordinator and three nodes in two regions, each a booted Debian that a
# controller reaches by ssh: installed, enrolled, captured from, upgraded, given another CA, removed.
#
#   site.sh [STAGE…]     installs captures upgrades stops_at_a_bad_canary stops_in_a_wave rotates removes takes_files rotates_files;
#                        all of them otherwise
#
# FLEETCAP_ANSIBLE_BASE and FLEETCAP_ANSIBLE_PACKAGES name a base machine and packages (1, 2, as below) that are there already.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

base=${FLEETCAP_ANSIBLE_BASE:-$work/base}
packages=${FLEETCAP_ANSIBLE_PACKAGES:-$work/packages}
nodes=(web-eu-1 web-eu-2 web-us-1)
stages=(installs captures upgrades stops_at_a_bad_canary stops_in_a_wave rotates removes takes_files rotates_files)

operator() { on coordinator-1 fleetcap "$@"; }
online() { operator instance list -o json | jq -r '[.[] | select(.online) | .id] | sort | join(" ")'; }
installed() { # package; of which version every node has it
    local name
    for name in "${nodes[@]}"; do on "$name" dpkg-query --show --showformat='${Version} ' "$1"; done | sed 's/ $//'
}
versions() { operator instance list -o json | jq -r '[.[] | "\(.id)=\(.version)"] | sort | join(" ")'; }
captured() { operator capture show "$1" -o json | jq -r '[.instances[] | "\(.instance) \(.state) \(.counters.writtenPackets)"] | join(", ")'; }
# By a new helper: what the coordinator knew before the node was restarted does not count.
resumed() { operator capture show "$1" -o json | jq -r '.instances[] | "\(.state) \(.gaps | length)"'; }
send() { # name count
    # shellcheck disable=SC2016 # for the shell inside
    ip netns exec "$control" bash -c 'for ((i = 0; i < $2; i++)); do echo x >/dev/udp/"$1"/9999; sleep 0.02; done' bash "${address[$1]}" "$2"
}

upgrade() { play upgrade.yml -e "test_version=$1" -e "test_packages=$2" "${@:3}"; } # version packages option...
refused() { ! "$@"; }

# ---- before

# 1 and 2 are two versions; 3 is one whose node cannot run.
build_packages() {
    local deb
    [[ -d $packages/1 ]] || "$top/debian/build" --no-lintian --version 0.1.0 --output "$packages/1" >/dev/null
    [[ -d $packages/2 ]] || "$top/debian/build" --no-lintian --version 0.1.1 --output "$packages/2" >/dev/null
    mkdir "$work/3"
    for deb in "$packages"/2/fleetcap{,-node,-coordinator}_*.deb; do
        rm -rf "$work/unpacked"
        dpkg-deb -R "$deb" "$work/unpacked"
        sed -i 's/^Version: .*/Version: 0.1.2/' "$work/unpacked/DEBIAN/control"
        [[ $deb != */fleetcap-node_* ]] || printf '#!/bin/sh\necho "fleetcap-node: broken" >&2\nexit 1\n' >"$work/unpacked/usr/bin/fleetcap-node"
        dpkg-deb --root-owner-group -Zgzip -z1 -b "$work/unpacked" "$work/3/$(basename "${deb/0.1.1/0.1.2}")" >/dev/null
    done
}

# One machine has its packages from an apt repository, and from nowhere else.
make_repository() { # name
    local repository=$work/$1/srv/packages
    mkdir -p "$repository"
    cp "$packages"/[12]/fleetcap-node_*.deb "$repository"
    (cd "$repository" && dpkg-scanpackages -m . >Packages 2>/dev/null)
    rm -rf "$work/$1/etc/apt/sources.list" "$work/$1"/etc/apt/sources.list.d/*
    echo 'deb [trusted=yes] file:/srv/packages ./' >"$work/$1/etc/apt/sources.list.d/fleetcap.list"
}

write_inventory() {
    local name
    {
        printf 'all:\n  vars: {ansible_user: root, test_version: 0.1.0, test_packages: %s/1, fleetcap_node_online_wait: 40,\n' "$packages"
        printf '         fleetcap_packages_dir: "{{ test_packages }}",\n'
        printf '         fleetcap_node_coordinator: 10.88.0.10:7443, fleetcap_cli_coordinator: 10.88.0.10:7443}\n'
        printf '  hosts:\n'
        for name in "${!address[@]}"; do printf '    %s: {ansible_host: %s}\n' "$name" "${address[$name]}"; done
        cat <<'END'
  children:
    fleetcap_coordinators:
      hosts: {coordinator-1: }
      vars: {fleetcap_coordinator_fleet: acme, fleetcap_coordinator_credentials: pki}
    fleetcap_operators:
      hosts: {coordinator-1: }
      vars: {fleetcap_cli_credentials: pki, fleetcap_cli_context: acme, fleetcap_cli_fleet: acme}
    fleetcap_nodes:
      children:
        region_eu:
          hosts: {web-eu-1: , web-eu-2: }
          vars: {fleetcap_node_region: eu}
        region_us:
          hosts: {web-us-1: }
          vars: {fleetcap_node_region: us, fleetcap_packages_dir: '', fleetcap_version: "{{ test_version }}"}
      vars: {fleetcap_node_scale_set: web, fleetcap_node_labels: {role: web}, fleetcap_node_settings: {disk_floor: 64MiB}}
END
    } >"$work/hosts.yml"
}

up() {
    local name last=10
    build_packages
    say "packages"
    [[ -d $base ]] || make_base "$packages/1"
    say "a base machine"
    make_control
    for name in coordinator-1 "${nodes[@]}"; do make_machine "$name" 10.88.0.$((last++)); done
    make_repository web-us-1
    write_inventory
    say "machines: ${!address[*]}"
}

# ---- the sentences

installs() {
    local name
    that "in check mode nothing fails" play site.yml --check --diff
    that "upgrade.yml says that there is nothing to upgrade" refused play upgrade.yml --check
    that "by the machine's name" played 'coordinator-1 has no coordinator yet'
    that "as it does where only nodes are asked for" play upgrade.yml --check --limit fleetcap_nodes
    that "by their names" played 'installed nothing there: web-eu-1, web-eu-2, web-us-1'
    that "rotate-ca.yml says who is not enrolled" refused play rotate-ca.yml --check -e fleetcap_rotate_ca=second
    that "by its name" played 'web-us-1 is not enrolled yet'
    that "remove.yml finds nothing to purge" play remove.yml --check -e fleetcap_remove=all
    that "site.yml with tags that there are not" play site.yml --tags unknown
    that "and nothing is done by all that" nothing_is_installed
    that "site.yml installs, configures, enrols and starts" play site.yml -vvv
    for name in "${!address[@]}"; do on "$name" journalctl --no-pager -o cat; done >"$work/journals"
    that "each with a task" grep -q 'Enrol the machine' "$work/play"
    that "and no secret is shown or logged" no_secrets
    equal "every node is online" "${nodes[*]}" "$(online)"
    equal "with scale set and region as their tokens bind them" "web/eu web/eu web/us" \
        "$(operator instance list -o json | jq -r '[sort_by(.id)[] | "\(.scaleSet)/\(.region)"] | join(" ")')"
    that "a second time" play site.yml
    equal "changes nothing" 0 "$(changed)"
    that "check mode with differences" play site.yml --check --diff
    equal "sees nothing to change" 0 "$(changed)"
}

nothing_is_installed() {
    local name
    for name in "${!address[@]}"; do
        on "$name" sh -c 'dpkg -l | grep fleetcap; ls -d /etc/fleetcap* /run/fleetcap* /var/lib/fleetcap* /var/captures /root/.config 2>/dev/null; true'
    done | diff - /dev/null
}

# A key as PEM, the same in base64, a token.
no_secrets() { ! grep -E 'PRIVATE KEY|LS0tLS1CRUdJTiBFQyBQUklWQVRF|fct1[.]' "$work/play" "$work/journals"; }

captures() {
    that "a capture on one instance" operator capture create job --include web-us-1 --filter protocol=UDP,localPort=9999 --time-limit 1h -q
    send web-us-1 20
    within 60 "captures" "web-us-1 RUNNING 20" captured job
    that "a key of its configuration is changed" play site.yml --limit web-us-1 -e '{"fleetcap_node_settings": {"disk_floor": "32MiB"}}'
    that "but the restart waits for the capture" on web-us-1 test -e /run/fleetcap-node.restart
    equal "which goes on" "web-us-1 RUNNING 20" "$(captured job)"
}

upgrades() {
    (while :; do send web-us-1 50 && echo 50 >>"$work/sent"; [[ ! -e $work/enough ]] || break; done) &
    that "upgrade.yml" upgrade 0.1.1 "$packages/2"
    touch "$work/enough"
    wait $!
    equal "upgrades who does not capture" "web-eu-1=0.1.1 web-eu-2=0.1.1 web-us-1=0.1.0" "$(versions)"
    that "and names who does" played 'Not upgraded.* web-us-1'
    within 60 "whose capture went on, and lost nothing" "web-us-1 RUNNING $((20 + $(paste -sd+ "$work/sent")))" captured job
    : >"$work/play" # not what the last one said
    stop_when_waited_for &
    that "upgrade.yml waits until the capture is over" upgrade 0.1.1 "$packages/2" -e fleetcap_node_upgrade_captures=wait
    wait $!
    that "indeed" played 'RETRYING: .web-us-1.: Look for captures'
    that "with the restart that was put off" on web-us-1 test ! -e /run/fleetcap-node.restart
    equal "and goes on with the rest" "web-eu-1=0.1.1 web-eu-2=0.1.1 web-us-1=0.1.1" "$(versions)"
    that "upgrade.yml once more" upgrade 0.1.1 "$packages/2"
    equal "changes nothing" 0 "$(changed)"
}

stop_when_waited_for() {
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        ! grep -q 'RETRYING: .web-us-1.: Look for captures' "$work/play" || break
        sleep 0.5
    done
    operator capture stop job -q >/dev/null
}

stops_at_a_bad_canary() {
    that "upgrade.yml to a version that cannot run ends with an error" refused upgrade 0.1.2 "$work/3"
    that "which names the machine" played 'web-eu-1 is not well: its fleetcap-node does not run'
    equal "after the canary" "0.1.2 0.1.1 0.1.1" "$(installed fleetcap-node)"
    that "a second time it ends there, too, although the canary has the package" refused upgrade 0.1.2 "$work/3"
    equal "and leaves the others as they are" "0.1.2 0.1.1 0.1.1" "$(installed fleetcap-node)"
    equal "the others are online" "web-eu-2 web-us-1" "$(online)"
    that "upgrade.yml to the version before" upgrade 0.1.1 "$packages/2"
    equal "brings the canary back" "${nodes[*]}" "$(online)"
}

# Back to the first version, in waves of one: the second of them fails, for a reason of its machine.
stops_in_a_wave() {
    local -a options=(-e fleetcap_upgrade_wave=1 -e fleetcap_node_upgrade_captures=interrupt)
    that "a capture on the last instance" operator capture create late --include web-us-1 --filter protocol=UDP,localPort=9999 --time-limit 1h -q
    send web-us-1 20
    within 60 "captures" "web-us-1 RUNNING 20" captured late
    on web-eu-2 sh -c 'mkdir -p /etc/systemd/system/fleetcap-node.service.d
        printf "[Service]\nExecStartPre=/bin/sh -c \"echo the disk is gone; exit 1\"\n" >/etc/systemd/system/fleetcap-node.service.d/gone.conf'
    that "upgrade.yml with a machine where no daemon can start ends with an error" refused upgrade 0.1.0 "$packages/1" "${options[@]}"
    that "which names the machine" played 'fatal: .web-eu-2.*web-eu-2 is not well: its fleetcap-node does not run'
    that "with what was said there" played 'fatal: .web-eu-2.*the disk is gone'
    equal "in the wave of that machine, and none comes after it" "0.1.0 0.1.0 0.1.1" "$(installed fleetcap-node)"
    equal "the others are online, each with its version" "web-eu-1=0.1.0 web-us-1=0.1.1" \
        "$(operator instance list -o json | jq -r '[.[] | select(.online) | "\(.id)=\(.version)"] | sort | join(" ")')"
    send web-us-1 20
    within 60 "and capture" "web-us-1 RUNNING 40" captured late
    on web-eu-2 sh -ec 'rm -r /etc/systemd/system/fleetcap-node.service.d; systemctl daemon-reload'
    printf 'region_us:\n  hosts:\n    web-us-7: {ansible_host: 10.88.0.99}\n' >"$work/away.yml"
    equal "upgrade.yml when that is mended, with a machine that does not answer, says so" 4 \
        "$(upgrade 0.1.0 "$packages/1" "${options[@]}" -e fleetcap_upgrade_wave=100% -i "$work/hosts.yml" -i "$work/away.yml" || echo $?)"
    that "by its name" played 'Not upgraded, because the machine does not answer: web-us-7'
    equal "and brings the others to the end" "web-eu-1=0.1.0 web-eu-2=0.1.0 web-us-1=0.1.0" "$(versions)"
    within 60 "the capture that it interrupts goes on, after a gap" "RUNNING 1" resumed late
    send web-us-1 20
    within 60 "and counts on" "web-us-1 RUNNING 60" captured late
    equal "in other files" 2 "$(on web-us-1 sh -c 'find /var/captures -path "*/late-*" -name "*.pcapng*" | wc -l')"
    operator capture stop late -q >/dev/null
}

# How many CAs the coordinator trusts, and every node.
trusted() {
    local name
    {
        grep -c 'BEGIN CERT' "$work/coordinator-1/etc/fleetcap/ca.crt"
        for name in "${nodes[@]}"; do grep -c 'BEGIN CERT' "$work/$name/var/lib/fleetcap-node/ca.crt"; done
    } | paste -sd' '
}

rotates() {
    local before
    before=$(on coordinator-1 sha256sum /etc/fleetcap/pki/ca.crt)
    that "rotate-ca.yml" play rotate-ca.yml -e fleetcap_rotate_ca=second
    within 60 "leaves one CA" "1 1 1 1" trusted
    that "another one" test "$before" != "$(on coordinator-1 sha256sum /etc/fleetcap/pki/ca.crt)"
    within 60 "and everyone is online" "${nodes[*]}" online
    that "a second time" play rotate-ca.yml -e fleetcap_rotate_ca=second
    equal "changes nothing" 0 "$(changed)"
}

removes() {
    on web-us-1 tar -C /var/lib/fleetcap-node -cf - . >"$work/stolen.tar"
    that "remove.yml" play remove.yml -e fleetcap_remove=web-us-1 -e fleetcap_node_remove_captures=true
    equal "the instance is gone" "web-eu-1 web-eu-2" "$(online)"
    equal "the machine has nothing left of it" "" "$(on web-us-1 sh -c \
        'ls -d /etc/fleetcap /var/lib/fleetcap-node /var/captures /usr/bin/fleetcap* /run/fleetcap*; getent passwd fleetcap-node
         dpkg -l | grep fleetcap; pgrep -l fleetcap' 2>/dev/null)"
    that "what it was is copied to another machine" on web-eu-2 sh -ec 'install -d -m 700 /root/stolen /root/captures; tar -C /root/stolen --no-same-owner -xf -
        printf "state_dir: /root/stolen\ncaptures_dir: /root/captures\ncoordinator: 10.88.0.10:7443\n" >/root/stolen.yaml' <"$work/stolen.tar"
    that "where it does not get in" on web-eu-2 sh -c 'timeout 90 fleetcap-node --config /root/stolen.yaml >/root/stolen.log 2>&1 & tries=0
        until grep -q "certificate revoked" /root/stolen.log || [ $((tries += 1)) -gt 80 ]; do sleep 1; done
        sleep 3; kill $!; wait; cat /root/stolen.log; grep -q "certificate revoked" /root/stolen.log && ! grep -q "connected to" /root/stolen.log'
    within 30 "because the coordinator knows the certificate" yes on coordinator-1 sh -c \
        'journalctl -o cat -u fleetcap-coordinator | tail -40 | grep -q "web-us-1.*revoked" && echo yes'
    equal "and the fleet is what it was" "web-eu-1 web-eu-2" "$(online)"
}

# Where the CA is somebody else's: web-us-1 comes as another instance, with a certificate; the other nodes enrol.
takes_files() {
    local given=$work/given file
    mkdir "$given"
    for file in ca.crt ca.key coordinator.crt coordinator.key crl.pem; do cp "$work/coordinator-1/etc/fleetcap/$file" "$given"; done
    for file in crt key; do cp "$work/coordinator-1/etc/fleetcap/pki/operator-ansible.$file" "$given/operator.$file"; done
    on coordinator-1 fleetcap pki issue node web-us-9 --dir /etc/fleetcap/pki --scale-set web --region us -q
    for file in crt key; do cp "$work/coordinator-1/etc/fleetcap/pki/node-web-us-9.$file" "$given/node.$file"; done
    cat >"$work/given.yml" <<END
all:
  hosts:
    coordinator-1:
      fleetcap_coordinator_credentials: files
      fleetcap_coordinator_ca_file: $given/ca.crt
      fleetcap_coordinator_ca_key_file: $given/ca.key
      fleetcap_coordinator_crl_file: $given/crl.pem
      fleetcap_coordinator_certificate_file: $given/coordinator.crt
      fleetcap_coordinator_key_file: $given/coordinator.key
      fleetcap_cli_credentials: files
      fleetcap_cli_ca_file: $given/ca.crt
      fleetcap_cli_certificate_file: $given/operator.crt
      fleetcap_cli_key_file: $given/operator.key
    web-us-1:
      fleetcap_node_id: web-us-9
      fleetcap_node_credentials: files
      fleetcap_node_ca_file: $given/ca.crt
      fleetcap_node_certificate_file: $given/node.crt
      fleetcap_node_key_file: $given/node.key
END
    that "site.yml with the coordinator's and the operator's credentials as files" with_files site.yml -vvv --diff --limit coordinator-1
    equal "finds them as they are" 0 "$(changed)"
    that "and shows no key" no_secrets
    that "site.yml with a node's credentials as files" with_files site.yml -vvv --diff --limit web-us-1
    equal "has it online, under another name than the one that was removed" "web-eu-1 web-eu-2 web-us-9" "$(online)"
    that "and shows no key" no_secrets
}

with_files() { play "$1" -i "$work/hosts.yml" -i "$work/given.yml" "${@:2}"; } # playbook option...

# Another CA of that kind, in three runs of site.yml.
rotates_files() {
    local given=$work/given name
    that "somebody else makes another CA, and has it issue" on coordinator-1 sh -ec 'fleetcap pki init --fleet acme --dir /root/other -q
        fleetcap pki issue coordinator coordinator-1 --dns 10.88.0.10 --dir /root/other -q; fleetcap pki issue operator ansible --dir /root/other -q
        fleetcap pki issue node web-us-9 --dir /root/other --scale-set web --region us -q'
    cp -r "$work/coordinator-1/root/other" "$work/other"
    cat "$work/other/ca.crt" >>"$given/ca.crt"
    cat "$work/other/crl.pem" >>"$given/crl.pem"
    that "site.yml with both CAs" with_files site.yml
    within 60 "has everyone trust both" "2 2 2 2" trusted
    for name in crt key; do
        cp "$work/other/coordinator-coordinator-1.$name" "$given/coordinator.$name"
        cp "$work/other/operator-ansible.$name" "$given/operator.$name"
        cp "$work/other/node-web-us-9.$name" "$given/node.$name"
    done
    cp "$work/other/ca.key" "$given/ca.key"
    that "site.yml with certificates of the new one" with_files site.yml
    for name in web-eu-1 web-eu-2; do on "$name" systemctl kill --signal=SIGUSR1 --kill-whom=main fleetcap-node; done
    within 60 "and everyone has one" "4" certified_by_other
    cp "$work/other/ca.crt" "$work/other/crl.pem" "$given"
    that "site.yml with the new one alone" with_files site.yml
    within 60 "leaves one CA" "1 1 1 1" trusted
    on coordinator-1 systemctl restart fleetcap-coordinator
    within 60 "and everyone is online" "web-eu-1 web-eu-2 web-us-9" online
    that "a second time" with_files site.yml
    equal "changes nothing" 0 "$(changed)"
}

certified_by_other() {
    openssl verify -CAfile "$work/other/ca.crt" "$work"/web-*/var/lib/fleetcap-node/node.pem "$work/coordinator-1/etc/fleetcap/coordinator.crt" 2>/dev/null | grep -c ': OK$'
}

main() {
    local stage
    [[ $# -eq 0 ]] || stages=("$@")
    up
    for stage in "${stages[@]}"; do "$stage"; done
    say "all holds"
}

main "$@"
