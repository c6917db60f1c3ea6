#!/usr/bin/env bash
# matrix_long: every fault, and twenty fleets without any.
exec "$(dirname "${BASH_SOURCE[0]}")/matrix.sh" --long "$@"
