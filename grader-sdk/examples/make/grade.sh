#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# grade.sh: an exercise in C. make builds the student's program; each test is an input and the output that is expected.
set -eu
exercise=$(cd "$(dirname "$0")" && pwd)/exercise
apart=$(dirname "$exercise")/../apart.py

# result CORRECT SCORE TEXT-FILE: the text for the student, as HTML in JSON
result() {
    text=$(sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/\\/\\\\/g; s/"/\\"/g' "$3" | tr -d '\000-\010\013-\037' | tr '\t' ' ' |
        head -c 4000 | sed 's/$/\\n/' | tr -d '\n')
    printf '{"correct": %s, "score": %s, "msg": "<pre>%s</pre>"}\n' "$1" "$2" "$text"
    exit 0
}

"$apart" "$exercise" true # or this machine cannot grade: tried again elsewhere
mkdir work
cp "$exercise/Makefile" work/
cp student_response work/program.c
if ! timeout 20 make -s -C work >build.log 2>&1; then
    result false 0 build.log
fi

passed=0
total=0
for input in "$exercise"/*.in; do
    total=$((total + 1))
    name=$(basename "$input" .in)
    code=0
    timeout 2 "$apart" "$exercise" work/program <"$input" >output 2>complaints || code=$?
    if [ $code = 0 ] && cmp -s output "$exercise/$name.out"; then
        passed=$((passed + 1))
        echo "$name: passed"
    elif [ $code = 124 ]; then
        echo "$name: took too long"
    else
        echo "$name: not what is expected (exit code $code)"
    fi
done >report
result "$([ $passed = $total ] && echo true || echo false)" "$(awk "BEGIN { printf \"%.2f\", $passed / $total }")" report
