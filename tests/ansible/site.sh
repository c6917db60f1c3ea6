#!/usr/bin/env bash
# The collection fleetcap.fleet on machines of its own: a coordinator and three nodes in two regions, each a booted Debian that a
# controller reaches by ssh: installed, enrolled, captured from, upgraded, given another CA, removed.
#
#   site.sh [STAGE…]     installs captures upgrades stops_at_a_bad_canary rotates removes takes_files; all of them otherwise
#
# FLEETCAP_ANSIBLE_BASE and FLEETCAP_ANSIBLE_PACKAGES name a base machine and packages (1, 2, as below) that are there already.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

base=${FLEETCAP_ANSIBLE_BASE:-$work/base}
packages=${FLEETCAP_ANSIBLE_PACKAGES:-$work/packages}
nodes=(web-eu-1 web-eu-2 web-us-1)
stages=(installs captures upgrades stops_at_a_bad_canary rotates removes takes_files)

operator() { on coordinator-1 fleetcap "$@"; }
online() { operator instance list -o json | jq -r '[.[] | select(.online) | .id] | sort | join(" ")'; }
versions() { operator instance list -o json | jq -r '[.[] | "\(.id)=\(.version)"] | sort | join(" ")'; }
captured() { operator capture show "$1" -o json | jq -r '[.instances[] | "\(.instance) \(.state) \(.counters.writtenPackets)"] | join(", ")'; }
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
    that "in check mode nothing is done, and nothing fails" play site.yml --check --diff --limit coordinator-1,web-eu-1
    that "no package is there yet" on web-eu-1 sh -c '! dpkg -s fleetcap-node'
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

# A key as PEM, the same in base64, a token.
no_secrets() { ! grep -E 'PRIVATE KEY|LS0tLS1CRUdJTiBFQyBQUklWQVRF|fct1[.]' "$work/play" "$work/journals"; }

captures() {
    that "a capture on one instance" operator capture create job --include web-us-1 --filter protocol=UDP,localPort=9999 --time-limit 1h -q
    send web-us-1 20
    within 10 "captures" "web-us-1 RUNNING 20" captured job
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
    within 10 "whose capture went on, and lost nothing" "web-us-1 RUNNING $((20 + $(paste -sd+ "$work/sent")))" captured job
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
    for ((tries = 0; tries < 300; tries++)); do
        ! grep -q 'RETRYING: .web-us-1.: Look for captures' "$work/play" || break
        sleep 0.5
    done
    operator capture stop job -q >/dev/null
}

stops_at_a_bad_canary() {
    that "upgrade.yml to a version that cannot run ends with an error" refused upgrade 0.1.2 "$work/3"
    equal "after the canary" "0.1.2 0.1.1 0.1.1" "$(for name in "${nodes[@]}"; do
        on "$name" dpkg-query --show --showformat='${Version} ' fleetcap-node
    done | sed 's/ $//')"
    equal "the others are online" "web-eu-2 web-us-1" "$(online)"
    that "upgrade.yml to the version before" upgrade 0.1.1 "$packages/2"
    equal "brings the canary back" "${nodes[*]}" "$(online)"
}

fingerprints() { on "$1" awk '/BEGIN CERT/ { n++ } END { print n }' "$2"; }

rotates() {
    local before
    before=$(on coordinator-1 sha256sum /etc/fleetcap/pki/ca.crt)
    that "rotate-ca.yml" play rotate-ca.yml -e fleetcap_rotate_ca=second
    equal "leaves one CA" "1 1 1 1" "$(fingerprints coordinator-1 /etc/fleetcap/ca.crt) $(for name in "${nodes[@]}"; do
        fingerprints "$name" /var/lib/fleetcap-node/ca.crt
    done | paste -sd' ')"
    that "another one" test "$before" != "$(on coordinator-1 sha256sum /etc/fleetcap/pki/ca.crt)"
    within 20 "and everyone is online" "${nodes[*]}" online
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
    that "where it does not get in" on web-eu-2 sh -c 'timeout 8 fleetcap-node --config /root/stolen.yaml >/root/stolen.log 2>&1
        cat /root/stolen.log; grep -q "certificate revoked" /root/stolen.log && ! grep -q "connected to" /root/stolen.log'
    that "because the coordinator knows the certificate" on coordinator-1 sh -c 'journalctl -o cat -u fleetcap-coordinator | tail -40 | grep "web-us-1.*revoked"'
    equal "and the fleet is what it was" "web-eu-1 web-eu-2" "$(online)"
}

# Where the CA is somebody else's.
takes_files() {
    local given=$work/given file
    local -a options=(-e test_version=0.1.1 -e "test_packages=$packages/2")
    mkdir "$given"
    for file in ca.crt ca.key coordinator.crt coordinator.key crl.pem; do cp "$work/coordinator-1/etc/fleetcap/$file" "$given"; done
    on coordinator-1 fleetcap pki issue node web-us-9 --dir /etc/fleetcap/pki --scale-set web --region us -q
    cp "$work"/coordinator-1/etc/fleetcap/pki/node-web-us-9.* "$given"
    that "site.yml with the coordinator's credentials as files" play site.yml --limit coordinator-1 "${options[@]}" \
        -e fleetcap_coordinator_credentials=files -e "fleetcap_coordinator_ca_file=$given/ca.crt" \
        -e "fleetcap_coordinator_ca_key_file=$given/ca.key" -e "fleetcap_coordinator_crl_file=$given/crl.pem" \
        -e "fleetcap_coordinator_certificate_file=$given/coordinator.crt" -e "fleetcap_coordinator_key_file=$given/coordinator.key"
    equal "finds them as they are" 0 "$(changed)"
    that "site.yml with a node's credentials as files" play site.yml --limit web-us-1 "${options[@]}" \
        -e fleetcap_node_id=web-us-9 -e fleetcap_node_credentials=files -e "fleetcap_node_ca_file=$given/ca.crt" \
        -e "fleetcap_node_certificate_file=$given/node-web-us-9.crt" -e "fleetcap_node_key_file=$given/node-web-us-9.key"
    equal "has it online, under another name than the one that was removed" "web-eu-1 web-eu-2 web-us-9" "$(online)"
    that "and shows no key" no_secrets
}

main() {
    local stage
    [[ $# -eq 0 ]] || stages=("$@")
    up
    for stage in "${stages[@]}"; do "$stage"; done
    say "all holds"
}

main "$@"
