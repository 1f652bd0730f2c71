/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/server_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"

enum { YAML_MAX = 4096 };

/* ---- the server ---- */

void server_fixture_configure(struct server_fixture *fixture)
{
    char yaml[YAML_MAX];
    const char *hash = fixture->password_hash;
    int length =
        snprintf(yaml, sizeof yaml,
                 "service:\n"
                 "  listen: ['127.0.0.1:0']\n"
                 "  database: xqueue.db\n"
                 "  drain_ms: 20000\n"
                 "  ping_period_ms: 590000\n"
                 "queues:\n"
                 "  demo: {lease_ms: %d}\n"
                 "  small: {ready_max: 1, body_bytes_max: 10}\n"
                 "users:\n"
                 "  lms: {password_hash: '%s', roles: [submit]}\n"
                 "  other: {password_hash: '%s', roles: [submit]}\n"
                 "  grader: {password_hash: '%s', roles: [grade]}\n"
                 "  courier: {password_hash: '%s', roles: [deliver]}\n"
                 "  admin: {password_hash: '%s', roles: [admin]}\n"
                 "  local: {password_hash: '%s', queue_roles: [{roles: [submit, grade, deliver, admin], queues: small}]}\n",
                 SERVER_FIXTURE_LEASE_MS, hash, hash, hash, hash, hash, hash);
    assert_in_range(length, 1, sizeof yaml - 1);
    config_destroy(fixture->config);
    fixture->config = NULL;
    if (config_parse("test.yml", fixture->folder, yaml, (size_t)length, &fixture->config, &fixture->error) != STATUS_OK)
        fail_msg("%s", fixture->error.text);
}

static void on_storage_failure(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "the store failed: %s\n", text);
    abort();
}

void server_fixture_start(struct server_fixture *fixture)
{
    const struct server_options options = {
        .config = fixture->config, .clock = fake_clock_base(fixture->clock), .on_storage_failure = on_storage_failure};
    if (server_create(&options, &fixture->server, &fixture->error) != STATUS_OK)
        fail_msg("server_create: %s", fixture->error.text);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%d", server_port(fixture->server, 0));
    const struct rpc_channel_options channel = {.address = address};
    assert_int_equal(rpc_channel_create(fixture->loop, &channel, &fixture->channel), STATUS_OK);
}

void server_fixture_stop(struct server_fixture *fixture)
{
    server_destroy(fixture->server);
    fixture->server = NULL;
    rpc_channel_destroy(fixture->channel);
    fixture->channel = NULL;
}

int server_fixture_setup(void **state)
{
    struct server_fixture *fixture = MEMORY_NEW(struct server_fixture);
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/xqueue-server-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(secret_password_hash("secret", 1, fixture->password_hash), STATUS_OK);
    fixture->clock = fake_clock_create(SERVER_FIXTURE_START_MS);
    fixture->loop = rpc_loop_create("client");
    server_fixture_configure(fixture);
    server_fixture_start(fixture);
    *state = fixture;
    return 0;
}

int server_fixture_teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    struct server_fixture *fixture = *state;
    server_fixture_stop(fixture);
    rpc_loop_destroy(fixture->loop);
    fake_clock_destroy(fixture->clock);
    config_destroy(fixture->config);
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[128];
        snprintf(path, sizeof path, "%s/xqueue.db%s", fixture->folder, suffixes[at]);
        unlink(path);
    }
    rmdir(fixture->folder);
    memory_free(fixture);
    return 0;
}

void server_clock_moves_to(struct server_fixture *fixture, int64_t at_ms)
{
    int64_t to_ms = SERVER_FIXTURE_START_MS + at_ms;
    fake_clock_await_deadline(fixture->clock, to_ms);
    fake_clock_advance(fixture->clock, to_ms - fake_clock_now_ms(fixture->clock));
}

/* ---- unary calls ---- */

static enum status call_with(struct server_fixture *fixture, const char *token, const struct rpc_client_method *method,
                             const ProtobufCMessage *request, struct rpc_message **out_reply)
{
    const struct rpc_call_options options = {.bearer = token, .timeout_ms = SERVER_FIXTURE_PATIENCE_MS, .wait_for_ready = 1};
    struct rpc_message *reply = NULL;
    memset(&fixture->error, 0, sizeof fixture->error);
    enum status status = rpc_channel_call(fixture->channel, method, request, &options, &reply, &fixture->error);
    if (out_reply)
        *out_reply = reply;
    else
        rpc_message_free(reply);
    return status;
}

