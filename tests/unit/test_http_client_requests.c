/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_support crypto */
/* What the HTTP client can do beside callbacks: methods, bodies from files, replies that are kept, signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/http_client.h"
#include "tests/support/fake_lms.h"

enum { REPLY_MAX = 4096, FILE_BYTES = 300000 };

struct fixture {
    struct config_callbacks callbacks;
    struct http_client *client;
    struct fake_lms *host;
    char url[FAKE_LMS_URL_MAX];
    /* of the last call */
    struct http_client_result result;
    char reply[REPLY_MAX];
    size_t reply_length;
    char content_type[128];
    char etag[128];
};

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    fixture->callbacks = (struct config_callbacks){.ca_file = (char *)""};
    fixture->host = fake_lms_start(0);
    struct http_client_options options = {
        .callbacks = &fixture->callbacks, .trust = HTTP_CLIENT_TRUST_CONFIGURED, .parallel_max = 4, .per_origin_max = 4};
    assert_int_equal(http_client_create(&options, &fixture->client, NULL), STATUS_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_client_destroy(fixture->client);
    fake_lms_destroy(fixture->host);
    memory_free(fixture);
    return 0;
}

static void on_done(void *context, const struct http_client_result *result)
{
    struct fixture *fixture = context;
    const char *content_type = http_client_result_header(result, "content-type");
    (void)text_copy(fixture->content_type, sizeof(fixture->content_type), content_type ? content_type : "(none)");
    const char *etag = http_client_result_header(result, "ETag");
    (void)text_copy(fixture->etag, sizeof(fixture->etag), etag ? etag : "(none)");
    fixture->result = *result;
    fixture->reply_length = result->reply.length;
    assert_true(result->reply.length <= REPLY_MAX);
    memcpy(fixture->reply, result->reply.bytes, result->reply.length);
}

static struct http_client_request request_for(struct fixture *fixture, enum http_client_method method, const char *path)
{
    return (struct http_client_request){
        .method = method,
        .url = fake_lms_url(fixture->host, path, fixture->url),
        .limits = {.connect_timeout_ms = 5000, .timeout_ms = 5000, .reply_bytes_max = REPLY_MAX},
        .start_within_ms = 5000,
        .keep_reply = true,
    };
}

static enum status call(struct fixture *fixture, const struct http_client_request *request)
{
    assert_int_equal(http_client_call(fixture->client, request, on_done, fixture, NULL), STATUS_OK);
    return fixture->result.status;
}

static const struct fake_lms_callback *last(struct fixture *fixture)
{
    return fake_lms_callback(fixture->host, fake_lms_count(fixture->host) - 1);
}

/* ---- methods ---- */

static void a_get_has_no_body_and_brings_one(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_GET, "/x?a=b");
    fake_lms_script_default(fixture->host, &(struct fake_lms_script){.reply = "a\0b",
                                                                     .reply_bytes = 3,
                                                                     .content_type = "application/json",
                                                                     .header_line = "ETag: \"1\"\r\nETag: \"2\""});

    assert_int_equal(call(fixture, &request), STATUS_OK);

    assert_int_equal(fixture->reply_length, 3);
    assert_memory_equal(fixture->reply, "a\0b", 3);
    assert_string_equal(fixture->content_type, "application/json");
    assert_string_equal(fixture->etag, "\"2\"");
    assert_int_equal(strncmp(last(fixture)->head, "GET /x?a=b HTTP/1.1\r\n", 21), 0);
    assert_null(strstr(last(fixture)->head, "Content-"));
}

static void a_head_waits_for_no_body(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_HEAD, "/x");
    fake_lms_script_default(fixture->host, &(struct fake_lms_script){.reply_bytes = 5000, .header_line = "ETag: \"1\""});

    assert_int_equal(call(fixture, &request), STATUS_OK);
    assert_int_equal(call(fixture, &request), STATUS_OK); // the connection is still good

    assert_string_equal(last(fixture)->method, "HEAD");
    assert_string_equal(fixture->etag, "\"1\"");
    assert_int_equal(fixture->reply_length, 0);
}

static void a_delete_may_be_answered_with_204(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_DELETE, "/x");
    fake_lms_script_default(fixture->host, &(struct fake_lms_script){.http_status = 204, .reply = "", .close_after = true});

    assert_int_equal(call(fixture, &request), STATUS_UNAVAILABLE);
    request.any_2xx = true;
    assert_int_equal(call(fixture, &request), STATUS_OK);

    assert_int_equal(fixture->result.http_status, 204);
    assert_string_equal(last(fixture)->method, "DELETE");
}

