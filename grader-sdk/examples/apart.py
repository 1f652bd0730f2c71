#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# apart.py HIDDEN PROGRAM [ARGUMENT ...]
# Runs a student's program where it sees neither the folder HIDDEN nor any process but its own, has no network, and no right to undo
# that. Ends as the program does (a signal: 128 and its number), and takes all that it has started with it.
import ctypes, os, signal, sys, tempfile

USER, MOUNTS, PROCESSES, NETWORK, IPC = 0x10000000, 0x20000, 0x20000000, 0x40000000, 0x08000000
BIND, RECURSIVE, PRIVATE, DIE_WITH_PARENT = 0x1000, 0x4000, 0x40000, 1
libc = ctypes.CDLL(None, use_errno=True)


def must(result, doing):
    if result != 0:
        sys.exit(f"apart.py: cannot {doing}: {os.strerror(ctypes.get_errno())}")


def cover(folder, empty):
    must(libc.mount(empty.encode(), folder.encode(), None, BIND, None), f"cover {folder}")


hidden, program = os.path.realpath(sys.argv[1]), sys.argv[2:]
must(libc.unshare(USER | MOUNTS | PROCESSES | NETWORK | IPC), "make namespaces")
must(libc.mount(None, b"/", None, RECURSIVE | PRIVATE, None), "take the mounts apart")
child = os.fork()  # the first process of its namespace: all others end with it
if child == 0:
    must(libc.prctl(DIE_WITH_PARENT, signal.SIGKILL), "be sure to end")
    empty = tempfile.mkdtemp()
    for folder in (hidden, "/proc"):
        cover(folder, empty)
    try:
        os.execvp(program[0], program)  # without the rights in this namespace, since the user is not its root
    except OSError as problem:
        sys.exit(f"apart.py: {program[0]}: {problem.strerror}")
status = os.waitpid(child, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
