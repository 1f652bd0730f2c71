#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: layers.py ROOT

Fails when a source breaks a layer rule: a library's header where it may not appear, an include against the arrows of
ARCHITECTURE.md, a legacy word beyond the adapter, a construct that the house does without, or no opening comment.
Prints file:line: why.
"""
import pathlib
import re
import subprocess
import sys

# Folders of the tree, and which of them each may include.
MAY_INCLUDE = {
    "proto": {"proto"},
    "base": {"base", "proto"},  # the standard messages that every call carries: base/rpc, as pb_edges.txt has it
    "service": {"base", "proto", "service"},
    "grader-sdk": {"base", "proto", "grader-sdk"},
    "rest-adapter": {"base", "proto", "grader-sdk", "rest-adapter"},
    "tests": {"base", "proto", "service", "grader-sdk", "rest-adapter", "tests"},
}

# Parts that are stricter than their folder (how their paths begin): which of our headers they may include.
PURE = {
    # The one command that works on the database itself, while xqueued is stopped.
    r"service/ctl/import_db\.c": (r"base/.*|service/ctl/[^/]+\.h|service/import/importer\.h", "the import is another's work"),
    r"service/ctl/(?!import_db\.c)": (r"base/.*|.*\.pb-c\.h|service/ctl/[^/]+\.h", "xqueuectl is a client: it knows the contract, not the service"),
    "service/rules/": (r"base/[^/]+\.h|service/rules/[^/]+\.h", "the rules know nothing of store, wire and threads"),
    "grader-sdk/include/": (r"xqueue/[^/]+\.h", "a public header stands alone"),
    # A client of the contract, beside the grader that is tried with it.
    "grader-sdk/tools/submit_": (r"base/.*|.*\.pb-c\.h|grader-sdk/tools/submit_[^/]+\.h", "xqueue-submit is a client: it knows the contract"),
    "grader-sdk/tools/(?!submit_)": (r"xqueue/[^/]+\.h|grader-sdk/tools/[^/]+\.h", "what can be built on the SDK is built on its public header"),
    "grader-sdk/mock/": (r"base/(?!client/).*|.*\.pb-c\.h|grader-sdk/(?:include/xqueue/[^/]+|mock/[^/]+|src/(?:report|thread))\.h",
                         "the mock is the other side: it knows nothing of the grader's"),
    "grader-sdk/src/": (r"(?!grader-sdk/mock/).*", "a grader knows nothing of the mock"),
    "base/rpc/": (r"base/(?!client/).*|.*\.pb-c\.h", "base knows nothing above it"),
    r"base/[^/]+$": (r"base/[^/]+\.h", "base knows nothing above it"),
    # Of programs on a command line, which may block and catch signals.
    r"(?!base/client/|service/ctl/|grader-sdk/tools/submit_|tests/)": (r"(?!base/client/).*", "base/client/ is for our command lines"),
}

# Library header, files that may include it, why.
LIBRARIES = [
    # The file of another service is no store of ours: its reader lives with the import.
    (r"sqlite3\.h", r"service/store/store_(?:sqlite[^/]*\.[ch]|internal\.h)|service/import/legacy_sqlite\.c|tests/.*",
     "SQLite stays inside its store"),
    (r"service/store/store_internal\.h", r"service/store/.*|tests/.*", "SQLite stays inside its store"),
    (r"base/rpc/.*internal\.h", r"base/rpc/.*|tests/.*", "the gRPC C core stays inside base/rpc/"),
    (r"libpq-fe\.h", r"service/store/store_postgres[^/]*\.[ch]|tests/.*", "PostgreSQL stays inside its store"),
    (r"grpc/(?!.*\.pb-c\.h).*", r"base/rpc/.*", "the gRPC C core stays inside base/rpc/"),
    (r"civetweb\.h", r"rest-adapter/http_server\.c", "civetweb stays inside one file"),
    (r"curl/.*", r"rest-adapter/(?:http_client\.c|http_transfer\.[ch])|tests/.*", "libcurl stays inside the HTTP client"),
    # xqueuectl is a client of the core that lives beside it; scripts read its output as JSON.
    (r"jansson\.h", r"(?!service/(?!ctl/)|base/).*", "no JSON in the core"),
    (r"yaml\.h", r"base/config[^/]*\.[ch]|tests/.*", "YAML is the configuration's only"),
]

# Construct (looked for outside comments and strings), files where it may stand, why.
CONSTRUCTS = [
    (r"\bvolatile\b", r"tests/support/faulty_vfs\.c", "flags between threads are _Atomic"),  # SQLite's own signature
    (r"\b(?:sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep)\s*\(", r"(?!)", "no sleeps: wait for what you wait for"),
    (r"\bp?poll\s*\(\s*NULL\b", r"(?!)", "no sleeps: wait for what you wait for"),
    (r"\btypedef\s+(?:struct|union|enum)\b", r"(?!)", "no typedef for structs"),
    (r"\bmg_(?:handle_form_request|handle_form|upload)\b", r"(?!)", "civetweb's form reader hangs and overflows"),
]

LEGACY_WORDS = re.compile(r"xqueue_header|pull_?key|lms_ack|\bretired\b", re.IGNORECASE)
# The configuration describes the keys of the adapter, too; the import reads the original's tables.
LEGACY_MAY = re.compile(r"rest-adapter/|tests/|service/import/|grader-sdk/examples/|base/config[^/]*$")

OPENING_LINES_MAX = 60

COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def source_files(root):
    """Paths relative to root: the sources git tracks, or all where there is no git."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if (root / ".git").exists() and listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:
        names = [str(path.relative_to(root)) for folder in MAY_INCLUDE for path in (root / folder).rglob("*")]
    return sorted(name for name in names if name.split("/")[0] in MAY_INCLUDE and (root / name).is_file())


