#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: selftest.sh CHECK (layers, headers, format, sizes, tidy, shell, install, quotes)
# Proves that a check finds what it is for: it must pass a clean sample tree, and fail on each sample that breaks a rule.
set -euo pipefail
check=$1
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-/usr/bin/python3}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

run_check() {
    case $check in
    layers) "$python" "$here/layers.py" "$tree" ;;
    headers) "$here/headers.sh" "$tree" "$tree/build" ;;
    format | sizes | shell) "$here/$check.sh" "$tree" ;;
    quotes) "$python" "$here/quotes.py" "$tree" ;;
    tidy) "$python" "$here/tidy.py" "$tree" "$tree/build" ;;
    install) "$here/install.sh" "$tree/build" "$tree/expected.txt" ;;
    esac
}

put() { # put FILE TEXT: writes a sample into the tree
    mkdir -p "$tree/$(dirname "$1")"
    printf '%b\n' "$2" >"$tree/$1"
}

passes() {
    if ! run_check >"$tree/output" 2>&1; then
        echo "NOT OK: $check complains about $1:"
        cat "$tree/output"
        failed=1
    fi
}

finds() { # finds WORD FILE TEXT: with this file in the tree, the check fails and its output has the word
    put "$2" "$3"
    if run_check >"$tree/output" 2>&1; then
        echo "NOT OK: $check passes $2: $3"
        failed=1
    elif ! grep -q -e "$1" "$tree/output"; then
        echo "NOT OK: $check fails on $2 for another reason than '$1':"
        cat "$tree/output"
        failed=1
    else
        echo "ok: $check finds '$1'"
    fi
    rm "$tree/$2"
}

layers_samples() {
    local top='/* SPDX-License-Identifier: Apache-2.0 */\n'
    local header_top=$top'/*\n * Threading: pure.\n */\n'
    put service/store/store_sqlite.c "$top"'#include <sqlite3.h>\n#include "service/store/store.h"\n/* volatile sleep(1) */'
    put base/rpc/rpc_event.c "$top"'#include <grpc/grpc.h>\n#include "base/status.h"'
    put service/methods/health.c "$top"'#include "grpc/health/v1/health.pb-c.h"\nconst char *text = "volatile usleep(1)";'
    put rest-adapter/form.c "$top"'/* xqueue_header */\n#include <jansson.h>\n#include "xqueue/grader.h"'
    passes 'a clean tree'
    finds 'inside its store' service/queue.c "$top"'#include <sqlite3.h>'
    finds 'inside its store' service/queue.c "$top"'#include "service/store/store_internal.h"'
    finds 'inside base/rpc' service/engine.c "$top"'#include <grpc/grpc.h>'
    finds 'inside base/rpc' service/engine.c "$top"'#include "base/rpc/rpc_internal.h"'
    finds 'inside one file' rest-adapter/routes.c "$top"'#include <civetweb.h>'
    finds 'inside the HTTP client' rest-adapter/courier.c "$top"'#include <curl/curl.h>'
    finds 'PostgreSQL' service/store/store_sqlite_user.c "$top"'#include <libpq-fe.h>'
    finds 'no JSON' service/queue.c "$top"'#include <jansson.h>'
    finds 'pb_edges' service/queue.c "$top"'#include "xqueue/v1/graders.pb-c.h"'
    finds 'down only' base/text.c "$top"'#include "service/queue.h"'
    finds 'down only' rest-adapter/form.c "$top"'#include "service/queue.h"'
    finds 'our command lines' service/engine.c "$top"'#include "base/client/connection.h"'
    finds 'nothing above' base/rpc/rpc_call.c "$top"'#include "base/client/connection.h"'
    finds 'know nothing' service/rules/lease.c "$top"'#include "service/store/store.h"'
    finds 'public header' grader-sdk/tools/grade_run.c "$top"'#include "grader-sdk/src/inbox.h"'
    finds 'knows the contract' grader-sdk/tools/submit_task.c "$top"'#include "grader-sdk/src/inbox.h"'
    finds 'stands alone' grader-sdk/include/xqueue/grader.h "$header_top"'#include "base/status.h"'
    finds '_Atomic' base/log.c "$top"'static volatile int stop;'
    finds 'no sleeps' tests/unit/test_log.c "$top"'void f(void)\n{\n    sleep(1);\n}'
    finds 'typedef' base/list.h "$header_top"'typedef struct list list;'
    finds 'legacy word' service/queue.h "$header_top"'/* the pullkey */'
    finds 'compiled once' tests/unit/test_log.c "$top"'#include "base/log.c"'
    finds 'SPDX' base/log.c 'int log_level;'
    finds 'Threading' base/log.h "$top"'int log_level;'
    finds 'civetweb.s form reader' rest-adapter/routes.c "$top"'int x = mg_handle_form_request(c, h);'
}

