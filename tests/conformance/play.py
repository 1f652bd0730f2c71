#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays recorded exchanges of the legacy interface against a running adapter and says where it answers otherwise.

    play.py --port 8040 [--host 127.0.0.1] [--set user=lms] exchanges.talk ...

Exit status 0: every reply was as recorded. 1: some were not, each is shown. 2: a file or an argument is malformed.
The format is described in tests/README.md.
"""
import argparse
import re
import socket
import sys

PATIENCE_S = 20
REPLY_BYTES_MAX = 64 * 1024 * 1024
SHOWN_CHARACTERS_MAX = 2000

# Differ between versions of the original and its web server, so they are never compared. The length is checked against the body.
VARYING = {"server", "date", "connection", "keep-alive", "content-length"}

PLACEHOLDER = re.compile(r"\{\{(\*|[a-z_][a-z0-9_]*)(?::([a-z0-9]+))?\}\}")
KINDS = {
    "any": r".*?",
    "int": r"[0-9]+",
    "hex": r"[0-9a-f]+",
    "token": r"[A-Za-z0-9]+",
    "date": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT",
}
ESCAPE = re.compile(rb"\\(n|r|t|0|\\|x[0-9a-fA-F]{2})")
ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


class Malformed(Exception):
    pass


class Differs(Exception):
    pass


class Message:
    """A request or an expected reply, as lines of a head and the bytes of a body; placeholders not yet filled in."""

    def __init__(self):
        self.head = []
        self.body = b""
        self.body_begun = False
        self.line_end_due = False

    def add(self, line):
        if line.startswith(b"|"):  # bytes with escapes, nothing behind them
            self.body_begun = True
            self.body += ESCAPE.sub(unescape, line[1:])
            self.line_end_due = False
            return
        if not line.startswith(b" ") and line != b"":
            raise Malformed("a blank or '|' must follow '>' and '<'")
        text = line[1:]
        if self.body_begun:
            self.body += (b"\n" if self.line_end_due else b"") + text
            self.line_end_due = True
        elif text == b"":
            self.body_begun = True
        else:
            self.head.append(text.decode("latin-1"))


class Exchange:
    def __init__(self, name):
        self.name = name
        self.request = Message()
        self.reply = Message()


def unescape(match):
    code = match.group(1)
    return bytes([int(code[1:], 16)]) if code[:1] == b"x" else ESCAPED[code]


def read_exchanges(path):
    exchanges = []
    with open(path, "rb") as file:
        for number, line in enumerate(file.read().split(b"\n"), 1):
            line = line[:-1] if line.endswith(b"\r") else line
            try:
                read_line(line, exchanges)
            except Malformed as error:
                raise Malformed(f"{path}:{number}: {error}") from None
    for exchange in exchanges:
        if not exchange.request.head or not exchange.reply.head:
            raise Malformed(f"{path}: '{exchange.name}' lacks a request or a reply")
    return exchanges


def read_line(line, exchanges):
    if line.startswith(b"== "):
        exchanges.append(Exchange(line[3:].decode()))
    elif line.startswith((b">", b"<")):
        if not exchanges:
            raise Malformed("an exchange begins with a line '== NAME'")
        exchange = exchanges[-1]
        message = exchange.request if line[:1] == b">" else exchange.reply
        if message is exchange.request and exchange.reply.head:
            raise Malformed("a request behind its reply: the line '== NAME' is missing")
        message.add(line[1:])
    elif line.strip() and not line.startswith(b"#"):
        raise Malformed("neither a comment nor '==', '>' or '<'")


def fill(text, values):
    """The text of a request with the values of its placeholders."""

    def value_of(match):
        if match.group(1) not in values:
            raise Malformed(f"nothing is known as {match.group(1)}")
        return values[match.group(1)]

    return PLACEHOLDER.sub(value_of, text)


def request_bytes(message, values):
    body = fill(message.body.decode("latin-1"), values).encode("latin-1")
    head = [fill(line, {**values, "length": str(len(body))}) for line in message.head]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def matches(pattern, text, values):
    """Compares; on success the values of new placeholders are kept."""
    parts, at, new = [], 0, {}
    for match in PLACEHOLDER.finditer(pattern):
        parts.append(re.escape(pattern[at : match.start()]))
        parts.append(part_of(match, values, new))
        at = match.end()
    parts.append(re.escape(pattern[at:]))
    found = re.fullmatch("".join(parts), text, re.DOTALL)
    if not found:
        return False
    values.update({name: found.group(name) for name in new})
    return True


def part_of(match, values, new):
    name, kind = match.group(1), match.group(2)
    if name in values:
        return re.escape(values[name])
    if name in new:
        return f"(?P={name})"
    if kind is None:
        kind = name if name in KINDS else "any"
    if kind not in KINDS:
        raise Malformed(f"there are no placeholders of the kind {kind}")
    if name == "*" or (name in KINDS and match.group(2) is None):
        return f"(?:{KINDS[kind]})"
    new[name] = True
    return f"(?P<{name}>{KINDS[kind]})"


def ask(host, port, request):
    """Sends a request on a connection of its own. Returns the lines of the head and the body of the reply."""
    with socket.create_connection((host, port), PATIENCE_S) as connection:
        try:
            connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reply may have come before all was sent
        return receive(connection, request.startswith(b"HEAD "))


def receive(connection, is_head):
    data = b""
    head, rest, wanted = None, b"", None
    while head is None or (wanted is None or len(rest) < wanted):
        piece = connection.recv(65536)
        data += piece
        if len(data) > REPLY_BYTES_MAX:
            raise Differs("the reply is too long")
        if head is None and b"\r\n\r\n" in data:
            head, _, _ = data.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 100"):
                data, head = data[len(head) + 4 :], None
                continue
            lengths = re.findall(rb"(?mi)^content-length: *([0-9]+)\r?$", head)
            wanted = 0 if is_head else int(lengths[0]) if lengths else None
        if head is not None:
            rest = data[len(head) + 4 :]
        if not piece:
            break
    if head is None:
        raise Differs("no reply")
    if wanted is not None and len(rest) != wanted:
        raise Differs(f"the body has {len(rest)} bytes, Content-Length says {wanted}")
    return head.decode("latin-1").split("\r\n"), rest


def headers_of(lines):
    return [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def status_of(line):
    parts = line.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1."):
        raise Differs(f"no status line: {line}")
    return parts[1]


def compare(expected, request, head, body, values):
    status = status_of(expected.head[0])
    if status_of(head[0]) != status:
        raise Differs(f"status {status_of(head[0])} instead of {status}")
    is_page = status[0] in "45" and expected.body.lstrip()[:1] in (b"<", b"")
    wanted = [(n, "text/html; charset=utf-8" if is_page and (n, v) == ("content-type", "text/html") else v)
              for n, v in headers_of(expected.head[1:]) if n not in VARYING]
    compare_headers(wanted, [pair for pair in headers_of(head[1:]) if pair[0] not in VARYING], values)
    if request.startswith(b"HEAD "):
        return  # older web servers sent a body there
    if is_page:
        if b"</html>" not in body.lower():
            raise Differs("the body is no HTML page")
    elif not matches(expected.body.decode("latin-1"), body.decode("latin-1"), values):
        raise Differs("another body")


def compare_headers(wanted, got, values):
    for name, pattern in wanted:
        for i, (got_name, value) in enumerate(got):
            if got_name == name and matches(pattern, value, values):
                del got[i]
                break
        else:
            raise Differs(f"no header '{name}: {pattern}'")
    if got:
        raise Differs(f"an unexpected header '{got[0][0]}: {got[0][1]}'")


def show(title, lines, body):
    text = "\n".join(lines) + "\n\n" + body.decode("latin-1")
    text = text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + " ..."
    print("\n".join(f"    {title} {line}" for line in text.split("\n")))


def play(path, arguments, values):
    differences = 0
    for exchange in read_exchanges(path):
        head, body = [], b""
        try:
            request = request_bytes(exchange.request, values)
            head, body = ask(arguments.host, arguments.port, request)
            compare(exchange.reply, request, head, body, values)
            print(f"ok {path}: {exchange.name}")
        except (Differs, OSError) as error:
            differences += 1
            print(f"DIFFERS {path}: {exchange.name}: {error}")
            show("recorded", exchange.reply.head, exchange.reply.body)
            show("answered", head, body)
    return differences


def main():
    parser = argparse.ArgumentParser(description="plays recorded exchanges against a running adapter")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="the value of a placeholder")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    differences = 0
    try:
        given = dict(pair.split("=", 1) for pair in arguments.set)
        given["host"] = given.get("host", f"{arguments.host}:{arguments.port}")
        for path in arguments.files:
            differences += play(path, arguments, dict(given))
    except (Malformed, OSError, ValueError) as error:
        print(f"play.py: {error}", file=sys.stderr)
        return 2
    print(f"{differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
