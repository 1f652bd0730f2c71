#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tidy.py ROOT BUILD_DIR [--jobs N]

Runs clang-tidy, as .clang-tidy says, over every source of ROOT in BUILD_DIR's compile database; generated code is left out.
What passed is remembered in BUILD_DIR/tidy/ by a hash of everything that clang-tidy saw (the source with all its headers
and comments, the rules, the version), so that only what changed is looked at again.
"""
import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import shlex
import subprocess
import sys
import time


def arguments_of(entry):
    """The compile command of an entry, without output and dependency options."""
    given = entry.get("arguments") or shlex.split(entry["command"])
    kept = []
    skip = False
    for argument in given[1:]:
        if skip:
            skip = False
        elif argument in ("-o", "-MF", "-MT", "-MQ"):
            skip = True
        elif argument not in ("-c", "-MD", "-MMD") and argument != entry["file"]:
            kept.append(argument)
    return kept


def fingerprint(entry, common):
    """Hash of all that clang-tidy sees of one source; None when it does not even preprocess."""
    arguments = arguments_of(entry)
    command = ["clang", "-E", "-C", "-P", *arguments, entry["file"]]
    seen = subprocess.run(command, cwd=entry["directory"], capture_output=True, check=False)
    if seen.returncode != 0:
        return None
    digest = hashlib.sha256(common)
    digest.update("\0".join(arguments).encode())
    digest.update(pathlib.Path(entry["file"]).read_bytes())
    digest.update(seen.stdout)
    return digest.hexdigest()


def check_source(entry, build, passed, common):
    """(file, seconds, complaint): complaint is "" when clean, seconds 0 when that was known."""
    key = fingerprint(entry, common)
    if key and (passed / key).exists():
        return entry["file"], 0.0, ""
    started = time.monotonic()
    command = ["clang-tidy", "--quiet", "-p", str(build), entry["file"]]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if run.returncode != 0:
        return entry["file"], seconds, run.stdout + run.stderr
    if key:
        (passed / key).touch()
    return entry["file"], seconds, ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    root, build = options.root.resolve(), options.build.resolve()
    passed = build / "tidy"
    passed.mkdir(exist_ok=True)

    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    common = version + (root / ".clang-tidy").read_bytes()
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.is_relative_to(root) and not file.is_relative_to(build) and file.exists():
            entries[entry["file"]] = entry
    if not entries:
        print("no source in the compile database", file=sys.stderr)
        return 1

    failed = looked_at = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for file, seconds, complaint in pool.map(lambda entry: check_source(entry, build, passed, common), entries.values()):
            looked_at += seconds > 0
            if complaint:
                failed += 1
                print(f"== {file}\n{complaint}", flush=True)
    print(f"{len(entries)} sources, {looked_at} looked at, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
