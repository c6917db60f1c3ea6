#!/usr/bin/env bash
# oracle: `fleetcap analyze` says the same as tshark of captures of every kind of trouble (oracle.py).
#
#   oracle.sh [--keep DIR] [CELL...]
# shellcheck source=../lab/lab.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lab/lab.sh"
sandboxed "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/oracle.py" --program "$FLEET_BUILD/bin/fleetcap" "$@"
