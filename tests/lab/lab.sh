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
for tool in ip tcpdump tshark openssl unshare setpriv; do
    command -v "$tool" >/dev/null || { echo "SKIP: needs $tool" && exit 77; }
done

# Runs that Python program in private network, mount and PID namespaces: the kernel removes all that it made when it ends, and it ends
# when this shell does, however that is: unshare takes its child with it, but does not listen to SIGTERM itself.
sandboxed() { # program argument...
    local status=0
    setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc env PYTHONPATH="$LAB" \
        PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$@" &
    sandbox=$!
    trap 'kill -KILL "$sandbox" 2>/dev/null; exit 143' TERM INT HUP
    wait "$sandbox" || status=$?
    exit $status
}
