#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: sizes.sh ROOT
# Fails when a file is longer than its limit: 600 lines, 800 for tests.
set -euo pipefail
root=$1
# shellcheck source=tests/check/sources.sh
. "$(dirname "$0")/sources.sh"

cd "$root"
failed=0
while IFS= read -r file; do
    case $file in
    tests/*) limit=800 ;;
    *) limit=600 ;;
    esac
    lines=$(wc -l <"$file")
    if [ "$lines" -gt "$limit" ]; then
        echo "$file: $lines lines, the limit is $limit: which second noun can move out?"
        failed=1
    fi
done < <(source_files .)
exit $failed
