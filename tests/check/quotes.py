#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: quotes.py ROOT

Programs in documents are files that the tests run. Each block of code in a language of LANGUAGES, and each shell script, stands
in a document under a line that says which file it is:

    <!-- quoted: grader-sdk/examples/hello_grader.c -->

and is that file, with or without its licence line; or, when it is no program, under <!-- a fragment -->.
"""
import pathlib
import re
import sys

DOCUMENTS = ["README.md", "grader-sdk/README.md", "docs/*.md"]
LANGUAGES = {"c", "cpp", "python", "java", "make", "makefile", "cmake"}
FENCE = re.compile(r"^(?:(?P<before>[^\n]*)\n)?```(?P<language>\w+)\n(?P<code>.*?\n)```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"<!-- quoted: (\S+) -->")
LICENCE = re.compile(r"^.*SPDX-License-Identifier.*\n", re.MULTILINE)


def complaint(root, block):
    """What is wrong with a block of code, or None."""
    if block["language"] not in LANGUAGES and not block["code"].startswith("#!"):
        return None
    before = (block["before"] or "").strip()
    if before == "<!-- a fragment -->":
        return None
    quoted = QUOTED.fullmatch(before)
    if not quoted:
        return "does not say which file it quotes"
    file = root / quoted[1]
    if not file.is_file():
        return f"quotes {quoted[1]}, which is not there"
    text = file.read_text()
    if block["code"] not in (text, LICENCE.sub("", text, count=1)):
        return f"differs from {quoted[1]}"
    return None


def main(root):
    failed = False
    for document in sorted(path for pattern in DOCUMENTS for path in root.glob(pattern)):
        text = document.read_text()
        for block in FENCE.finditer(text):
            wrong = complaint(root, block)
            if wrong:
                line = text.count("\n", 0, block.start("code")) + 1
                print(f"{document.relative_to(root)}:{line}: the {block['language']} program {wrong}")
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
