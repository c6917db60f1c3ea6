#!/usr/bin/env bash
# What roles and playbooks say of values that cannot be right: a sentence that names the variable, before anything is done. Tags that there
# are not leave nothing of a role but this.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/fleetcap-ansible-arguments.XXXXXX")
trap 'rm -rf "$work"' EXIT
command -v ansible-playbook >/dev/null || { echo "SKIP: needs ansible-playbook" && exit 77; }
export HOME=$work LC_ALL=C.UTF-8 ANSIBLE_COLLECTIONS_PATH=$work/collections ANSIBLE_LOCAL_TEMP=$work/tmp ANSIBLE_RETRY_FILES_ENABLED=0
unset ANSIBLE_CONFIG
mkdir -p "$work/collections/ansible_collections/fleetcap"
cp -r "$top/ansible" "$work/collections/ansible_collections/fleetcap/fleet"

# role entry|variables, beside those that are right|what is said
cases=(
    "node main|{}|"
    "node main|{fleetcap_node_coordinator: ''}|fleetcap_node_coordinator must be HOST:PORT"
    "node main|{fleetcap_node_coordinator: coordinator}|fleetcap_node_coordinator must be HOST:PORT"
    "node main|{fleetcap_node_labels: web}|argument 'fleetcap_node_labels' is of type .* unable to convert to dict"
    "node main|{fleetcap_node_settings: [a]}|argument 'fleetcap_node_settings' is of type .* unable to convert to dict"
    "node main|{fleetcap_node_online_wait: soon}|argument 'fleetcap_node_online_wait' is of type .* unable to convert to int"
    "node main|{fleetcap_node_interrupt_captures: perhaps}|argument 'fleetcap_node_interrupt_captures' is of type .* unable to convert to bool"
    "node main|{fleetcap_node_credentials: none}|value of fleetcap_node_credentials must be one of: enrol, files"
    "node main|{fleetcap_node_credentials: files, fleetcap_node_ca_file: a, fleetcap_node_key_file: b}|fleetcap_node_certificate_file.*must be given"
    "node main|{fleetcap_operator_host: ''}|where the group fleetcap_coordinators is empty, fleetcap_operator_host must be given"
    "node main|{fleetcap_operator_host: '', fleetcap_node_token: fct1.secret, fleetcap_node_wait_online: false}|"
    "node upgrade|{fleetcap_node_upgrade_captures: never}|value of fleetcap_node_upgrade_captures must be one of: wait, defer, interrupt"
    "node upgrade|{fleetcap_node_upgrade_settle: 5s}|argument 'fleetcap_node_upgrade_settle' is of type .* unable to convert to int"
    "node upgrade|{fleetcap_node_online_wait: 2m}|argument 'fleetcap_node_online_wait' is of type .* unable to convert to int"
    "node remove_instance|{fleetcap_node_remove_force: perhaps}|argument 'fleetcap_node_remove_force' is of type .* unable to convert to bool"
    "coordinator main|{}|"
    "coordinator main|{fleetcap_coordinator_fleet: ''}|credentials is pki: this needs fleetcap_coordinator_fleet"
    "coordinator main|{fleetcap_coordinator_credentials: files}|this needs fleetcap_coordinator_ca_file, fleetcap_coordinator_certificate_file"
    "coordinator main|{fleetcap_coordinator_renew_days: many}|argument 'fleetcap_coordinator_renew_days' is of type .* unable to convert to int"
    "coordinator main|{fleetcap_coordinator_dns: {a: b}}|argument 'fleetcap_coordinator_dns' is of type .* unable to convert to list"
    "coordinator main|{fleetcap_coordinator_settings: listen}|argument 'fleetcap_coordinator_settings' is of type .* unable to convert to dict"
    "cli main|{}|"
    "cli main|{fleetcap_cli_coordinator: ''}|fleetcap_cli_coordinator must be HOST:PORT"
    "cli main|{fleetcap_cli_credentials: files}|fleetcap_cli_ca_file, fleetcap_cli_certificate_file and fleetcap_cli_key_file must be given"
    "cli main|{fleetcap_cli_renew_days: many}|argument 'fleetcap_cli_renew_days' is of type .* unable to convert to int"
    "cli main|{fleetcap_cli_pki_host: ''}|fleetcap_cli_pki_host must be given"
    "package main|{fleetcap_package_names: [fleetcap]}|"
    "package main|{}|missing required arguments: fleetcap_package_names"
    "package main|{fleetcap_package_names: [fleetcap], fleetcap_package_upgrade: perhaps}|argument 'fleetcap_package_upgrade' is of type .* unable to convert to bool"
)

