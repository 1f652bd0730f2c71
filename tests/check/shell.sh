#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: shell.sh ROOT
# Fails when shellcheck has something to say about a script.
set -euo pipefail
root=$1

cd "$root"
find . -name build -prune -o -name .git -prune -o -type f \( -name '*.sh' -o -path ./dev -o -path ./.ci/run \) -print0 |
    xargs -0 --no-run-if-empty shellcheck -x
