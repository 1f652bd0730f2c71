# SPDX-License-Identifier: Apache-2.0
"""A listing: what was promised, one thing a line, sorted, in a file that only grows."""
import pathlib


def read(path):
    """The lines of a listing; none when there is no such file yet."""
    path = pathlib.Path(path)
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def write(path, about, lines):
    header = f"# SPDX-License-Identifier: Apache-2.0\n# {about}\n"
    pathlib.Path(path).write_text(header + "".join(f"{line}\n" for line in sorted(lines)))


def report(broken, new, if_broken, if_new):
    """Prints what differs. 0 = nothing, 1 = something promised is broken, 2 = only grown."""
    for line in sorted(broken):
        print(f"- {line}")
    for line in sorted(new):
        print(f"+ {line}")
    if broken:
        print(if_broken)
        return 1
    if new:
        print(if_new)
        return 2
    return 0
