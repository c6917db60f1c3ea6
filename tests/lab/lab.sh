# lab.sh: what the tests that run in a sandbox share; sourced.
# shellcheck shell=bash
set -euo pipefail

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly LAB
export FLEET_BUILD=${FLEET_BUILD:-$LAB/../../build/release}

if [[ $EUID -ne 0 ]]; then
    echo "SKIP: needs root, for network namespaces"
    exit 77
fi
for tool in ip tcpdump tshark openssl unshare; do
    command -v "$tool" >/dev/null || { echo "SKIP: needs $tool" && exit 77; }
done

# Becomes that Python program, in private network, mount and PID namespaces: the kernel removes all that it made when it ends.
sandboxed() { # program argument...
    exec unshare --net --mount --pid --fork --kill-child --mount-proc env PYTHONPATH="$LAB" PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 "$@"
}
