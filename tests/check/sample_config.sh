#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: sample_config.sh SAMPLE WORK_DIR PROGRAM...
# Fails unless every program accepts the sample configuration, once the passwords that it names are there, and refuses it with
# file and line when it is broken.
set -euo pipefail
sample=$1
work=$2
shift 2

rm -rf "$work"
mkdir -p "$work/passwords"
cp "$sample" "$work/xqueue.yml"
sed -n 's/^ *password_file: *//p' "$sample" | while IFS= read -r file; do
    echo "a sample password" >"$work/$file"
done
{
    cat "$sample"
    echo 'no_such_section: 1'
} >"$work/broken.yml"
line=$(wc -l <"$work/broken.yml")

for program in "$@"; do
    "$program" --config "$work/xqueue.yml" --check-config
    if "$program" --config "$work/broken.yml" --check-config >"$work/output" 2>&1; then
        echo "$program accepts an unknown key"
        exit 1
    fi
    if ! grep -q "broken.yml:$line" "$work/output"; then
        echo "$program does not say where the unknown key stands:"
        cat "$work/output"
        exit 1
    fi
done
