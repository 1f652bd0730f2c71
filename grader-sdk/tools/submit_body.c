/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_body.h"

#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/tools/submit_options.h"

enum { TIME_BYTES_MAX = 32, MS_PER_SECOND = 1000 };

/* The LMS's own form of time. */
static json_t *make_info(const struct submit_body *body)
{
    char at[TIME_BYTES_MAX];
    struct tm broken;
    time_t seconds = (time_t)(body->submitted_at_ms / MS_PER_SECOND);
    if (!gmtime_r(&seconds, &broken) || strftime(at, sizeof at, "%Y%m%d%H%M%S", &broken) == 0)
        at[0] = '\0';
    json_t *info = json_pack("{s:s, s:s}", "anonymous_student_id", body->student ? body->student : SUBMIT_STUDENT_DEFAULT,
                             "submission_time", at);
    char *text = info ? json_dumps(info, 0) : NULL;
    json_t *packed = text ? json_string(text) : NULL;
    free(text);
    json_decref(info);
    return packed;
}

static enum status check_text(struct span text, const char *name, const char *advice, struct error *error)
{
    if (text_is_utf8(text.bytes, text.length))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, NULL, "%.120s: is no UTF-8 text%s", name, advice);
}

enum status submit_body_make(const struct submit_body *body, const char *name, char **out_text, size_t *out_length,
                             struct error *error)
{
    enum status status =
        check_text(body->response, name, "; --raw sends bytes as they are, --file NAME=PATH attaches a file", error);
    if (status == STATUS_OK)
        status = check_text(body->payload, "--payload", "", error);
    if (status == STATUS_OK && body->student)
        status = check_text(span_of(body->student), "--student", "", error);
    if (status != STATUS_OK)
        return status;
    json_t *whole =
        json_pack("{s:o, s:o, s:o}", "student_response", json_stringn(body->response.bytes, body->response.length),
                  "student_info", make_info(body), "grader_payload", json_stringn(body->payload.bytes, body->payload.length));
    char *text = whole ? json_dumps(whole, JSON_COMPACT) : NULL;
    json_decref(whole);
    if (!text)
        return error_set(error, STATUS_NO_MEMORY, NULL, "%.120s: no memory for its JSON", name);
    size_t length = strlen(text);
    if (length > SUBMIT_BODY_BYTES_MAX)
        status = error_set(error, STATUS_FULL, NULL,
                           "%.120s: with its payload and as JSON it has %zu bytes, a submission may have %d; --file NAME=PATH "
                           "attaches larger files",
                           name, length, SUBMIT_BODY_BYTES_MAX);
    if (status == STATUS_OK) {
        *out_text = memory_copy_text(text);
        *out_length = length;
    }
    free(text);
    return status;
}