const char *server_token(struct server_fixture *fixture, const char *user)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
    static char password[] = "secret";
    char name[64];
    if (!user)
        return NULL;
    if (user[0] == '=')
        return user + 1;
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    snprintf(name, sizeof name, "%s", user);
    request.user = name;
    request.password = password;
    if (call_with(fixture, NULL, &method, &request.base, &reply) != STATUS_OK)
        fail_msg("login of %s: %s", user, fixture->error.text);
    const Xqueue__V1__LoginResponse *login = (const Xqueue__V1__LoginResponse *)rpc_message_body(reply);
    snprintf(fixture->token, sizeof fixture->token, "%s", login->token);
    rpc_message_free(reply);
    return fixture->token;
}

enum status server_calls(struct server_fixture *fixture, const char *user, const struct rpc_client_method *method,
                         const ProtobufCMessage *request, struct rpc_message **out_reply)
{
    return call_with(fixture, server_token(fixture, user), method, request, out_reply);
}

uint64_t lms_hands_in(struct server_fixture *fixture, const char *body)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor};
    static char queue[] = "demo";
    static char url[] = "http://lms.example.org/callback";
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.queue = queue;
    request.callback_url = url;
    request.body.data = (uint8_t *)(uintptr_t)body;
    request.body.len = strlen(body);
    if (server_calls(fixture, "lms", &method, &request.base, &reply) != STATUS_OK)
        fail_msg("Submit: %s", fixture->error.text);
    uint64_t id = ((const Xqueue__V1__SubmitResponse *)rpc_message_body(reply))->submission_id;
    rpc_message_free(reply);
    return id;
}

Xqueue__V1__SubmissionState lms_sees(struct server_fixture *fixture, uint64_t id)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor};
    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.submission_id = id;
    if (server_calls(fixture, "lms", &method, &request.base, &reply) != STATUS_OK)
        fail_msg("Get: %s", fixture->error.text);
    Xqueue__V1__SubmissionState state = ((const Xqueue__V1__GetResponse *)rpc_message_body(reply))->state;
    rpc_message_free(reply);
    return state;
}

/* ---- streams ---- */

static void on_message(void *context, struct rpc_message *message)
{
    struct grader_stream *stream = context;
    pthread_mutex_lock(&stream->mutex);
    if (stream->count < SERVER_FIXTURE_MESSAGES_MAX)
        stream->messages[stream->count++] = message;
    else
        abort(); // a test that does not look at what it is told
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
}

static void on_close(void *context, enum status status, const struct error *error)
{
    struct grader_stream *stream = context;
    pthread_mutex_lock(&stream->mutex);
    stream->closed = true;
    stream->status = status;
    stream->error = *error;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
}

struct grader_stream *stream_opens(struct server_fixture *fixture, const char *user, const struct rpc_client_method *method)
{
    static const struct rpc_client_stream_events events = {.on_message = on_message, .on_close = on_close};
    struct grader_stream *stream = MEMORY_NEW(struct grader_stream);
    const struct rpc_call_options options = {.bearer = server_token(fixture, user), .wait_for_ready = 1};
    pthread_mutex_init(&stream->mutex, NULL);
    clock_condition_init(&stream->changed);
    assert_int_equal(rpc_client_stream_open(fixture->channel, method, &options, &events, stream, &stream->stream), STATUS_OK);
    return stream;
}

void stream_sends(struct grader_stream *stream, const ProtobufCMessage *message)
{
    assert_int_equal(rpc_client_stream_send(stream->stream, message), STATUS_OK);
}

/* mutex held. False: there is no message and the stream is over. */
static bool await_message(struct grader_stream *stream)
{
    int64_t deadline_ms = clock_add_ms(clock_now_ms(clock_system()), SERVER_FIXTURE_PATIENCE_MS);
    while (stream->count == 0 && !stream->closed) {
        if (!clock_wait_until(clock_system(), &stream->changed, &stream->mutex, deadline_ms)) {
            pthread_mutex_unlock(&stream->mutex);
            fail_msg("nothing came on the stream");
        }
    }
    return stream->count > 0;
}

