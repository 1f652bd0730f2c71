/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/legacy_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/config_schema.h"
#include "base/span.h"

#define DATABASE  "/var/lib/xqueue/xqueue.db"
#define FILES     "/var/lib/xqueue-rest/files"
#define S3_PREFIX "xqueue" // the original's default

enum { CALLBACK_MS_DEFAULT = 30000, CONNECT_MS_DEFAULT = 5000, DELIVERY_LEASE_MS_DEFAULT = 60000, S3_URL_MS_MAX = 604800000 };

struct writer {
    const struct legacy_plan *plan;
    const char *secrets_folder;
    struct text *out;
};

/* ---- pieces ---- */

/*
 * The code point of a sequence of UTF-8 that YAML cannot have as it stands: a control character, a line break beyond ASCII, a
 * byte order mark or no character at all; 0 for all others.
 */
static unsigned special(const char *text, size_t step)
{
    unsigned byte = (unsigned char)text[0];
    unsigned point = byte;
    if (step == 2)
        point = (byte & 0x1fU) << 6 | ((unsigned char)text[1] & 0x3fU);
    else if (step == 3)
        point = (byte & 0x0fU) << 12 | ((unsigned char)text[1] & 0x3fU) << 6 | ((unsigned char)text[2] & 0x3fU);
    bool is_control = step < 4 && (point < ' ' || (point >= 0x7f && point < 0xa0));
    bool is_other = point == 0x2028 || point == 0x2029 || point == 0xfeff || point == 0xfffe || point == 0xffff;
    return is_control || (is_other && step == 3) ? point : 0;
}

/* What stands between double quotes, where YAML takes any character. */
static void put_quoted(const struct writer *writer, const char *text)
{
    for (size_t step = 0; *text != '\0'; text += step) {
        step = text_utf8_step(text, strlen(text));
        step = step > 0 ? step : 1;
        unsigned point = special(text, step);
        if (*text == '"' || *text == '\\')
            text_append_char(writer->out, '\\');
        if (point)
            text_append_format(writer->out, "\\u%04x", point);
        else
            text_append(writer->out, text, step);
    }
}

static void put_text(const struct writer *writer, const char *text)
{
    text_append_char(writer->out, '"');
    put_quoted(writer, text);
    text_append_char(writer->out, '"');
}

