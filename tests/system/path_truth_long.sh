#!/usr/bin/env bash
# path_truth_long: path_truth.sh with every combination of offloads and translation, and more traffic.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/path_truth.sh" --long
