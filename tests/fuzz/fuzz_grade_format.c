/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_grade xqueue_grader_static */
/* Any bytes as a submission, as what a program prints, and as what it says of its progress: text that comes of them is bounded
 * and UTF-8, a result that is taken would be taken again as it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "grader-sdk/tools/grade_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_text(const char *text, size_t capacity)
{
    json_t *read = json_string(text);
    require(read && strlen(text) < capacity);
    json_decref(read);
}

static void check_input(const char *bytes, size_t size)
{
    struct grade_format_input input;
    const struct grade_format_submission submission = {
        .id = 1, .queue = "q", .attempt = 1, .header = bytes, .header_length = size, .body = bytes, .body_length = size};
    if (grade_format_input_init(&input, &submission)) {
        json_t *read = json_loads(input.text, JSON_ALLOW_NUL, NULL);
        require(json_is_object(json_object_get(read, "xqueue")));
        json_decref(read);
    }
    grade_format_input_finish(&input);
}

static void check_result(const char *bytes, size_t size)
{
    char wrong[GRADE_FORMAT_MESSAGE_MAX] = "";
    char *result = grade_format_result(bytes, size, wrong);
    if (result) {
        char *again = grade_format_result(result, strlen(result), wrong);
        require(again && strcmp(again, result) == 0);
        free(again);
    } else {
        require(wrong[0] != '\0');
    }
    free(result);
}

static void check_words(const char *bytes, size_t size)
{
    char text[GRADE_FORMAT_NOTE_MAX];
    struct grade_format_progress progress;
    grade_format_text(bytes, size, text, sizeof(text));
    require_text(text, sizeof(text));
    char *line = strndup(bytes, size);
    if (line && grade_format_progress(line, &progress)) {
        require(progress.percent <= 100);
        require_text(progress.phase, sizeof(progress.phase));
        require_text(progress.note, sizeof(progress.note));
    }
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_input((const char *)data, size);
    check_result((const char *)data, size);
    check_words((const char *)data, size);
    return 0;
}