/* Inside of a comment, which ends with its line. */
static void put_comment_text(const struct writer *writer, const char *text)
{
    for (size_t step = 0; *text != '\0'; text += step) {
        step = text_utf8_step(text, strlen(text));
        if (step == 0 || special(text, step)) {
            step = step > 0 ? step : 1;
            text_append_char(writer->out, '?');
        } else {
            text_append(writer->out, text, step);
        }
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void put_place(const struct writer *writer, struct legacy_origin origin)
{
    put_comment_text(writer, base_name(origin.file));
    text_append_format(writer->out, ":%zu", origin.line);
}

/* " # KEY, file:line" and the line's end; key NULL: only where it stands. */
static void put_origin(const struct writer *writer, const char *key, struct legacy_origin origin)
{
    if (key || origin.file)
        text_append_string(writer->out, " # ");
    if (key)
        text_append_string(writer->out, key);
    if (key && origin.file)
        text_append_string(writer->out, ", ");
    if (origin.file)
        put_place(writer, origin);
    text_append_char(writer->out, '\n');
}

static void put_number(const struct writer *writer, const char *name, const struct legacy_number *number, const char *key)
{
    if (!number->given)
        return;
    text_append_format(writer->out, "%s: %" PRId64, name, number->value);
    put_origin(writer, key, number->origin);
}

static void put_named_text(const struct writer *writer, const char *name, const struct legacy_text *text, const char *fallback,
                           const char *key)
{
    static const struct legacy_origin none = {.file = NULL};
    const char *value = text->value ? text->value : fallback;
    if (!value)
        return;
    text_append_format(writer->out, "%s: ", name);
    put_text(writer, value);
    put_origin(writer, text->value ? key : "nothing was said", text->value ? text->origin : none);
}

static void put_secret_path(const struct writer *writer, const char *name, size_t secret)
{
    text_append_format(writer->out, "%s: \"", name);
    put_quoted(writer, writer->secrets_folder);
    text_append_format(writer->out, "/%s\"\n", writer->plan->secrets[secret].name);
}

/* ---- sections ---- */

static void put_service(const struct writer *writer)
{
    text_append_string(writer->out, "service:\n  listen: [\"127.0.0.1:8041\"]\n  database: \"" DATABASE "\"\n");
    put_number(writer, "  session_ms", &writer->plan->session_ms, "SESSION_COOKIE_AGE");
}

static void put_s3(const struct writer *writer)
{
    const struct legacy_plan *plan = writer->plan;
    struct legacy_number url_ms = plan->url_ms;
    if (!plan->has_s3)
        return;
    text_append_string(writer->out, "  s3:\n");
    put_named_text(writer, "    endpoint", &plan->endpoint, NULL, "AWS_S3_ENDPOINT_URL, or that of the region");
    put_named_text(writer, "    region", &plan->region, NULL, "AWS_S3_REGION_NAME");
    put_named_text(writer, "    bucket", &plan->bucket, NULL, "UPLOAD_BUCKET");
    put_named_text(writer, "    prefix", &plan->prefix, S3_PREFIX, "UPLOAD_PATH_PREFIX");
    put_named_text(writer, "    access_key", &plan->access_key, NULL, "AWS_ACCESS_KEY_ID");
    put_secret_path(writer, "    secret_key_file", plan->s3_secret_index);
    if (url_ms.value > S3_URL_MS_MAX) // signed URLs of S3 are good for a week at most
        url_ms.value = S3_URL_MS_MAX;
    put_number(writer, "    url_ms", &url_ms, "UPLOAD_URL_EXPIRE, of which S3 allows a week");
}

static void put_rest(const struct writer *writer)
{
    const struct legacy_plan *plan = writer->plan;
    text_append_string(writer->out, "\nrest:\n  listen: [\"127.0.0.1:8040\"] # the original's address\n  user: ");
    put_text(writer, plan->rest_user);
    text_append_char(writer->out, '\n');
    put_named_text(writer, "  files", &plan->files, FILES, "MEDIA_ROOT");
    put_named_text(writer, "  media_url", &plan->media_url, NULL, "MEDIA_URL");
    if (!plan->has_s3)
        put_number(writer, "  file_url_ms", &plan->url_ms, "UPLOAD_URL_EXPIRE");
    put_s3(writer);
}

/* The time for a connection is the original's; that for a whole callback is never shorter than ours. */
static void put_delivery(const struct writer *writer)
{
    const struct legacy_number *timeout = &writer->plan->request_timeout_ms;
    int64_t connect_ms = timeout->given ? timeout->value : CONNECT_MS_DEFAULT;
    int64_t whole_ms = connect_ms > CALLBACK_MS_DEFAULT ? connect_ms : CALLBACK_MS_DEFAULT;
    if (connect_ms + whole_ms > DELIVERY_LEASE_MS_DEFAULT)
        text_append_format(writer->out, "\ndelivery:\n  lease_ms: %" PRId64 " # follows from callbacks.timeout_ms\n",
                           connect_ms + whole_ms);
    text_append_string(writer->out,
                       "\ncallbacks:\n  allow: [] # where results may be sent to; empty: wherever a submission says\n");
    if (!timeout->given)
        return;
    put_number(writer, "  connect_timeout_ms", timeout, "REQUESTS_TIMEOUT");
    text_append_format(writer->out, "  timeout_ms: %" PRId64 "\n", whole_ms);
}

static void put_basic_origin(const struct writer *writer, const char *origin)
{
    text_append_string(writer->out, "    - origin: ");
    put_text(writer, origin);
    text_append_string(writer->out, "\n      user: ");
    put_text(writer, writer->plan->basic_user.value);
    put_origin(writer, "REQUESTS_BASIC_AUTH", writer->plan->basic_user.origin);
    put_secret_path(writer, "      password_file", writer->plan->basic_index);
}

static void put_basic(const struct writer *writer)
{
    const struct legacy_plan *plan = writer->plan;
    if (!plan->has_basic)
        return;
    text_append_string(writer->out, "  basic_auth:\n");
    for (size_t at = 0; at < plan->basic_origin_count; at++)
        put_basic_origin(writer, plan->basic_origins[at]);
}

static void put_queue(const struct writer *writer, const struct legacy_queue *queue)
{
    const struct legacy_plan *plan = writer->plan;
    text_append_string(writer->out, "  ");
    put_text(writer, queue->name);
    text_append_char(writer->out, ':');
    put_origin(writer, queue->origin.file ? NULL : "the original's default", queue->origin);
    if (queue->push_url[0] != '\0') {
        text_append_string(writer->out, "    push_url: ");
        put_text(writer, queue->push_url);
        text_append_char(writer->out, '\n');
        put_number(writer, "    push_timeout_ms", &plan->push_timeout_ms, "GRADING_TIMEOUT");
    }
    put_number(writer, "    lease_ms", &plan->lease_ms, "SUBMISSION_PROCESSING_DELAY");
    put_number(writer, "    attempts_max", &plan->attempts_max,
               "MAX_NUMBER_OF_FAILURES and one: the original gave up when there were more");
}

static void put_user(const struct writer *writer, const struct legacy_user *user)
{
    text_append_string(writer->out, "  ");
    put_text(writer, user->name);
    text_append_char(writer->out, ':');
    put_origin(writer, user->origin.file ? NULL : "new", user->origin);
    put_secret_path(writer, "    password_file", user->secret);
    text_append_format(writer->out, "    roles: [%s]\n", user->roles);
}

static void put_notes(const struct writer *writer)
{
    const struct legacy_plan *plan = writer->plan;
    if (plan->note_count > 0)
        text_append_string(writer->out, "\n# What was not taken over as it stands:\n");
    for (size_t at = 0; at < plan->note_count; at++) {
        text_append_string(writer->out, "# ");
        if (plan->notes[at].origin.file) {
            put_place(writer, plan->notes[at].origin);
            text_append_string(writer->out, ": ");
        }
        put_comment_text(writer, plan->notes[at].key);
        text_append_string(writer->out, ": ");
        put_comment_text(writer, plan->notes[at].text);
        text_append_char(writer->out, '\n');
    }
}

void legacy_writer_write(const struct legacy_plan *plan, const char *secrets_folder, struct text *out)
{
    const struct writer writer = {plan, secrets_folder, out};
    text_append_string(out, "# Made by xqueuectl import-config from the configuration of the original.\n"
                            "# Every key with its unit, default and range: xqueued --describe-config\n"
                            "# After a change: xqueued --config FILE --check-config\n\n");
    put_service(&writer);
    put_rest(&writer);
    put_delivery(&writer);
    put_basic(&writer);
    text_append_string(out, "\nqueues:\n");
    for (size_t at = 0; at < plan->queue_count; at++)
        put_queue(&writer, &plan->queues[at]);
    text_append_string(out, "\nusers:\n");
    for (size_t at = 0; at < plan->user_count; at++)
        put_user(&writer, &plan->users[at]);
    put_notes(&writer);
}