const void *stream_awaits(struct grader_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    rpc_message_free(stream->current);
    stream->current = NULL;
    if (await_message(stream)) {
        stream->current = stream->messages[0];
        stream->count--;
        memmove(&stream->messages[0], &stream->messages[1], stream->count * sizeof(void *));
    }
    pthread_mutex_unlock(&stream->mutex);
    return stream->current ? rpc_message_body(stream->current) : NULL;
}

enum status stream_awaits_end(struct grader_stream *stream)
{
    while (stream_awaits(stream)) {
    }
    return stream->status;
}

void stream_closes(struct grader_stream *stream)
{
    rpc_client_stream_cancel(stream->stream);
    (void)stream_awaits_end(stream);
    rpc_client_stream_release(stream->stream);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->mutex);
    memory_free(stream);
}

/* ---- graders ---- */

struct grader_stream *grader_opens(struct server_fixture *fixture, const char *user)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Graders/Work", &xqueue__v1__server_message__descriptor};
    return stream_opens(fixture, user, &method);
}

void grader_says(struct grader_stream *stream, const Xqueue__V1__GraderMessage *message)
{
    stream_sends(stream, &message->base);
}

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant; // generated structs are not const-correct
}

void grader_says_hello(struct grader_stream *stream, const char *grader, const char *instance, const Xqueue__V1__LeaseRef *held)
{
    char *queues[] = {text("demo")};
    Xqueue__V1__LeaseRef *refs[] = {(Xqueue__V1__LeaseRef *)(uintptr_t)held};
    Xqueue__V1__Hello hello = XQUEUE__V1__HELLO__INIT;
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    hello.grader = text(grader);
    hello.instance = text(instance);
    hello.queues = queues;
    hello.n_queues = 1;
    hello.slots = 3;
    hello.held = refs;
    hello.n_held = held ? 1 : 0;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO;
    message.hello = &hello;
    grader_says(stream, &message);
}

void grader_says_credit(struct grader_stream *stream, uint32_t submissions)
{
    Xqueue__V1__Credit credit = XQUEUE__V1__CREDIT__INIT;
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    credit.submissions = submissions;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_CREDIT;
    message.credit = &credit;
    grader_says(stream, &message);
}

void grader_says_complete(struct grader_stream *stream, const Xqueue__V1__LeaseRef *lease, const char *result)
{
    Xqueue__V1__CompleteRequest complete = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    complete.lease = (Xqueue__V1__LeaseRef *)(uintptr_t)lease;
    complete.result.data = (uint8_t *)(uintptr_t)result;
    complete.result.len = strlen(result);
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE;
    message.complete = &complete;
    grader_says(stream, &message);
}

const Xqueue__V1__ServerMessage *grader_awaits(struct grader_stream *stream, Xqueue__V1__ServerMessage__KindCase kind)
{
    const Xqueue__V1__ServerMessage *message = stream_awaits(stream);
    if (!message)
        fail_msg("the stream ended instead: %s %s %s", status_name(stream->status), stream->error.reason, stream->error.text);
    else
        assert_int_equal(message->kind_case, kind);
    return message;
}

void grader_awaits_ack(struct grader_stream *stream, uint64_t id, Xqueue__V1__AckItem item, Xqueue__V1__AckOutcome outcome)
{
    const Xqueue__V1__Ack *ack = grader_awaits(stream, XQUEUE__V1__SERVER_MESSAGE__KIND_ACK)->ack;
    assert_int_equal(ack->lease->submission_id, id);
    assert_int_equal(ack->item, item);
    assert_int_equal(ack->outcome, outcome);
    assert_int_equal(ack->reason[0] == '\0', outcome == XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK ||
                                                 outcome == XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_ALREADY);
}

struct held_lease *grader_takes_grant(struct grader_stream *stream, struct held_lease *out_lease)
{
    const Xqueue__V1__Grant *grant = grader_awaits(stream, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT)->grant;
    Xqueue__V1__Accept accept = XQUEUE__V1__ACCEPT__INIT;
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    xqueue__v1__lease_ref__init(&out_lease->ref);
    snprintf(out_lease->key, sizeof out_lease->key, "%s", grant->lease->lease_key);
    out_lease->ref.submission_id = grant->lease->submission_id;
    out_lease->ref.lease_key = out_lease->key;
    accept.lease = &out_lease->ref;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT;
    message.accept = &accept;
    grader_says(stream, &message);
    return out_lease;
}