static void a_put_of_memory_carries_lines_and_body(void **state)
{
    static const char *const lines[] = {"x-amz-meta-name: caf\xc3\xa9", "Content-Disposition: attachment"};
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_PUT, "/k");
    request.content_type = "text/x-python; charset=utf-8";
    request.headers = lines;
    request.header_count = 2;
    request.body = memory_copy("p\0t", 3);
    request.body_length = 3;

    assert_int_equal(call(fixture, &request), STATUS_OK);

    assert_string_equal(last(fixture)->method, "PUT");
    assert_int_equal(last(fixture)->body_length, 3);
    assert_memory_equal(last(fixture)->body, "p\0t", 3);
    assert_non_null(strstr(last(fixture)->head, "\r\nContent-Type: text/x-python; charset=utf-8\r\n"));
    assert_non_null(strstr(last(fixture)->head, "\r\nx-amz-meta-name: caf\xc3\xa9\r\nContent-Disposition: attachment\r\n"));
}

static void a_post_may_have_no_content_type_and_no_body(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_POST, "/x");

    assert_int_equal(call(fixture, &request), STATUS_OK);

    assert_null(strstr(last(fixture)->head, "Content-Type"));
    assert_non_null(strstr(last(fixture)->head, "Content-Length: 0\r\n"));
}

/* ---- bodies from files ---- */

static int file_with(const void *bytes, size_t length)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fflush(file), 0);
    int descriptor = dup(fileno(file));
    assert_true(descriptor >= 0);
    assert_int_equal(fclose(file), 0);
    return descriptor;
}

static void a_put_reads_its_body_from_a_part_of_a_file(void **state)
{
    struct fixture *fixture = *state;
    unsigned char *bytes = memory_allocate(FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++)
        bytes[i] = (unsigned char)(i * i >> 3);
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_PUT, "/k");
    request.body_from_descriptor = true;
    request.descriptor = file_with(bytes, FILE_BYTES);
    request.body_offset = 1000;
    request.body_length = FILE_BYTES - 2000;

    assert_int_equal(call(fixture, &request), STATUS_OK);

    assert_string_equal(last(fixture)->method, "PUT");
    assert_int_equal(last(fixture)->body_length, FILE_BYTES - 2000);
    assert_memory_equal(last(fixture)->body, bytes + 1000, FILE_BYTES - 2000);
    http_client_destroy(fixture->client);
    fixture->client = NULL;
    assert_int_equal(close(request.descriptor), -1); // it was taken
    memory_free(bytes);
}

static void a_file_is_sent_again_when_the_kept_connection_has_closed(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_PUT, "/k");
    request.body_from_descriptor = true;
    request.body_length = 5;
    request.descriptor = file_with("first", 5);
    assert_int_equal(call(fixture, &request), STATUS_OK);
    fake_lms_script_next(fixture->host, 1, &(struct fake_lms_script){.kind = FAKE_LMS_CLOSE});
    request.descriptor = file_with("again", 5);

    assert_int_equal(call(fixture, &request), STATUS_OK);

    assert_int_equal(fake_lms_count(fixture->host), 3);
    assert_string_equal(last(fixture)->body, "again");
}

static void a_file_that_is_too_short_fails_the_request(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_PUT, "/k");
    request.body_from_descriptor = true;
    request.descriptor = file_with("short", 5);
    request.body_length = 6;

    assert_int_equal(call(fixture, &request), STATUS_INVALID);

    assert_string_equal(fixture->result.text, "the file to be sent is shorter than it was");
    assert_int_equal(fake_lms_count(fixture->host), 0);
}

/* ---- replies ---- */

static void a_reply_over_the_bound_is_a_failure(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_GET, "/x");
    request.limits.reply_bytes_max = 10;

    fake_lms_script_default(fixture->host, &(struct fake_lms_script){.reply_bytes = 10});
    assert_int_equal(call(fixture, &request), STATUS_OK);
    assert_int_equal(fixture->reply_length, 10);
    fake_lms_script_default(fixture->host, &(struct fake_lms_script){.reply_bytes = 11});
    assert_int_equal(call(fixture, &request), STATUS_INVALID);

    assert_int_equal(fixture->result.http_status, 200);
    assert_string_equal(fixture->result.text, "answered more than 10 bytes");
}

