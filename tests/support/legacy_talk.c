/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/legacy_talk.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOUNDARY "----a-boundary-of-a-test"

enum { HEADER_VALUE_MAX = 131072, TARGET_MAX = 4096, MESSAGE_MAX = 2048 };

int legacy_set_up(void **state)
{
    static const struct running_service_options options = {
        .queues = "  zeta:\n    retry_delay_ms: 20\n  alpha:\n    retry_delay_ms: 20\n  \"b queue's\": {}\n  \"5\": {}\n"
                  "  None: {}\n  \"[1, 'a']\": {}\n  \"\xc3\xbcn\xc3\xaf"
                  "code\": {}\n  \"a/b&c=d+e\": {}\n  pool: {}\n  turn:\n    lease_ms: 2000\n    attempts_max: 1000\n    "
                  "retry_delay_ms: 20\n"};
    struct legacy_world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    *state = world;
    world->talk = conversation_start(&options);
    rest_client_init(&world->client, world->talk->service.rest_port, "everybody");
    assert_int_equal(rest_client_login(&world->client), 0);
    (void)snprintf(world->cookies, sizeof(world->cookies), "Cookie: sessionid=%s; csrftoken=%s\r\n", world->client.session,
                   world->client.csrf);
    return 0;
}

int legacy_tear_down(void **state)
{
    struct legacy_world *world = *state;
    bool is_fine = true;

    http_answer_finish(&world->answer);
    rest_client_finish(&world->client);
    is_fine = conversation_finish(world->talk);
    free(world);
    return is_fine ? 0 : -1;
}

/* ---- rows ---- */

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

int legacy_send(struct legacy_world *world, const char *bytes, size_t length)
{
    struct http_talk talk;

    http_talk_open(&talk, world->talk->service.rest_port);
    (void)http_talk_send(&talk, bytes, length); // an answer may come before all is sent
    (void)http_talk_receive(&talk, strncmp(bytes, "HEAD ", 5) == 0, &world->answer);
    http_talk_close(&talk);
    return world->answer.status;
}

static int send_row(struct legacy_world *world, const struct legacy_row *row)
{
    const char *extra = or_empty(row->extra);
    struct text request;
    int status = 0;

    text_init(&request, LEGACY_BODY_BYTES_MAX);
    text_append_format(&request, "%s %s HTTP/1.1\r\nConnection: close\r\n", row->method != NULL ? row->method : "GET",
                       row->target);
    if (strstr(extra, "Host:") == NULL) {
        text_append_string(&request, "Host: xqueue.example.org\r\n");
    }
    text_append_string(&request, extra);
    text_append_string(&request, row->stranger ? "" : world->cookies);
    if (row->body != NULL) {
        text_append_format(&request, "Content-Length: %zu\r\n", strlen(row->body));
    }
    text_append_string(&request, "\r\n");
    text_append_string(&request, or_empty(row->body));
    status = legacy_send(world, request.bytes, request.length);
    text_finish(&request);
    return status;
}

static const char *name_of(const struct legacy_row *row, char out[MESSAGE_MAX])
{
    (void)snprintf(out, MESSAGE_MAX, "%s %s%s%s", row->method != NULL ? row->method : "GET", row->target,
                   row->name != NULL ? ", " : "", or_empty(row->name));
    return out;
}

static void check_header(struct legacy_world *world, const char *what, const char *name, const char *wanted)
{
    char value[HEADER_VALUE_MAX] = "";

    if (!http_answer_header(&world->answer, name, 0, value, sizeof(value))) {
        if (wanted != NULL) {
            fail_msg("%s: no header %s; the answer:\n%s", what, name, world->answer.head.bytes);
        }
        return;
    }
    if (wanted == NULL || strcmp(value, wanted) != 0) {
        fail_msg("%s: %s is '%s', not '%s'", what, name, value, wanted != NULL ? wanted : "absent");
    }
    if (http_answer_header(&world->answer, name, 1, value, sizeof(value))) {
        fail_msg("%s: a second header %s", what, name);
    }
}

static void check_page(struct legacy_world *world, const char *what)
{
    const char *body = world->answer.body.bytes;

    if (strncmp(body, "<!doctype html>\n", 16) != 0 || strstr(body, "</html>") == NULL) {
        fail_msg("%s: no HTML page but '%s'", what, body);
    }
}

