/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/student_key.h"

#include <stddef.h>
#include <string.h>

#include "base/python_json.h"
#include "base/text.h"

/* Strings and whole numbers name somebody; what else JSON has does not. */
static bool write_id(const struct python_json *id, char out[STUDENT_KEY_MAX])
{
    bool is_one = id != NULL && (id->kind == PYTHON_JSON_STRING || id->kind == PYTHON_JSON_INTEGER);
    if (!is_one || id->text.length == 0 || id->text.length >= STUDENT_KEY_MAX ||
        memchr(id->text.bytes, '\0', id->text.length) != NULL) {
        return false;
    }
    memcpy(out, id->text.bytes, id->text.length);
    out[id->text.length] = '\0';
    return text_is_name(out, STUDENT_KEY_MAX - 1);
}

static bool read_student(const struct python_json *student, char out[STUDENT_KEY_MAX])
{
    struct python_json *parsed = NULL;
    if (student == NULL) {
        return false;
    }
    if (student->kind == PYTHON_JSON_OBJECT) {
        return write_id(python_json_get(student, "anonymous_student_id"), out);
    }
    if (student->kind != PYTHON_JSON_STRING || python_json_parse(student->text, &parsed) != STATUS_OK) {
        return false;
    }
    bool found = write_id(python_json_get(parsed, "anonymous_student_id"), out);
    python_json_destroy(parsed);
    return found;
}

bool student_key(struct span body, char out[STUDENT_KEY_MAX])
{
    struct python_json *parsed = NULL;
    bool found = false;
    if (python_json_parse(body, &parsed) == STATUS_OK) {
        found = read_student(python_json_get(parsed, "student_info"), out);
        python_json_destroy(parsed);
    }
    if (!found) {
        out[0] = '\0';
    }
    return found;
}