def without_comments(text, keep_strings):
    """The text with comments (and strings) blanked, line numbers kept."""
    def blank(match):
        if keep_strings and match.group()[0] in "\"'":
            return match.group()
        return "\n" * match.group().count("\n") or " "
    return COMMENT_OR_STRING.sub(blank, text)


def folder_of_header(header):
    """The folder of ours that a header belongs to; None for a library's or the system's."""
    if header.endswith(".pb-c.h"):
        return "proto"
    if header.startswith("xqueue/"):
        return "grader-sdk"
    first = header.split("/")[0]
    return first if first in MAY_INCLUDE else None


def include_faults(name, header, quoted, edges):
    """Why this file may not include this header: zero or more reasons."""
    if header.endswith(".c"):
        yield f"may not include {header}: a source is compiled once, tests link it"
    for pattern, may, why in LIBRARIES:
        if re.fullmatch(pattern, header) and not re.fullmatch(may, name):
            yield f"may not include {header}: {why}"
    if header.endswith(".pb-c.h") and not any(re.fullmatch(edge, name) for edge in edges):
        yield f"may not include {header}: only the edges in tests/check/pb_edges.txt see the wire's types"
    owner = folder_of_header(header)
    if owner is None:
        if quoted and "/" not in header:
            yield f"includes {header} without its path from the repository's root"
        return
    if owner not in MAY_INCLUDE[name.split("/")[0]]:
        yield f"may not include {header}: dependencies point down only"
    for prefix, (may, why) in PURE.items():
        if re.match(prefix, name) and not re.fullmatch(may, header):
            yield f"may not include {header}: {why}"


def faults_of(name, text, edges):
    """(line number, reason) of everything wrong with one file."""
    def line_of(position):
        return text.count("\n", 0, position) + 1

    if not LEGACY_MAY.match(name) and not name.endswith(".md"):
        for number, line in enumerate(text.split("\n"), 1):
            word = LEGACY_WORDS.search(line)
            if word:
                yield number, f"legacy word '{word.group()}': the glossary has another"
    if not name.endswith((".c", ".h")):
        return
    opening = "\n".join(text.split("\n")[:OPENING_LINES_MAX])
    if "SPDX-License-Identifier: Apache-2.0" not in text.split("\n", 1)[0]:
        yield 1, "the first line is not the SPDX line"
    if name.endswith(".h") and not re.search(r"^ \*.*\bThread(?:ing|s)\b", opening, re.MULTILINE):
        yield 1, "the header does not open with a comment that has a 'Threading:' line"

    text = without_comments(text, keep_strings=True)
    for match in INCLUDE.finditer(text):
        for why in include_faults(name, match.group(2), match.group(1) == '"', edges):
            yield line_of(match.start()), why
    text = without_comments(text, keep_strings=False)
    for pattern, may, why in CONSTRUCTS:
        for match in re.finditer(pattern, text):
            if not re.fullmatch(may, name):
                yield line_of(match.start()), f"'{match.group()}': {why}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    lines = (pathlib.Path(__file__).parent / "pb_edges.txt").read_text().splitlines()
    edges = [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]
    count = 0
    checked = (".c", ".h", ".proto", ".sql", ".txt", ".md", ".sh", ".py", ".yml")
    for name in source_files(root):
        if name.endswith(checked):
            for number, why in faults_of(name, (root / name).read_text(encoding="utf-8", errors="replace"), edges):
                print(f"{name}:{number}: {why}")
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
