#!/usr/bin/env bash
# The units, judged by systemd itself: how exposed each of them is, and whether every line of them is one.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/fleetcap-units.XXXXXX")
trap 'rm -rf "$work"' EXIT

die() { printf 'FAILED: %s\n' "$*" >&2 && exit 1; }

# systemd 252 counts 0 to 100, ten times what it shows.
exposed_at_most() { # unit tenths
    systemd-analyze security --offline=yes --no-pager --threshold="$2" "$top/systemd/$1.service" >"$work/security" 2>&1 ||
        die "$1 is exposed by more than $2 tenths: $(grep '✗' "$work/security")"
    echo "ok: $1: $(tail -1 "$work/security")"
}

# Every directive is known, has a value that can be, and the programs are there. The paths are those of an installation: they are
# replaced by those of this build.
is_valid() { # unit
    sed "s|/usr/bin/fleetcap|${FLEET_BUILD:?}/bin/fleetcap|" "$top/systemd/$1.service" >"$work/$1.service"
    systemd-analyze verify --man=no --recursive-errors=no "$work/$1.service" >"$work/verify" 2>&1 || true
    ! grep -F "$1" "$work/verify" || die "$1 is not valid"
    echo "ok: $1 is valid"
}

command -v systemd-analyze >/dev/null || die "there is no systemd-analyze"
exposed_at_most fleetcap-node 20
exposed_at_most fleetcap-coordinator 15
exposed_at_most fleetcap-enroll 15
for unit in fleetcap-coordinator fleetcap-node fleetcap-enroll; do
    is_valid $unit
done
# The judge is awake: a line that is none is found, and so is a unit that is open.
sed 's/^NoNewPrivileges=.*/NoNewPrivilege=yes/' "$top/systemd/fleetcap-node.service" >"$work/broken.service"
systemd-analyze verify --man=no "$work/broken.service" >"$work/verify" 2>&1 || true
grep -q 'NoNewPrivilege' "$work/verify" || die "a broken unit is not found"
! systemd-analyze security --offline=yes --no-pager --threshold=20 "$work/broken.service" >/dev/null 2>&1 || die "an open unit is not found"
echo "ok: a broken unit is found"