# playbook variable=value|what is said
playbooks=(
    "upgrade.yml fleetcap_upgrade_canaries=few|fleetcap_upgrade_canaries and fleetcap_upgrade_wave are each .*: not few and 20%"
    "upgrade.yml fleetcap_upgrade_wave=0|fleetcap_upgrade_canaries and fleetcap_upgrade_wave are each .*: not 1 and 0"
)

# Every case is a host of its own; they all go into one run.
write_inventory() {
    local i variables
    printf 'all:\n  vars: {ansible_connection: local, fleetcap_node_coordinator: "192.0.2.1:7443", fleetcap_cli_coordinator: "192.0.2.1:7443",\n'
    printf '         fleetcap_coordinator_credentials: pki, fleetcap_coordinator_fleet: acme, fleetcap_cli_credentials: pki}\n  hosts:\n'
    for i in "${!cases[@]}"; do
        IFS='|' read -r _ variables _ <<<"${cases[i]}"
        printf '    case-%s:\n      case: %s\n' "$i" "${cases[i]%%|*}"
        [[ $variables == '{}' ]] || sed 's/^{//; s/}$//; s/, \(fleetcap_\)/\n\1/g; s/^/      /; s/\n/\n      /g' <<<"$variables"
    done
    printf '  children:\n    fleetcap_coordinators:\n      hosts: {case-0: }\n'
}

write_inventory >"$work/hosts.yml"
# An entry of a role is a task: ansible does not tell two of one role apart that come from a variable.
{
    printf -- '- hosts: all\n  gather_facts: false\n  tasks:\n'
    printf '%s\n' "${cases[@]%%|*}" | sort -u | while read -r role entry; do
        printf '    - {ansible.builtin.include_role: {name: fleetcap.fleet.%s, tasks_from: %s}, tags: always, when: case == "%s %s"}\n' \
            "$role" "$entry" "$role" "$entry"
    done
} >"$work/play.yml"
ansible-playbook -vvv --check --tags unknown -i "$work/hosts.yml" "$work/play.yml" >"$work/said" 2>&1 || true
! grep -F fct1. "$work/said" || { echo "FAILED: a token is shown" && exit 1; }
echo "ok: a token is not shown"
for i in "${!cases[@]}"; do
    what=${cases[i]%|*} want=${cases[i]##*|}
    if [[ -n $want ]]; then
        grep -A 5 -F "fatal: [case-$i]:" "$work/said" | grep -E "$want" >/dev/null ||
            { printf 'FAILED: %s is not refused with "%s"\n' "$what" "$want" && grep -F "[case-$i]" "$work/said"; exit 1; }
        printf 'ok: %s: %s\n' "$what" "$want"
    else
        grep -qE "^case-$i +: ok=[1-9].* failed=0 " "$work/said" || { printf 'FAILED: %s is refused\n' "$what" && grep -F "[case-$i]" "$work/said"; exit 1; }
        printf 'ok: %s\n' "$what"
    fi
done
for case in "${playbooks[@]}"; do
    read -r playbook variable <<<"${case%|*}"
    ! ansible-playbook --check --tags unknown -i "$top/ansible/inventory/example/hosts.yml" -e ansible_connection=local -e "$variable" \
        "$work/collections/ansible_collections/fleetcap/fleet/playbooks/$playbook" >"$work/said" 2>&1 ||
        { printf 'FAILED: %s is not refused\n' "${case%|*}" && exit 1; }
    grep -qE "${case##*|}" "$work/said" || { printf 'FAILED: %s is not refused with "%s"\n' "${case%|*}" "${case##*|}" && cat "$work/said" && exit 1; }
    printf 'ok: %s: %s\n' "${case%|*}" "${case##*|}"
done
