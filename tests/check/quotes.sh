#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# quotes.sh ROOT: the grader in README.md is the example that the tests build.
set -eu
root=$1
# shellcheck disable=SC2016 # the backquotes are Markdown's
quoted=$(sed -n '/^## Write a grader in 20 lines/,/^## /p' "$root/README.md" | sed -n '/^```c$/,/^```$/p' | sed '1d;$d')
if [ "$quoted" != "$(cat "$root/grader-sdk/examples/hello_grader.c")" ]; then
    echo "README.md: the grader differs from grader-sdk/examples/hello_grader.c"
    exit 1
fi
