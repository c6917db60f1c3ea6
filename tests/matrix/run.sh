#!/usr/bin/env bash
# run: one fleet of the matrix (run.py), in a sandbox.
# shellcheck source=../lab/lab.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lab/lab.sh"
sandboxed "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/run.py" --program "$FLEET_BUILD/bin/fleetcap" "$@"
