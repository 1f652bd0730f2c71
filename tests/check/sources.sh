# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the checks. source_files ROOT lists the C sources and headers below ROOT, relative to it, one a line: those that git
# tracks, or all of them where there is no git (a source archive, a test's sample tree).
source_files() {
    local top
    top=$(git -C "$1" rev-parse --show-toplevel 2>/dev/null) || top=
    if [ -n "$top" ] && [ "$top" = "$(cd "$1" && pwd -P)" ]; then
        git -C "$1" ls-files -- '*.c' '*.h' | while IFS= read -r file; do
            if [ -f "$1/$file" ]; then printf '%s\n' "$file"; fi
        done
    else
        (cd "$1" && find . -path ./build -prune -o -name '*.[ch]' -type f -print | sed 's,^\./,,' | LC_ALL=C sort)
    fi
}
