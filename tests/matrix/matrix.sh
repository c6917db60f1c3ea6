#!/usr/bin/env bash
# matrix: some faults on one of six instances and one fleet without any: `fleetcap compare` says which, and why (matrix.py).
#
#   matrix.sh [--long] [--seed N] [--keep DIR] [FAULT...]
# shellcheck source=../lab/lab.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lab/lab.sh"
sandboxed "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/matrix.py" --program "$FLEET_BUILD/bin/fleetcap" "$@"