static void a_reply_that_breaks_off_or_hangs_is_a_failure(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_GET, "/x");
    request.limits.timeout_ms = 300;

    fake_lms_script_next(fixture->host, 1, &(struct fake_lms_script){.kind = FAKE_LMS_HANG_BODY});
    assert_int_equal(call(fixture, &request), STATUS_TIMEOUT);
    fake_lms_script_next(fixture->host, 1,
                         &(struct fake_lms_script){.reply = "ab", .reply_bytes = 2, .header_line = "Content-Length: 3"});
    assert_int_not_equal(call(fixture, &request), STATUS_OK);

    assert_true(strlen(fixture->result.text) > 0);
}

static void the_reply_of_a_failure_is_kept_too(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_GET, "/x");
    fake_lms_script_default(
        fixture->host, &(struct fake_lms_script){.http_status = 404, .reply = "<Code>NoSuchKey</Code>", .reply_bytes = 22});

    assert_int_equal(call(fixture, &request), STATUS_UNAVAILABLE);

    assert_int_equal(fixture->result.http_status, 404);
    assert_int_equal(fixture->reply_length, 22);
    assert_memory_equal(fixture->reply, "<Code>NoSuchKey</Code>", 22);
}

/* ---- trust and refusals ---- */

static void header_lines_that_would_make_others_are_refused(void **state)
{
    static const char *const bad[] = {"X: a\r\nY: b", "no colon", ": no name", "", "X: \x01"};
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_GET, "/x");

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.headers = &bad[i];
        request.header_count = 1;
        assert_int_equal(http_client_start(fixture->client, &request, on_done, fixture, NULL), STATUS_INVALID);
    }
    request.header_count = 0;
    request.method = HTTP_CLIENT_POST;
    request.content_type = "text/plain\r\nX: y";
    assert_int_equal(http_client_start(fixture->client, &request, on_done, fixture, NULL), STATUS_INVALID);

    assert_int_equal(fake_lms_count(fixture->host), 0);
}

/* 0.0.0.0 is never a callback's address, and reaches loopback. */
static void an_operator_may_name_any_address(void **state)
{
    struct fixture *fixture = *state;
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_GET, "/x");
    char url[64];
    (void)snprintf(url, sizeof(url), "http://0.0.0.0:%d/x", fake_lms_port(fixture->host));
    request.url = url;

    assert_int_equal(call(fixture, &request), STATUS_OK);
    request.url = "file:///etc/passwd";

    assert_int_equal(http_client_start(fixture->client, &request, on_done, fixture, NULL), STATUS_INVALID);
}

/* ---- signatures ---- */

static void hex_of_sha256(const void *bytes, size_t length, char out[65])
{
    unsigned char digest[32];
    assert_int_equal(EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL), 1);
    text_hex(out, digest, sizeof(digest));
}

static void sign(const void *key, size_t key_length, const char *bytes, unsigned char out[32])
{
    assert_non_null(HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)bytes, strlen(bytes), out, NULL));
}

/* The value of a header of a request as it came, in out. */
static const char *value_of(const struct fake_lms_callback *callback, const char *name, char *out, size_t capacity)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "\r\n%s: ", name);
    const char *value = strcasestr(callback->head, line);
    assert_non_null(value);
    value += strlen(line);
    size_t length = strcspn(value, "\r");
    assert_true(length < capacity);
    memcpy(out, value, length);
    out[length] = '\0';
    return out;
}

/* The signature as the server computes it, from nothing but the request that came and the secret. */
static void expected_signature(const struct fake_lms_callback *callback, const char *signed_headers, char out[65])
{
    char value[256];
    char hash[65];
    char canonical[2048];
    char path[256];
    char date[32];
    (void)snprintf(path, sizeof(path), "%s", callback->path);
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    struct text headers;
    text_init(&headers, 1024);
    char names[256];
    (void)snprintf(names, sizeof(names), "%s", signed_headers);
    char *rest = NULL;
    for (char *name = strtok_r(names, ";", &rest); name; name = strtok_r(NULL, ";", &rest))
        text_append_format(&headers, "%s:%s\n", name, value_of(callback, name, value, sizeof(value)));
    (void)snprintf(canonical, sizeof(canonical), "%s\n%s\n%s\n%s\n%s\n%s", callback->method, path, query ? query : "",
                   headers.bytes, signed_headers, value_of(callback, "x-amz-content-sha256", value, sizeof(value)));
    text_finish(&headers);
    hex_of_sha256(canonical, strlen(canonical), hash);
    (void)value_of(callback, "x-amz-date", date, sizeof(date));
    char to_sign[512];
    (void)snprintf(to_sign, sizeof(to_sign), "AWS4-HMAC-SHA256\n%s\n%.8s/eu-test-1/s3/aws4_request\n%s", date, date, hash);

    unsigned char key[32];
    date[8] = '\0';
    sign("AWS4secret/+", strlen("AWS4secret/+"), date, key);
    sign(key, sizeof(key), "eu-test-1", key);
    sign(key, sizeof(key), "s3", key);
    sign(key, sizeof(key), "aws4_request", key);
    sign(key, sizeof(key), to_sign, key);
    text_hex(out, key, sizeof(key));
}

