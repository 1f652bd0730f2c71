#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: format.sh ROOT
# Fails unless every source is formatted as .clang-format says. Put right with ./dev format.
set -euo pipefail
root=$1
# shellcheck source=tests/check/sources.sh
. "$(dirname "$0")/sources.sh"

cd "$root"
source_files . | tr '\n' '\0' | xargs -0 --no-run-if-empty -n 20 -P 2 clang-format --style=file --dry-run -Werror
