#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# grade.sh: right is whoever prints hello.
if [ "$(timeout 5 sh student_response)" = hello ]; then
    echo '{"correct": true, "score": 1, "msg": "<p>Well done.</p>"}'
else
    echo '{"correct": false, "score": 0, "msg": "<p>That does not say hello.</p>"}'
fi
