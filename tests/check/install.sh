#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: install.sh BUILD_DIR EXPECTED_LIST
# Installs into a folder of the build (DESTDIR) and fails when the installed files differ from the list. In the list, * stands
# for a version number or for the machine's library folder.
set -euo pipefail
build=$1
expected=$2

stage=$build/check/install
rm -rf "$stage"
DESTDIR=$stage cmake --install "$build" --prefix /usr >"$build/check/install.log"

failed=0
installed=$(cd "$stage" && find . ! -type d | sed 's,^\.,,' | LC_ALL=C sort)
patterns=$(grep -v '^#' "$expected")
while IFS= read -r file; do
    found=0
    while IFS= read -r pattern; do
        # shellcheck disable=SC2053 # the right side is a pattern on purpose
        if [[ $file == $pattern ]]; then found=1; fi
    done <<<"$patterns"
    if [ $found = 0 ]; then
        echo "installed, but not in $expected: $file"
        failed=1
    fi
done <<<"$installed"
while IFS= read -r pattern; do
    found=0
    while IFS= read -r file; do
        # shellcheck disable=SC2053 # the right side is a pattern on purpose
        if [[ $file == $pattern ]]; then found=1; fi
    done <<<"$installed"
    if [ $found = 0 ]; then
        echo "in $expected, but not installed: $pattern"
        failed=1
    fi
done <<<"$patterns"
exit $failed