static void assert_signed(const struct fake_lms_callback *callback)
{
    char authorization[512];
    char signature[65];
    (void)value_of(callback, "authorization", authorization, sizeof(authorization));
    assert_int_equal(strncmp(authorization, "AWS4-HMAC-SHA256 Credential=AKID/20", 35), 0);
    char *names = strstr(authorization, "SignedHeaders=");
    assert_non_null(names);
    names += strlen("SignedHeaders=");
    char *given = strstr(names, ", Signature=");
    assert_non_null(given);
    *given = '\0';
    assert_non_null(strstr(names, "host"));
    assert_non_null(strstr(names, "x-amz-date"));
    assert_non_null(strstr(names, "x-amz-content-sha256"));
    expected_signature(callback, names, signature);
    assert_string_equal(given + strlen(", Signature="), signature);
}

static void a_signed_request_can_be_verified(void **state)
{
    static const struct http_client_sigv4 sigv4 = {
        .key_id = "AKID", .secret = "secret/+", .region = "eu-test-1", .service = "s3"};
    struct fixture *fixture = *state;
    char hash[65];
    char line[128];
    const char *lines[] = {line};
    hex_of_sha256("body", 4, hash);
    (void)snprintf(line, sizeof(line), "x-amz-content-sha256: %s", hash);
    struct http_client_request request = request_for(fixture, HTTP_CLIENT_PUT, "/bucket/queue/key");
    request.sigv4 = &sigv4;
    request.headers = lines;
    request.header_count = 1;

    request.content_type = "text/plain";
    request.body = memory_copy("body", 4);
    request.body_length = 4;
    assert_int_equal(call(fixture, &request), STATUS_OK);
    assert_signed(last(fixture));

    request.body_from_descriptor = true;
    request.descriptor = file_with("body", 4);
    assert_int_equal(call(fixture, &request), STATUS_OK);
    assert_signed(last(fixture));
    assert_string_equal(last(fixture)->body, "body");
    request.content_type = NULL; // libcurl would sign the absence of the line
    assert_int_equal(http_client_start(fixture->client, &request, on_done, fixture, NULL), STATUS_INVALID);

    (void)snprintf(line, sizeof(line), "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    request = request_for(fixture, HTTP_CLIENT_GET, "/bucket/?list-type=2&prefix=a");
    request.sigv4 = &sigv4;
    request.headers = lines;
    request.header_count = 1;
    assert_int_equal(call(fixture, &request), STATUS_OK);
    assert_signed(last(fixture));

    request.method = HTTP_CLIENT_DELETE;
    assert_int_equal(call(fixture, &request), STATUS_OK);
    assert_signed(last(fixture));
    request.method = HTTP_CLIENT_HEAD;
    assert_int_equal(call(fixture, &request), STATUS_OK);
    assert_signed(last(fixture));
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_get_has_no_body_and_brings_one),
        CASE(a_head_waits_for_no_body),
        CASE(a_delete_may_be_answered_with_204),
        CASE(a_put_of_memory_carries_lines_and_body),
        CASE(a_post_may_have_no_content_type_and_no_body),
        CASE(a_put_reads_its_body_from_a_part_of_a_file),
        CASE(a_file_is_sent_again_when_the_kept_connection_has_closed),
        CASE(a_file_that_is_too_short_fails_the_request),
        CASE(a_reply_over_the_bound_is_a_failure),
        CASE(a_reply_that_breaks_off_or_hangs_is_a_failure),
        CASE(the_reply_of_a_failure_is_kept_too),
        CASE(header_lines_that_would_make_others_are_refused),
        CASE(an_operator_may_name_any_address),
        CASE(a_signed_request_can_be_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
