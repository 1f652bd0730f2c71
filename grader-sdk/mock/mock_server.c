/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/mock/mock_server.h"

#include <string.h>

#include <xqueue/v1/files.pb-c.h>
#include <xqueue/v1/graders.pb-c.h>
#include <xqueue/v1/sessions.pb-c.h>

#include "base/text.h"
#include "grader-sdk/mock/mock_session.h"

enum { CHUNK_BYTES = 262144, SESSION_MS = 1209600000 };

#define LOGIN_PATH "/xqueue.v1.Sessions/Login"

/* ---- login ---- */

static bool is_same(const char *wanted, const char *given)
{
    return wanted && text_equal_secret(wanted, strlen(wanted), given, strlen(given));
}

static void on_login(struct rpc_server_call *call, struct rpc_message *message)
{
    struct xqueue_mock *mock = rpc_server_call_context(call);
    const Xqueue__V1__LoginRequest *request = (const Xqueue__V1__LoginRequest *)rpc_message_body(message);
    const struct xqueue_mock_options *options = &mock->options;
    Xqueue__V1__LoginResponse reply = XQUEUE__V1__LOGIN_RESPONSE__INIT;
    char token[SECRET_KEY_TEXT_MAX];
    bool is_open = !options->user && !options->token;
    bool may = is_open || (is_same(options->user, request->user) &&
                           is_same(options->password ? options->password : "", request->password));
    pthread_mutex_lock(&mock->mutex);
    (void)text_copy(token, sizeof(token), mock->session_token);
    mock_count_event(mock, NULL, may ? XQUEUE_MOCK_LOGIN : XQUEUE_MOCK_LOGIN_REFUSED);
    pthread_mutex_unlock(&mock->mutex);
    reply.token = token;
    reply.expires_in_ms = SESSION_MS;
    struct error error;
    if (may)
        rpc_server_call_reply(call, &reply.base);
    else
        rpc_server_call_finish(
            call, error_set(&error, STATUS_UNAUTHENTICATED, "WRONG_CREDENTIALS", "unknown user or wrong password"), &error);
    rpc_message_free(message);
}

/* Without bearer: may anybody? With one it must be right, also where nobody has to have one. */
static enum status authorise(struct rpc_server_call *call, const struct rpc_method *method, void *context, struct error *error)
{
    struct xqueue_mock *mock = context;
    const char *bearer = rpc_server_call_bearer(call);
    bool is_open = !mock->options.user && !mock->options.token;
    if (strcmp(method->path, LOGIN_PATH) == 0)
        return STATUS_OK;
    pthread_mutex_lock(&mock->mutex);
    bool may = bearer ? is_same(mock->session_token, bearer) || is_same(mock->options.token, bearer) : is_open;
    pthread_mutex_unlock(&mock->mutex);
    return may ? STATUS_OK
               : error_set(error, STATUS_UNAUTHENTICATED, bearer ? "SESSION_OVER" : "NO_CREDENTIALS",
                           bearer ? "no such session or token" : "who are you?");
}

/* ---- files ---- */

static const struct mock_file *find_file(const struct xqueue_mock *mock, const char *file_id)
{
    for (const struct mock_submission *at = mock_next(mock, NULL); at; at = mock_next(mock, at))
        for (size_t i = 0; i < at->file_count; i++)
            if (strcmp(at->files[i].file_id, file_id) == 0)
                return &at->files[i];
    return NULL;
}

/* From offset, at most length bytes. The largest file fits into what a stream may queue. */
static enum status send_file(struct rpc_server_call *call, const struct mock_file *file, uint64_t offset, uint64_t length)
{
    size_t left = file->content.length - (size_t)offset;
    left = length > 0 && length < left ? (size_t)length : left;
    const char *at = file->content.bytes + offset;
    enum status status = STATUS_OK;
    bool is_first = true;
    do {
        Xqueue__V1__FetchResponse part = XQUEUE__V1__FETCH_RESPONSE__INIT;
        size_t bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        part.chunk = (ProtobufCBinaryData){.len = bytes, .data = (uint8_t *)(uintptr_t)at};
        if (is_first) {
            part.size_bytes = file->content.length;
            part.sha256 = (ProtobufCBinaryData){.len = sizeof(file->digest), .data = (uint8_t *)(uintptr_t)file->digest};
        }
        status = rpc_server_call_send(call, &part.base);
        is_first = false;
        at += bytes;
        left -= bytes;
    } while (left > 0 && status == STATUS_OK);
    return status;
}

static void on_fetch(struct rpc_server_call *call, struct rpc_message *message)
{
    struct xqueue_mock *mock = rpc_server_call_context(call);
    const Xqueue__V1__FetchRequest *request = (const Xqueue__V1__FetchRequest *)rpc_message_body(message);
    struct error error = {0};
    pthread_mutex_lock(&mock->mutex);
    const struct mock_file *file = find_file(mock, request->file_id);
    enum status status = STATUS_OK;
    if (!file)
        status = error_set(&error, STATUS_NOT_FOUND, "FILE_NOT_FOUND", "no such file");
    else if (request->offset > file->content.length)
        status = error_set(&error, STATUS_INVALID, "OFFSET", "the offset lies behind the end");
    else
        status = send_file(call, file, request->offset, request->length);
    if (status == STATUS_OK)
        mock_count_event(mock, NULL, XQUEUE_MOCK_FETCHED);
    pthread_mutex_unlock(&mock->mutex);
    rpc_server_call_finish(call, status, status == STATUS_OK ? NULL : &error);
    rpc_message_free(message);
}

static const struct rpc_method methods[] = {
    {.path = LOGIN_PATH, .kind = RPC_UNARY, .request = &xqueue__v1__login_request__descriptor, .on_message = on_login},
    {.path = "/xqueue.v1.Files/Fetch",
     .kind = RPC_SERVER_STREAM,
     .request = &xqueue__v1__fetch_request__descriptor,
     .on_message = on_fetch},
    {.path = "/xqueue.v1.Graders/Work",
     .kind = RPC_BIDI_STREAM,
     .request = &xqueue__v1__grader_message__descriptor,
     .on_open = mock_session_on_open,
     .on_message = mock_session_on_message,
     .on_half_close = mock_session_on_half_close,
     .on_close = mock_session_on_close},
    {.path = NULL},
};

enum status mock_server_start(struct xqueue_mock *mock, const char *listener, struct error *error)
{
    struct rpc_server_options options = {.listeners = &listener, .listener_count = 1, .authorise = authorise, .context = mock};
    return rpc_server_create(mock->loop, methods, &options, &mock->server, error);
}

void mock_server_stop(struct xqueue_mock *mock)
{
    if (!mock->server)
        return;
    rpc_server_abort_stop(mock->server); // no grace, and no lingering: cut off
    rpc_server_stop(mock->server, 0);
    rpc_server_destroy(mock->server);
    mock->server = NULL;
}
