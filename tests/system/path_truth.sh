#!/usr/bin/env bash
# path_truth: what `fleetcap path` says of two captures, against what a router between them counted that it dropped.
#
#   path_truth.sh [--long]     in a sandbox of its own
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lab/lab.sh
source "$HERE/../lab/lab.sh"
for tool in nft dumpcap tc; do
    command -v "$tool" >/dev/null || { echo "SKIP: needs $tool" && exit 77; }
done
sandboxed "$HERE/path_truth.py" "$@"
