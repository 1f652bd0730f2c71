#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: headers.sh ROOT GENERATED_DIR
# Fails unless every header compiles alone and twice over, as strict C17; those of the SDK without this tree, as C11 and C++11.
set -euo pipefail
root=$1
export generated=$2
# shellcheck source=tests/check/sources.sh
. "$(dirname "$0")/sources.sh"

cd "$root"
compile_header() {
    local header=$1
    local strict=(-fsyntax-only -Wall -Wextra -Wundef -Werror -pedantic-errors)
    local twice
    twice=$(printf '#include "%s"\n#include "%s"\n' "$header" "$header")
    case $header in
    grader-sdk/include/*)
        local public=${header#grader-sdk/include/}
        twice=$(printf '#include <%s>\n#include <%s>\n' "$public" "$public")
        gcc -x c++ -std=c++11 "${strict[@]}" -Igrader-sdk/include - <<<"$twice" &&
            gcc -x c -std=c11 "${strict[@]}" -Wstrict-prototypes -Igrader-sdk/include - <<<"$twice"
        ;;
    *)
        gcc -x c -std=c17 "${strict[@]}" -Wstrict-prototypes -D_GNU_SOURCE -I. -Igrader-sdk/include -isystem "$generated" \
            - <<<"$twice"
        ;;
    esac
}
export -f compile_header
# shellcheck disable=SC2016 # $1 is the inner shell's
source_files . | grep '\.h$' | tr '\n' '\0' |
    xargs -0 --no-run-if-empty -n 1 -P 2 bash -c 'compile_header "$1" || { echo "$1: does not compile alone" >&2; exit 1; }' headers
