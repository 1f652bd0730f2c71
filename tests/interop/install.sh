#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: install.sh FOLDER
# What package-lock.json names, in FOLDER/node_modules: once for each version of that file. Needs npm, and the registry that npm uses.
set -eu
source=$(dirname "$0")
mkdir -p "$1"
exec 9>"$1/lock"
flock 9
if cmp -s "$source/package-lock.json" "$1/installed.json"; then
    exit 0
fi
if ! command -v npm >/dev/null; then
    echo "install.sh: no npm. Install nodejs and npm: ./dev deps does on Debian" >&2
    exit 1
fi
rm -f "$1/installed.json"
cp "$source/package.json" "$source/package-lock.json" "$1/"
(cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline 9>&-)
cp "$1/package-lock.json" "$1/installed.json"
