/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/demo/solutions.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/demo/installation.h"

const struct solution solutions[SOLUTIONS] = {
    {.name = "right: a loop",
     .student = 7,
     .program = "n = int(input())\n"
                "a, b = 0, 1\n"
                "for _ in range(n):\n"
                "    a, b = b, a + b\n"
                "print(a)\n",
     .is_right = true,
     .message = "5 of 5 tests passed"},
    {.name = "wrong: begins with 1, 1",
     .student = 8,
     .program = "n = int(input())\n"
                "a, b = 1, 1\n"
                "for _ in range(n):\n"
                "    a, b = b, a + b\n"
                "print(a)\n",
     .message = "wrong output"},
    {.name = "hanging: needs centuries for n = 90",
     .student = 9,
     .program = "def fibonacci(n):\n"
                "    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)\n"
                "print(fibonacci(int(input())))\n",
     .message = "time limit"},
};

const char *solution_callback_path(const struct solution *solution, char out[SOLUTIONS_TEXT_MAX])
{
    (void)snprintf(out, SOLUTIONS_TEXT_MAX,
                   "/courses/course-v1:Demo+CS101+2026/xqueue/%u/block-v1:Demo+CS101+2026+type@problem+block@fibonacci/"
                   "score_update",
                   solution->student);
    return out;
}

/* Writes json, which is taken. Everything that is written here is short. */
static const char *write_json(json_t *json, char out[SOLUTIONS_TEXT_MAX])
{
    size_t length = json ? json_dumpb(json, out, SOLUTIONS_TEXT_MAX - 1, 0) : 0;
    json_decref(json);
    if (length == 0 || length >= SOLUTIONS_TEXT_MAX) {
        abort();
    }
    out[length] = '\0';
    return out;
}

const char *solution_header(const char *callback_url, const char *lms_key, char out[SOLUTIONS_TEXT_MAX])
{
    return write_json(
        json_pack("{s:s, s:s, s:s}", "lms_callback_url", callback_url, "lms_key", lms_key, "queue_name", INSTALLATION_QUEUE),
        out);
}

const char *solution_body(const struct solution *solution, char out[SOLUTIONS_TEXT_MAX])
{
    return write_json(json_pack("{s:s, s:s, s:s}", "student_info", "{\"anonymous_student_id\": \"demo\"}", "student_response",
                                solution->program, "grader_payload", "{\"problem\": \"fibonacci\", \"language\": \"python\"}"),
                      out);
}

/* Room for length more bytes and the final NUL? */
static bool has_room(size_t used, size_t length)
{
    return used + length < SOLUTIONS_TEXT_MAX;
}

/* HTML as one line of text: tags and blanks become one blank, the end of an item a semicolon. */
static void strip_tags(const char *html, char out[SOLUTIONS_TEXT_MAX])
{
    static const char item_end[] = "</li>";
    size_t length = 0;
    while (*html != '\0' && has_room(length, 1)) {
        bool is_tag = *html == '<';
        if (strncmp(html, item_end, strlen(item_end)) == 0) {
            out[length++] = ';';
        } else if (!is_tag && !isspace((unsigned char)*html)) {
            out[length++] = *html;
        } else if (length > 0 && out[length - 1] != ' ') {
            out[length++] = ' ';
        }
        html += is_tag ? strcspn(html, ">") : 0;
        html += *html != '\0' ? 1 : 0;
    }
    bool is_cut = *html != '\0' && length > 0;
    length = is_cut ? text_utf8_cut(out, length, length - 1) : length;
    while (length > 0 && out[length - 1] == ' ') {
        length--;
    }
    out[length] = '\0';
}

struct grade grade_read(const char *result, size_t length)
{
    struct grade grade = {0};
    const char *message = NULL;
    int is_correct = 0;
    json_t *root = json_loadb(result, length, 0, NULL);
    if (root && json_unpack(root, "{s:b, s:F, s:s}", "correct", &is_correct, "score", &grade.score, "msg", &message) == 0) {
        grade.is_grade = true;
        grade.is_correct = is_correct != 0;
        strip_tags(message, grade.message);
    }
    json_decref(root);
    return grade;
}