static void check_row(struct legacy_world *world, const struct legacy_row *row)
{
    char what[MESSAGE_MAX];
    bool is_head = row->method != NULL && strcmp(row->method, "HEAD") == 0;
    int wanted = row->status != 0 ? row->status : 200;
    int status = send_row(world, row);

    (void)name_of(row, what);
    if (status != wanted) {
        fail_msg("%s: HTTP %d, not %d: %s", what, status, wanted, status != 0 ? world->answer.body.bytes : "no answer");
    }
    check_header(world, what, "Content-Type", LEGACY_HTML);
    check_header(world, what, "Vary", row->no_vary ? NULL : "Cookie");
    check_header(world, what, "Location", row->location);
    check_header(world, what, "Set-Cookie", NULL);
    if (is_head) {
        return;
    }
    if (row->reply == NULL) {
        check_page(world, what);
    } else {
        legacy_expect(world, what, wanted, row->reply);
    }
}

void legacy_check_rows(struct legacy_world *world, const struct legacy_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_row(world, &rows[i]);
    }
}

void legacy_expect(struct legacy_world *world, const char *what, int status, const char *reply)
{
    const struct text *body = &world->answer.body;

    if (world->answer.status != status || body->length != strlen(reply) || memcmp(body->bytes, reply, body->length) != 0) {
        fail_msg("%s: HTTP %d '%s', not %d '%s'", what, world->answer.status,
                 world->answer.status != 0 ? body->bytes : "(no answer)", status, reply);
    }
}

void legacy_expect_refusal(struct legacy_world *world, const char *what, int status)
{
    static const char start[] = "{\"return_code\": 1, \"content\": \"";
    const char *body = world->answer.status != 0 ? world->answer.body.bytes : "(no answer)";

    if (world->answer.status != status || strncmp(body, start, sizeof(start) - 1) != 0 || body[sizeof(start) - 1] == '"') {
        fail_msg("%s: HTTP %d '%s', not a refusal with %d", what, world->answer.status, body, status);
    }
}

/* ---- forms ---- */

static size_t length_of(const struct legacy_field *field)
{
    return field->length > 0 ? field->length : strlen(field->value);
}

static void append_escaped(struct text *out, const char *bytes, size_t length)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~";

    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\0' && strchr(plain, bytes[i]) != NULL) {
            text_append_char(out, bytes[i]);
        } else {
            text_append_format(out, "%%%02X", (unsigned)(unsigned char)bytes[i]);
        }
    }
}

void legacy_encode(enum legacy_encoding encoding, const struct legacy_field *fields, size_t count, struct text *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct legacy_field *field = &fields[i];

        if (encoding == LEGACY_URLENCODED) {
            text_append_string(out, i > 0 ? "&" : "");
            append_escaped(out, field->name, strlen(field->name));
            text_append_char(out, '=');
            append_escaped(out, field->value, length_of(field));
            continue;
        }
        text_append_format(out, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"", field->name);
        if (field->filename != NULL) {
            text_append_format(out, "; filename=\"%s\"\r\nContent-Type: text/plain", field->filename);
        }
        text_append_string(out, "\r\n\r\n");
        text_append(out, field->value, length_of(field));
        text_append_string(out, "\r\n");
    }
    text_append_string(out, encoding == LEGACY_MULTIPART ? "--" BOUNDARY "--\r\n" : "");
}

int legacy_post_bytes(struct legacy_world *world, const char *target, const char *type, const char *bytes, size_t length)
{
    struct text request;
    int status = 0;

    text_init(&request, LEGACY_BODY_BYTES_MAX);
    text_append_format(&request,
                       "POST %s HTTP/1.1\r\nHost: xqueue.example.org\r\nConnection: close\r\n%sContent-Length: %zu\r\n", target,
                       world->cookies, length);
    if (type != NULL) {
        text_append_format(&request, "Content-Type: %s\r\n", type);
    }
    text_append_string(&request, "\r\n");
    text_append(&request, bytes, length);
    assert_false(request.failed);
    status = legacy_send(world, request.bytes, request.length);
    text_finish(&request);
    return status;
}

int legacy_post(struct legacy_world *world, enum legacy_encoding encoding, const char *target,
                const struct legacy_field *fields, size_t count)
{
    static const char *const types[LEGACY_ENCODINGS] = {"application/x-www-form-urlencoded",
                                                        "multipart/form-data; boundary=" BOUNDARY};
    struct text body;
    int status = 0;

    text_init(&body, LEGACY_BODY_BYTES_MAX);
    legacy_encode(encoding, fields, count, &body);
    assert_false(body.failed);
    status = legacy_post_bytes(world, target, types[encoding], body.bytes, body.length);
    text_finish(&body);
    return status;
}

