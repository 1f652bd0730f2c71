#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: contract.py list DESCRIPTOR_SET
       contract.py compare RELEASED_LISTING DESCRIPTOR_SET
       contract.py update RELEASED_LISTING DESCRIPTOR_SET
       contract.py selftest DESCRIPTOR_SET

Guards the contract. A listing has one line for each field, enum value and method of the package xqueue.v1. compare fails when a
line of the released listing is gone (removed, renamed, renumbered or retyped: clients that exist would break), and when the
contract has grown without its listing. update adds what is new, and refuses while something is gone. selftest proves that
each kind of incompatible change is found.
"""
import pathlib
import sys

from google.protobuf import descriptor_pb2

import listing

PACKAGE = "xqueue.v1"
TYPES = descriptor_pb2.FieldDescriptorProto.Type
LABELS = {1: "singular", 2: "required", 3: "repeated"}


def field_line(message_name, message, field):
    """'field MESSAGE NAME = NUMBER TYPE LABEL [in ONEOF]'."""
    kind = field.type_name.lstrip(".") or TYPES.Name(field.type).removeprefix("TYPE_").lower()
    label = "optional" if field.proto3_optional else LABELS[field.label]
    line = f"field {message_name} {field.name} = {field.number} {kind} {label}"
    if field.HasField("oneof_index") and not field.proto3_optional:
        line += f" in {message.oneof_decl[field.oneof_index].name}"
    return line


def message_lines(scope, message):
    name = f"{scope}.{message.name}"
    yield f"message {name}"
    for field in message.field:
        yield field_line(name, message, field)
    for nested in message.nested_type:
        yield from message_lines(name, nested)
    for enum in message.enum_type:
        yield from enum_lines(name, enum)


def enum_lines(scope, enum):
    for value in enum.value:
        yield f"value {scope}.{enum.name} {value.name} = {value.number}"


def service_lines(scope, service):
    for method in service.method:
        takes = ("stream " if method.client_streaming else "") + method.input_type.lstrip(".")
        returns = ("stream " if method.server_streaming else "") + method.output_type.lstrip(".")
        yield f"method {scope}.{service.name} {method.name} ({takes}) returns ({returns})"


def lines_of(descriptors):
    """The sorted lines of a FileDescriptorSet."""
    lines = []
    for file in descriptors.file:
        if file.package == PACKAGE:
            for message in file.message_type:
                lines.extend(message_lines(PACKAGE, message))
            for enum in file.enum_type:
                lines.extend(enum_lines(PACKAGE, enum))
            for service in file.service:
                lines.extend(service_lines(PACKAGE, service))
    return sorted(lines)


def read_descriptors(path):
    return descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(path).read_bytes())


def compare(released, current):
    """0 = same, 1 = something released is gone, 2 = only grown. Prints the difference."""
    return listing.report(
        set(released) - set(current), set(current) - set(released),
        "Incompatible: what stands behind '-' was in the contract, and clients may use it. Add, never change or remove.",
        "The contract has grown. When that is meant: ./dev contract, and commit tests/check/contract.txt with it.")


def update(path, current):
    released = listing.read(path)
    if set(released) - set(current):
        return compare(released, current)
    listing.write(path, "What the contract has promised. Grown by ./dev contract; a line never changes.", current)
    return 0


def selftest(descriptors):
    """Changes copies in each way that matters, and expects compare to find it."""
    def first(kind, of):
        return next(i for i in range(len(of.file)) if of.file[i].package == PACKAGE and getattr(of.file[i], kind))

    message = first("message_type", descriptors)
    enum = first("enum_type", descriptors)
    service = first("service", descriptors)

    def field(of):
        return next(each for each in of.file[message].message_type if each.field).field[0]

    def retyped(of):
        field(of).type = TYPES.Value("TYPE_SFIXED32")
        field(of).ClearField("type_name")

    def grown(of):
        added = of.file[message].message_type[0].field.add()
        added.name, added.number, added.label, added.type = "added_by_selftest", 1999, 1, TYPES.Value("TYPE_INT64")

    cases = [
        ("an untouched contract", 0, lambda of: None),
        ("a renumbered field", 1, lambda of: setattr(field(of), "number", 1999)),
        ("a renamed field", 1, lambda of: setattr(field(of), "name", "renamed_by_selftest")),
        ("a retyped field", 1, retyped),
        ("a field with another label", 1, lambda of: setattr(field(of), "label", 4 - field(of).label)),
        ("a removed field", 1, lambda of: next(m for m in of.file[message].message_type if m.field).field.pop(0)),
        ("a removed message", 1, lambda of: of.file[message].message_type.pop(0)),
        ("a renumbered enum value", 1, lambda of: setattr(of.file[enum].enum_type[0].value[1], "number", 1999)),
        ("a removed enum value", 1, lambda of: of.file[enum].enum_type[0].value.pop()),
        ("a removed method", 1, lambda of: of.file[service].service[0].method.pop()),
        ("a method that becomes a stream", 1,
         lambda of: setattr(of.file[service].service[0].method[0], "server_streaming",
                            not of.file[service].service[0].method[0].server_streaming)),
        ("a new field", 2, grown),
    ]
    released = lines_of(descriptors)
    failed = 0
    for name, expected, change in cases:
        copy = descriptor_pb2.FileDescriptorSet()
        copy.CopyFrom(descriptors)
        change(copy)
        found = compare(released, lines_of(copy))
        print(f"{'ok' if found == expected else 'NOT FOUND'}: {name}: {found}")
        failed += found != expected
    return 1 if failed else 0


def main(arguments):
    match arguments:
        case ["list", descriptor_set]:
            print("\n".join(lines_of(read_descriptors(descriptor_set))))
            return 0
        case ["compare", released, descriptor_set]:
            return compare(listing.read(released), lines_of(read_descriptors(descriptor_set)))
        case ["update", released, descriptor_set]:
            return update(released, lines_of(read_descriptors(descriptor_set)))
        case ["selftest", descriptor_set]:
            return selftest(read_descriptors(descriptor_set))
    print(__doc__, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
