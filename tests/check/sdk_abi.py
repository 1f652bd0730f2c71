#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: sdk_abi.py compare|update RELEASED_LISTING CC LIBRARY[,LIBRARY...] HEADER...
       sdk_abi.py selftest CC

Guards what programs that are already built rely on in a shared library: its soname, its symbols with their versions, and of its
public headers the prototypes, constants, and the size, order and types of what stands in structs. clang reads the headers, the
compiler CC says sizes and offsets. compare fails when something of the released listing is gone or is not what it was, and when
the library has grown without its listing; update adds what is new, and refuses while something is broken. With another soname it
is another library, which has promised nothing yet. selftest proves that each kind of incompatible change is found.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import listing

PREFIX = re.compile(r"^(xqueue_|XQUEUE_)")
# Structs that only the library makes, so that they may grow as those do that begin with struct_size.
MADE_BY_LIBRARY = {"xqueue_file", "xqueue_mock_record"}
# Room for later members: promised is the size of the struct, which never changes, not what stands there.
RESERVED = "reserved"
# These are expected to change, or are nothing to rely on.
NO_CONSTANTS = re.compile(r"^XQUEUE_(API|VERSION_\w+|\w+_H)$")


def output_of(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def including(headers):
    return "".join(f'#include "{pathlib.Path(header).resolve()}"\n' for header in headers)


def include_folders(headers):
    return sorted({f"-I{pathlib.Path(header).resolve().parent.parent}" for header in headers})


def declarations(headers):
    """What the headers declare under our prefix, as clang's syntax tree has it; also enums without a name."""
    tree = json.loads(output_of("clang", "-x", "c", "-std=c11", "-fsyntax-only", "-Xclang", "-ast-dump=json",
                                *include_folders(headers), "-", input=including(headers)))
    return [node for node in tree["inner"] if PREFIX.match(node.get("name") or "".join(enum_constants(node)[:1]))]


def type_of(node):
    return node["type"]["qualType"]


def function_lines(node):
    where = "inline" if node.get("storageClass") == "static" else "function"
    yield f"{where} {node['name']}", type_of(node)


def enum_constants(node):
    return [each["name"] for each in node.get("inner", []) if each["kind"] == "EnumConstantDecl"]


def fields(node):
    return [each for each in node.get("inner", []) if each["kind"] == "FieldDecl"]


def grows(node):
    return node["name"] in MADE_BY_LIBRARY or fields(node)[0]["name"] == "struct_size"


def measured(cc, headers, nodes):
    """Sizes, offsets and values, from a program that the compiler of the library makes."""
    prints = []

    def show(key, value):
        prints.append(f'printf("%s\\t%lld\\n", "{key}", (long long)({value}));')

    for node in nodes:
        if node["kind"] == "EnumDecl":
            for name in enum_constants(node):
                show(name, name)
            if "name" in node:
                show(f"enum {node['name']}", f"sizeof(enum {node['name']})")
        if node["kind"] == "RecordDecl" and node.get("completeDefinition"):
            tag = f"{node['tagUsed']} {node['name']}"
            show(tag, f"sizeof({tag})")
            show(f"{tag} alignment", f"_Alignof({tag})")
            for field in fields(node):
                show(f"{tag} {field['name']}", f"offsetof({tag}, {field['name']})")
                show(f"{tag} {field['name']} size", f"sizeof((({tag} *)0)->{field['name']})")
    source = f"{including(headers)}#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{{\n" + "\n".join(prints) + "\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/probe"
        output_of(*cc.split(), "-x", "c", "-std=c11", *include_folders(headers), "-o", program, "-", input=source)
        return {key: int(value) for key, value in (line.split("\t") for line in output_of(program).splitlines())}


def enum_lines(node, sizes):
    owner = f"enum {node['name']}" if "name" in node else "enum"
    if "name" in node:
        yield owner, f"{sizes[owner]} bytes"
    for name in enum_constants(node):
        yield f"constant {name}", f"{sizes[name]} of {owner}"


def struct_lines(node, sizes):
    tag = f"{node['tagUsed']} {node['name']}"
    if not node.get("completeDefinition"):
        return
    manner = "grows at its end" if grows(node) else "never changes"
    yield tag, f"{sizes[tag]} bytes, alignment {sizes[f'{tag} alignment']}, {manner}"
    for field in fields(node):
        if field["name"] != RESERVED:
            where = f"{tag} {field['name']}"
            yield f"member {node['name']}.{field['name']}", f"at {sizes[where]}, {sizes[f'{where} size']} bytes: {type_of(field)}"


def macro_lines(cc, headers):
    macros = output_of(*cc.split(), "-x", "c", "-E", "-dM", *include_folders(headers), "-", input=including(headers))
    for line in macros.splitlines():
        _, name, *body = line.split(" ", 2)
        if PREFIX.match(name) and not NO_CONSTANTS.match(name):
            yield f"macro {name}", " ".join(body)


def symbol_lines(libraries):
    symbols = [line.split() for library in libraries
               for line in output_of("nm", "--dynamic", "--defined-only", "--with-symbol-versions", library).splitlines()]
    for *_, kind, symbol in symbols:
        if kind != "A":  # the name of a version itself
            name, _, version = symbol.partition("@")
            yield f"symbol {name}@{version.lstrip('@')}", "exported"
    sonames = re.findall(r"SONAME.*\[(.*)\]", output_of("readelf", "--dynamic", "--wide", *libraries))
    yield "soname", " ".join(sonames) or "none"


def abi(cc, libraries, headers):
    """All that is promised: a name for each thing, and what is said of it."""
    nodes = declarations(headers)
    sizes = measured(cc, headers, nodes)
    found = dict(symbol_lines(libraries.split(","))) | dict(macro_lines(cc, headers))
    for node in nodes:
        match node["kind"]:
            case "FunctionDecl":
                found.update(function_lines(node))
            case "TypedefDecl":
                found[f"typedef {node['name']}"] = type_of(node)
            case "EnumDecl":
                found.update(enum_lines(node, sizes))
            case "RecordDecl":
                found.update(struct_lines(node, sizes))
    return found


def undeclared(found):
    """What is exported and stands in no header, or the other way round."""
    exported = {key.split()[1].partition("@")[0] for key in found if key.startswith("symbol ")}
    declared = {key.split()[1] for key in found if key.startswith("function ")}
    return [f"symbol {name}: exported, but in no public header" for name in exported - declared] + \
           [f"function {name}: declared, but not exported" for name in declared - exported]


def size_and_manner(line):
    size, _, rest = line.partition(" bytes, ")
    return int(size), rest


def has_grown(released, current):
    """A struct that may grow is larger, and otherwise the same."""
    (old_size, old_manner), (new_size, new_manner) = size_and_manner(released), size_and_manner(current)
    return old_manner == new_manner and "grows" in old_manner and new_size > old_size


def member_is_misplaced(key, released, current):
    """A new member where programs that are already built have something else, or padding that says nothing."""
    struct = f"struct {key.split()[1].split('.')[0]}"
    if struct not in released:
        return False
    size, manner = size_and_manner(released[struct])
    if "grows" not in manner:
        ends = [re.match(r"at (\d+), (\d+)", line) for name, line in released.items()
                if name.startswith(f"member {struct.split()[1]}.")]
        size = max(int(end[1]) + int(end[2]) for end in ends)
    return int(re.match(r"at (\d+)", current[key])[1]) < size


def differences(released, current):
    """(broken, new): lines of what is not as released, and of what was not there."""
    broken, new = [], []
    for key, line in released.items():
        if key not in current:
            broken.append(f"{key} = {line}")
        elif current[key] != line:
            fine = key.startswith("struct ") and has_grown(line, current[key])
            (new if fine else broken).append(f"{key} = {current[key]}, was {line}")
    for key in current.keys() - released.keys():
        misplaced = key.startswith("member ") and member_is_misplaced(key, released, current)
        (broken if misplaced else new).append(f"{key} = {current[key]}" + (", not at the end" if misplaced else ""))
    return broken, new


def compare(released, current):
    """0 = same, 1 = programs that are already built would break, 2 = only grown. Prints the difference."""
    if undeclared(current):
        print("\n".join(undeclared(current)))
        return 1
    if released and released["soname"] != current["soname"]:
        print(f"{current['soname']} is another library than {released['soname']}. When that is meant: ./dev abi")
        return 2
    broken, new = differences(released, current)
    return listing.report(
        broken, new, "Incompatible: programs that were built before rely on what stands behind '-'. Add, never change or remove.",
        "The library has grown. When that is meant: ./dev abi, and commit tests/check/sdk_abi.txt with it.")


def read(path):
    return dict(line.split(" = ", 1) for line in listing.read(path))


def update(path, current):
    status = compare(read(path), current)
    if status == 1:
        return 1
    listing.write(path, "What the libraries of the grader SDK have promised to programs on 64-bit machines. Grown by ./dev abi; a line never changes, "
                        "but for the\n# size of a struct that grows.", [f"{key} = {line}" for key, line in current.items()])
    return 0


SAMPLE_HEADER = """
#ifndef XQUEUE_SAMPLE_H
#define XQUEUE_SAMPLE_H
#include <stddef.h>
#define XQUEUE_SAMPLE_LIMIT 5
enum xqueue_color { XQUEUE_COLOR_RED = 0, XQUEUE_COLOR_BLUE = 1 };
enum { XQUEUE_SAMPLE_MAX = 10 };
struct xqueue_fixed { char kind; long number; char reserved[8]; };
struct xqueue_options { size_t struct_size; char kind; long number; char last; };
typedef void xqueue_on_sample(int number);
int xqueue_paint(enum xqueue_color color);
void xqueue_wash(const struct xqueue_fixed *fixed);
static inline int xqueue_twice(int number) { return 2 * number; }
#endif
"""
SAMPLE_SOURCE = """
int xqueue_paint(enum xqueue_color color) { return (int)color; }
void xqueue_wash(const struct xqueue_fixed *fixed) { (void)fixed; }
"""
# What is replaced in header and source by what, and what compare says then.
SAMPLE_CHANGES = [
    ("an untouched library", 0, {}),
    ("a renamed parameter", 0, {"int number);": "int count);"}),
    ("a removed function", 1, {"int xqueue_paint(enum xqueue_color color);": "",
                               "int xqueue_paint(enum xqueue_color color) { return (int)color; }": ""}),
    ("a function that is not exported any more", 1, {"int xqueue_paint(enum xqueue_color color) {": "static int xqueue_paint2(enum xqueue_color color) {"}),
    ("a function with another result", 1, {"int xqueue_paint(": "long xqueue_paint("}),
    ("a function with another parameter", 1, {"xqueue_paint(enum xqueue_color color": "xqueue_paint(enum xqueue_color color, int more"}),
    ("a function that may write through its pointer", 1, {"xqueue_wash(const struct": "xqueue_wash(struct"}),
    ("another inline function", 1, {"xqueue_twice(int number)": "xqueue_twice(long number)"}),
    ("another callback", 1, {"xqueue_on_sample(int": "xqueue_on_sample(long"}),
    ("another enum value", 1, {"XQUEUE_COLOR_BLUE = 1": "XQUEUE_COLOR_BLUE = 2"}),
    ("a removed enum value", 1, {", XQUEUE_COLOR_BLUE = 1": ""}),
    ("a larger enum", 1, {"XQUEUE_COLOR_BLUE = 1": "XQUEUE_COLOR_BLUE = 1, XQUEUE_COLOR_ALL = 0x100000000"}),
    ("another constant", 1, {"XQUEUE_SAMPLE_MAX = 10": "XQUEUE_SAMPLE_MAX = 11"}),
    ("another macro", 1, {"XQUEUE_SAMPLE_LIMIT 5": "XQUEUE_SAMPLE_LIMIT 6"}),
    ("a struct that may not grow", 1, {"reserved[8]": "reserved[16]"}),
    ("a struct that shrinks", 1, {"long number; char last;": "long number;"}),
    ("members that change places", 1, {"char kind; long number; char last": "long number; char kind; char last"}),
    ("a retyped member", 1, {"long number; char last": "unsigned long number; char last"}),
    ("a renamed member", 1, {"long number; char last": "long count; char last"}),
    ("a new member in the middle", 1, {"char kind; long number; char last": "char kind; char more; long number; char last"}),
    ("a new member in the padding at the end", 1, {"char last;": "char last; char more;"}),
    ("a new member in the padding of what never changes", 1, {"char kind; long number; char reserved": "char kind; char more; long number; char reserved"}),
    ("another alignment", 1, {"char reserved[8];": "_Alignas(16) char reserved[8];"}),
    ("another version of a symbol", 1, {"SAMPLE_0": "SAMPLE_1"}),
    ("another soname", 2, {"libsample.so.0": "libsample.so.1"}),
    ("a new function", 2, {"#endif": "int xqueue_new(void);\n#endif", "\nvoid xqueue_wash(const struct xqueue_fixed *fixed) {":
                           "\nint xqueue_new(void) { return 1; }\nvoid xqueue_wash(const struct xqueue_fixed *fixed) {"}),
    ("a new function in no header", 1, {"{ (void)fixed; }": "{ (void)fixed; }\nint xqueue_hidden(void) { return 1; }"}),
    ("a new enum value", 2, {"XQUEUE_COLOR_BLUE = 1": "XQUEUE_COLOR_BLUE = 1, XQUEUE_COLOR_NEW = 2"}),
    ("a new member at the end", 2, {"char last;": "char last; long more;"}),
    ("a new member in what is reserved", 2, {"char reserved[8];": "int more; char reserved[4];"}),
    ("a new struct", 2, {"#endif": "struct xqueue_new { int number; };\n#endif"}),
]


def sample_abi(cc, changes):
    """The ABI of the sample library, with changes."""
    texts = {"sample.h": SAMPLE_HEADER, "sample.c": '#include "sample.h"' + SAMPLE_SOURCE,
             "sample.map": "SAMPLE_0 { global: xqueue_*; local: *; };\n", "soname": "libsample.so.0"}
    for old, new in changes.items():
        assert any(old in text for text in texts.values()), old
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            pathlib.Path(folder, name).write_text(text)
        library = f"{folder}/libsample.so"
        output_of(*cc.split(), "-shared", "-fPIC", f"-Wl,--version-script={folder}/sample.map",
                  f"-Wl,-soname,{texts['soname']}", "-o", library, f"{folder}/sample.c")
        return abi(cc, library, [f"{folder}/sample.h"])


def selftest(cc):
    """Changes the sample library in each way that matters, and expects compare to find it."""
    released = sample_abi(cc, {})
    failed = 0
    for name, expected, changes in SAMPLE_CHANGES:
        found = compare(released, sample_abi(cc, changes))
        print(f"{'ok' if found == expected else 'NOT FOUND'}: {name}: {found}")
        failed += found != expected
    return 1 if failed else 0


def main(arguments):
    match arguments:
        case ["compare", released, cc, library, *headers] if headers:
            return compare(read(released), abi(cc, library, headers))
        case ["update", released, cc, library, *headers] if headers:
            return update(released, abi(cc, library, headers))
        case ["selftest", cc]:
            return selftest(cc)
    print(__doc__, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