void legacy_post_both(struct legacy_world *world, const char *target, const struct legacy_field *fields, size_t count,
                      const char *reply)
{
    for (int encoding = 0; encoding < LEGACY_ENCODINGS; encoding++) {
        char what[MESSAGE_MAX];

        (void)legacy_post(world, (enum legacy_encoding)encoding, target, fields, count);
        (void)snprintf(what, sizeof(what), "%s (%s) with %s=%.200s", target,
                       encoding == LEGACY_URLENCODED ? "urlencoded" : "multipart", count > 0 ? fields[0].name : "",
                       count > 0 ? fields[0].value : "");
        legacy_expect(world, what, 200, reply);
    }
}

/* ---- submissions ---- */

const char *legacy_header(struct legacy_world *world, const char *queue, const char *path, struct text *out)
{
    char url[FAKE_LMS_URL_MAX];

    text_init(out, HEADER_VALUE_MAX);
    text_append_format(out, "{\"lms_callback_url\": \"%s\", \"lms_key\": \"k\", \"queue_name\": %s}",
                       fake_lms_url(world->talk->lms, path, url), queue);
    return out->bytes;
}

void legacy_submit(struct legacy_world *world, const char *queue, const char *path, const char *body, unsigned count)
{
    struct text header;
    char reply[MESSAGE_MAX];
    const struct legacy_field fields[] = {{.name = "xqueue_header", .value = legacy_header(world, queue, path, &header)},
                                          {.name = "xqueue_body", .value = body}};

    (void)snprintf(reply, sizeof(reply), LEGACY_GOOD("%u"), count);
    (void)legacy_post(world, LEGACY_URLENCODED, "/xqueue/submit/", fields, 2);
    legacy_expect(world, body, 200, reply);
    text_finish(&header);
}

static void read_pulled(const char *content, struct legacy_pulled *out_pulled)
{
    json_t *outer = json_loads(content, JSON_ALLOW_NUL, NULL);
    json_t *header = json_loads(or_empty(json_string_value(json_object_get(outer, "xqueue_header"))), 0, NULL);
    const char *key = json_string_value(json_object_get(header, "submission_key"));

    assert_non_null(key);
    assert_int_equal(strlen(key), LEGACY_KEY_BYTES);
    (void)snprintf(out_pulled->key, sizeof(out_pulled->key), "%s", key);
    out_pulled->id = (unsigned long long)json_integer_value(json_object_get(header, "submission_id"));
    out_pulled->content = strdup(content);
    json_decref(header);
    json_decref(outer);
}

bool legacy_pull(struct legacy_world *world, const char *queue, struct legacy_pulled *out_pulled)
{
    char target[TARGET_MAX];
    bool is_pulled = false;

    (void)snprintf(target, sizeof(target), "/xqueue/get_submission/?queue_name=%s", queue);
    const struct legacy_row row = {.target = target};
    assert_int_equal(send_row(world, &row), 200);
    json_t *reply = json_loadb(world->answer.body.bytes, world->answer.body.length, JSON_ALLOW_NUL, NULL);
    assert_non_null(reply);
    is_pulled = json_integer_value(json_object_get(reply, "return_code")) == 0;
    if (is_pulled) {
        read_pulled(json_string_value(json_object_get(reply, "content")), out_pulled);
    } else if (strstr(world->answer.body.bytes, "' is empty\"}") == NULL) {
        fail_msg("get_submission: %s", world->answer.body.bytes);
    }
    json_decref(reply);
    return is_pulled;
}

void legacy_pulled_finish(struct legacy_pulled *pulled)
{
    free(pulled->content);
    *pulled = (struct legacy_pulled){0};
}

void legacy_put(struct legacy_world *world, const char *header, const char *body)
{
    const struct legacy_field fields[] = {{.name = "xqueue_header", .value = header}, {.name = "xqueue_body", .value = body}};

    (void)legacy_post(world, LEGACY_URLENCODED, "/xqueue/put_result/", fields, 2);
}

void legacy_put_pulled(struct legacy_world *world, const struct legacy_pulled *pulled, const char *body)
{
    char header[MESSAGE_MAX];

    (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": \"%s\"}", pulled->id, pulled->key);
    legacy_put(world, header, body);
}

long legacy_length(struct legacy_world *world, const char *queue)
{
    static const char start[] = "{\"return_code\": 0, \"content\": ";
    char target[TARGET_MAX];
    char *end = NULL;

    (void)snprintf(target, sizeof(target), "/xqueue/get_queuelen/?queue_name=%s", queue);
    const struct legacy_row row = {.target = target};
    assert_int_equal(send_row(world, &row), 200);
    assert_memory_equal(world->answer.body.bytes, start, sizeof(start) - 1);
    long length = strtol(world->answer.body.bytes + sizeof(start) - 1, &end, 10);
    assert_string_equal(end, "}");
    return length;
}
