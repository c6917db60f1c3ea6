# lib.sh: machines that a controller reaches by ssh, for the tests of the collection; sourced.
# shellcheck shell=bash
#
# $work is the test's directory, $control the controller's network namespace with a bridge to every machine's.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
machine=$top/tests/packages/machine
for tool in ansible-playbook ssh debootstrap jq ip; do
    command -v "$tool" >/dev/null || { echo "SKIP: needs $tool" && exit 77; }
done
[[ $EUID -eq 0 ]] || { echo "SKIP: needs root, for network namespaces" && exit 77; }

work=$(mktemp -d /var/tmp/fleetcap-ansible-XXXXXX)
control=fca-$$
export MACHINE_OWNER=$$
declare -A address=()
readonly here top machine work control

say() { printf '%3d s  %s\n' "$SECONDS" "$*"; }
that() { # sentence command...
    local sentence=$1
    shift
    "$@" >"$work/output" 2>&1 || { tail -n 60 "$work/output" && printf 'FAILED: %s\n' "$sentence" && exit 1; }
    say "$sentence"
}
equal() { # sentence expected found
    [[ $2 == "$3" ]] || { printf 'FAILED: %s\nexpected: %s\n   found: %s\n' "$1" "$2" "$3" && exit 1; }
    say "$1"
}
within() { # seconds sentence expected command...
    local until=$((SECONDS + $1)) found
    while found=$("${@:4}" 2>&1 || true) && [[ $found != "$3" && $SECONDS -lt $until ]]; do sleep 0.5; done
    equal "$2" "$3" "$found"
}

finish() {
    local status=$? name
    trap - EXIT
    # shellcheck disable=SC2046 # one word per job
    kill $(jobs -p) 2>/dev/null || true
    if [[ $status -ne 0 ]]; then
        grep -A 40 -E '^(fatal|failed|PLAY RECAP)' "$work/play" 2>/dev/null | tail -n 100 | cut -c1-1000 || true
        for name in "${!address[@]}"; do
            printf '== %s\n' "$name"
            on "$name" journalctl --no-pager -n 15 -u 'fleetcap*' -o cat 2>/dev/null || true
        done
    fi
    for name in "${!address[@]}"; do
        "$machine" remove "$work/$name" || status=1
        ip netns del "$control-$name" 2>/dev/null || true
    done
    ip netns del "$control" 2>/dev/null || true
    [[ ${base:-} != "$work"/* ]] || "$machine" remove "$base" || status=1
    rm -rf "$work"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

on() { "$machine" run "$work/$1" -- "${@:2}"; } # name command...

# ---- the controller

make_control() {
    ip netns add "$control"
    ip -n "$control" link set lo up
    ip -n "$control" link add bridge0 type bridge
    ip -n "$control" address add 10.88.0.1/24 dev bridge0
    ip -n "$control" link set bridge0 up
    ssh-keygen -q -t ed25519 -N '' -f "$work/key"
    mkdir -p "$work/collections/ansible_collections/fleetcap"
    cp -r "$top/ansible" "$work/collections/ansible_collections/fleetcap/fleet"
    cat >"$work/ansible.cfg" <<END
[defaults]
collections_path = $work/collections
inventory = $work/hosts.yml
private_key_file = $work/key
host_key_checking = False
local_tmp = $work/tmp
forks = 8
interpreter_python = /usr/bin/python3
retry_files_enabled = False
[ssh_connection]
pipelining = True
control_path_dir = $work/cp
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
END
}

play() { # playbook option...
    # Nothing of this machine's own configuration or environment.
    ip netns exec "$control" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$work" LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1 \
        ANSIBLE_CONFIG="$work/ansible.cfg" timeout 900 ansible-playbook "$work/collections/ansible_collections/fleetcap/fleet/playbooks/$1" "${@:2}" >"$work/play" 2>&1 </dev/null
}
# What the last play changed, on all machines.
changed() { grep -oE 'changed=[0-9]+' "$work/play" | awk -F= '{ sum += $2 } END { print sum + 0 }'; }
played() { grep -qE "$1" "$work/play"; }

# ---- the machines

# Everything that the packages depend on is in the base: the machines have no other network than the bridge.
make_base() { # packages-directory
    local -a depends=()
    mapfile -t depends < <(for package in "$1"/*.deb; do dpkg-deb -f "$package" Depends; done |
        tr ',' '\n' | sed 's/[(|].*//; s/[[:space:]]//g' | grep -v '^fleetcap\|^$' | sort -u)
    "$machine" base "$base" openssh-server python3 python3-apt openssl "${depends[@]}"
}

make_machine() { # name address
    local name=$1 namespace=$control-$1
    address[$name]=$2
    ip netns add "$namespace"
    ip -n "$control" link add "port${2##*.}" type veth peer name eth0 netns "$namespace"
    ip -n "$control" link set "port${2##*.}" master bridge0 up
    ip -n "$namespace" address add "$2/24" dev eth0
    ip -n "$namespace" link set eth0 up
    "$machine" clone "$base" "$work/$name"
    install -d -m 700 "$work/$name/root/.ssh"
    install -m 600 "$work/key.pub" "$work/$name/root/.ssh/authorized_keys"
    "$machine" boot "$work/$name" --netns "$namespace" --hostname "$name" >/dev/null
}