headers_samples() {
    put base/good.h '#ifndef BASE_GOOD_H\n#define BASE_GOOD_H\n#include <stddef.h>\nsize_t good(void);\n#endif'
    put grader-sdk/include/xqueue/good.h '#ifndef GOOD_H\n#define GOOD_H\nint good(void);\n#endif'
    passes 'a clean tree'
    finds 'does not compile alone' base/bad.h 'size_t bad(void);'
    finds 'does not compile alone' base/bad.h 'struct bad {\n    int member;\n};'
    finds 'does not compile alone' grader-sdk/include/xqueue/bad.h '#ifndef BAD_H\n#define BAD_H\nint bad(int class);\n#endif'
}

format_samples() {
    cp "$here/../../.clang-format" "$tree/"
    put base/good.c 'int good(void)\n{\n    return 0;\n}'
    passes 'a clean tree'
    finds 'clang-format' base/bad.c 'int bad(void) { return 0; }'
}

sizes_samples() {
    put base/good.c "$(printf '%600s' '' | sed 's/ /\\n/g')"
    put tests/unit/test_good.c "$(printf '%799s' '' | sed 's/ /\\n/g')"
    sed -i 1d "$tree/base/good.c"
    passes 'files as long as allowed'
    finds 'limit is 600' base/bad.c "$(printf '%601s' '' | sed 's/ /\\n/g')"
    finds 'limit is 800' tests/unit/test_bad.c "$(printf '%801s' '' | sed 's/ /\\n/g')"
}

tidy_samples() {
    cp "$here/../../.clang-tidy" "$tree/"
    mkdir "$tree/build"
    printf '[{"directory": "%s", "file": "%s/base/sample.c", "command": "cc -I%s -c %s/base/sample.c"}]\n' \
        "$tree" "$tree" "$tree" "$tree" >"$tree/build/compile_commands.json"
    put base/sample.c 'int good(void);\nint good(void)\n{\n    return 0;\n}'
    passes 'a clean tree'
    passes 'a clean tree, remembered'
    grep -q ' 0 looked at' "$tree/output" || {
        echo "NOT OK: tidy looks again at what it knows"
        failed=1
    }
    finds 'suspicious' base/sample.c '#include <string.h>\nint bad(char *a);\nint bad(char *a)\n{\n    return (int)strlen(a + 1) + (int)sizeof(sizeof(a));\n}'
    finds 'parameters' base/sample.c 'int bad(int a, int b, int c, int d, int e, int f, int g);\nint bad(int a, int b, int c, int d, int e, int f, int g)\n{\n    return a + b + c + d + e + f + g;\n}'
}

# shellcheck disable=SC2016 # the samples' own
shell_samples() {
    put dev '#!/bin/sh\necho "$1"'
    passes 'a clean tree'
    finds 'SC2086' tests/demo/demo.sh '#!/bin/sh\necho $1'
}

# shellcheck disable=SC2016 # the backquotes are Markdown's
quotes_samples() {
    put grader-sdk/examples/hello_grader.c 'int main(void);'
    put grader-sdk/examples/grade.sh '#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\necho 1'
    put README.md 'Text\n<!-- quoted: grader-sdk/examples/hello_grader.c -->\n```c\nint main(void);\n```\nText'
    put docs/graders.md '<!-- quoted: grader-sdk/examples/grade.sh -->\n```sh\n#!/bin/sh\necho 1\n```\n\n```sh\ncc it\n```'
    passes 'documents that quote what is there'
    finds 'README.md:4: .*differs' README.md '\n<!-- quoted: grader-sdk/examples/hello_grader.c -->\n```c\nint main(int);\n```'
    finds 'README.md:6: .*differs' README.md '```sh\ncc it\n```\n<!-- quoted: grader-sdk/examples/grade.sh -->\n```sh\n#!/bin/sh\necho 2\n```'
    finds 'not there' docs/graders.md '<!-- quoted: grader-sdk/examples/gone.py -->\n```python\nprint(1)\n```'
    finds 'does not say' docs/graders.md 'Text\n\n```python\nprint(1)\n```'
    put docs/graders.md '<!-- a fragment -->\n```python\nprint(1)\n```'
    passes 'a fragment'
}

install_samples() {
    mkdir -p "$tree/build/check"
    put CMakeLists.txt 'cmake_minimum_required(VERSION 3.25)\nproject(sample NONE)\ninstall(FILES CMakeLists.txt DESTINATION doc)'
    cmake -G Ninja -S "$tree" -B "$tree/build" >/dev/null
    put expected.txt '/usr/doc/CMake*.txt'
    passes 'a complete installation'
    finds 'not installed: /usr/bin' expected.txt '/usr/doc/CMake*.txt\n/usr/bin/missing'
    finds 'not in' expected.txt '# nothing\n/usr/doc/other'
}

case $check in
layers) layers_samples ;;
headers) headers_samples ;;
format) format_samples ;;
sizes) sizes_samples ;;
tidy) tidy_samples ;;
shell) shell_samples ;;
install) install_samples ;;
quotes) quotes_samples ;;
*)
    echo "no such check: $check" >&2
    exit 64
    ;;
esac
exit $failed
