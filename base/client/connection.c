/* SPDX-License-Identifier: Apache-2.0 */
#include "base/client/connection.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/client/connection_internal.h"
#include "base/clock.h"
#include "base/config_password.h"
#include "base/config_syntax.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "xqueue/v1/sessions.pb-c.h"

enum { END_TIMEOUT_MS = 2000 };

static const struct rpc_client_method login_method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
static const struct rpc_client_method logout_method = {"/xqueue.v1.Sessions/Logout", &xqueue__v1__logout_response__descriptor};

struct connection_interrupt connection_interrupt = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void on_signal(void *context)
{
    (void)context;
    pthread_mutex_lock(&connection_interrupt.mutex);
    connection_interrupt.canceled = true;
    if (connection_interrupt.channel)
        rpc_channel_cancel_all(connection_interrupt.channel);
    pthread_cond_broadcast(&connection_interrupt.changed);
    struct list *waits = &connection_interrupt.waits;
    for (struct list_node *node = list_first(waits); node; node = list_next(waits, node))
        pthread_cond_signal(&LIST_OWNER(node, struct connection_wait, node)->changed);
    pthread_mutex_unlock(&connection_interrupt.mutex);
}

static enum status prepare_interrupt(struct error *error)
{
    if (connection_interrupt.is_prepared)
        return STATUS_OK;
    enum status status = process_prepare(error);
    if (status != STATUS_OK)
        return status;
    rpc_log_install();
    clock_condition_init(&connection_interrupt.changed);
    list_init(&connection_interrupt.waits);
    connection_interrupt.is_prepared = true;
    process_on_second_signal(on_signal, NULL);
    return STATUS_OK;
}

static void set_interrupted_channel(struct rpc_channel *channel)
{
    pthread_mutex_lock(&connection_interrupt.mutex);
    connection_interrupt.channel = channel;
    if (channel && connection_interrupt.canceled)
        rpc_channel_cancel_all(channel);
    pthread_mutex_unlock(&connection_interrupt.mutex);
}

bool connection_is_canceled(struct connection *connection)
{
    (void)connection;
    pthread_mutex_lock(&connection_interrupt.mutex);
    bool canceled = connection_interrupt.canceled;
    pthread_mutex_unlock(&connection_interrupt.mutex);
    return canceled;
}

bool connection_pause(struct connection *connection, int64_t pause_ms)
{
    (void)connection;
    int64_t until_ms = clock_add_ms(clock_now_ms(clock_system()), pause_ms);
    pthread_mutex_lock(&connection_interrupt.mutex);
    while (!connection_interrupt.canceled &&
           clock_wait_until(clock_system(), &connection_interrupt.changed, &connection_interrupt.mutex, until_ms)) {
    }
    bool canceled = connection_interrupt.canceled;
    pthread_mutex_unlock(&connection_interrupt.mutex);
    return !canceled;
}

/* ---- as whom ---- */

static enum status take_token(struct connection *connection, const struct connection_options *options, struct error *error)
{
    char *read = NULL;
    const char *fault = options->token ? NULL : config_password_read(options->token_file, &read);
    if (fault)
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: %s", options->token_file, fault);
    bool fits = text_copy(connection->token, CONNECTION_TOKEN_MAX, read ? read : options->token);
    if (read)
        memory_wipe(read, strlen(read));
    memory_free(read);
    return fits ? STATUS_OK
                : error_set(error, STATUS_INVALID, NULL, "the token is longer than %d bytes", CONNECTION_TOKEN_MAX - 1);
}

/* ---- calls ---- */

/* A transport's words mean little; say where nobody is. */
void connection_explain(const struct connection *connection, enum status status, struct error *error)
{
    char text[ERROR_TEXT_MAX];
    (void)text_copy(text, sizeof text, error->text);
    if (status == STATUS_UNAVAILABLE && error->reason[0] == '\0')
        (void)error_set(error, status, NULL, "xqueued cannot be reached at %.100s: %.120s", connection->address, text);
    else if (status == STATUS_TIMEOUT)
        (void)error_set(error, status, NULL, "xqueued at %.100s did not answer in time; whether it took effect is unknown",
                        connection->address);
    else if (status == STATUS_CANCELED)
        (void)error_set(error, status, NULL, "interrupted");
}

/* A call to be made. */
struct question {
    const struct rpc_client_method *method;
    const ProtobufCMessage *request;
    struct rpc_call_options options;
};

static enum status ask(struct connection *connection, struct rpc_channel *channel, const struct question *question,
                       struct rpc_message **out_reply, struct error *error)
{
    struct rpc_message *reply = NULL;
    *error = (struct error){0};
    enum status status = rpc_channel_call(channel, question->method, question->request, &question->options, &reply, error);
    if (status != STATUS_OK) {
        connection_explain(connection, status, error);
        return status;
    }
    if (out_reply)
        *out_reply = reply;
    else
        rpc_message_free(reply);
    return STATUS_OK;
}

enum status connection_call(struct connection *connection, const struct rpc_client_method *method,
                            const ProtobufCMessage *request, struct rpc_message **out_reply, struct error *error)
{
    const char *bearer = connection->token[0] != '\0' ? connection->token : NULL;
    struct question question = {method, request, {.bearer = bearer, .timeout_ms = connection->timeout_ms}};
    return ask(connection, connection->channel, &question, out_reply, error);
}

/* ---- sessions ---- */

static enum status login(struct connection *connection, const char *user, char *password, struct error *error)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    request.user = (char *)(uintptr_t)user; // the generated type is not const
    request.password = password;
    struct question question = {&login_method, &request.base, {.timeout_ms = connection->timeout_ms}};
    struct rpc_message *reply = NULL;
    enum status status = ask(connection, connection->channel, &question, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__LoginResponse *response = (const Xqueue__V1__LoginResponse *)(const void *)rpc_message_body(reply);
    if (response->token[0] == '\0' || !text_copy(connection->token, CONNECTION_TOKEN_MAX, response->token))
        status = error_set(error, STATUS_INTERNAL, NULL, "xqueued answered a login without a usable token");
    connection->has_session = status == STATUS_OK;
    rpc_message_free(reply);
    return status;
}

static enum status enter(struct connection *connection, const struct connection_options *options, struct error *error)
{
    char *password = memory_copy_text(options->password);
    const char *fault = password ? NULL : config_password_read(options->password_file, &password);
    if (fault)
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: %s", options->password_file, fault);
    enum status status = login(connection, options->user, password, error);
    memory_wipe(password, strlen(password));
    memory_free(password);
    return status;
}

/* ---- life ---- */

static enum status open_channel(struct connection *connection, struct rpc_channel **out_channel, struct error *error)
{
    struct rpc_channel_options options = {
        .address = connection->address, .tls = &connection->tls, .message_bytes_max = RPC_MESSAGE_BYTES_MAX};
    const char *fault = config_check_target(connection->address);
    if (fault)
        return error_set(error, STATUS_INVALID, NULL, "'%.100s' %.100s", connection->address, fault);
    enum status status = rpc_tls_check_channel(connection->address, &connection->tls, error);
    if (status != STATUS_OK)
        return status;
    status = rpc_channel_create(connection->loop, &options, out_channel);
    if (status != STATUS_OK)
        return error_set(error, status, NULL, "'%.100s': %s", connection->address, status_name(status));
    return STATUS_OK;
}

static enum status connect(struct connection *connection, const struct connection_options *options, struct error *error)
{
    enum status status = prepare_interrupt(error);
    if (status == STATUS_OK && (options->token || options->token_file))
        status = take_token(connection, options, error);
    if (status != STATUS_OK)
        return status;
    connection->loop = rpc_loop_create(options->program);
    if (!connection->loop)
        return error_set(error, STATUS_NO_MEMORY, NULL, "no memory or thread for a connection");
    status = open_channel(connection, &connection->channel, error);
    if (status != STATUS_OK)
        return status;
    set_interrupted_channel(connection->channel);
    return connection_options_need_no_login(options) ? STATUS_OK : enter(connection, options, error);
}

enum status connection_open(const struct connection_options *options, struct connection **out_connection, struct error *error)
{
    assert(options->address && connection_options_are_complete(options));
    struct connection *connection = MEMORY_NEW(struct connection);
    connection->tls = options->tls;
    connection->timeout_ms = options->timeout_ms;
    connection->address = memory_copy_text(options->address);
    enum status status = connect(connection, options, error);
    if (status == STATUS_OK)
        *out_connection = connection;
    else
        connection_close(connection);
    return status;
}

enum status connection_call_at_end(struct connection *connection, const struct rpc_client_method *method,
                                   const ProtobufCMessage *request, struct error *error)
{
    const char *bearer = connection->token[0] != '\0' ? connection->token : NULL;
    struct question question = {method, request, {.bearer = bearer, .timeout_ms = END_TIMEOUT_MS, .wait_for_ready = 1}};
    struct rpc_channel *channel = NULL;
    enum status status = open_channel(connection, &channel, error);
    if (status == STATUS_OK)
        status = ask(connection, channel, &question, NULL, error);
    rpc_channel_destroy(channel);
    return status;
}

static void logout(struct connection *connection)
{
    struct error error;
    Xqueue__V1__LogoutRequest request = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    struct question question = {&logout_method, &request.base, {.bearer = connection->token, .timeout_ms = END_TIMEOUT_MS}};
    // After a signal everything on the first channel is canceled.
    enum status status = connection_is_canceled(connection)
                             ? connection_call_at_end(connection, &logout_method, &request.base, &error)
                             : ask(connection, connection->channel, &question, NULL, &error);
    if (status != STATUS_OK)
        log_event(LOG_DEBUG, "logout_failed", LOG_TEXT("text", error.text)); // it ends by itself later
}

void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    if (connection->channel) {
        set_interrupted_channel(NULL);
        if (connection->has_session)
            logout(connection);
        rpc_channel_destroy(connection->channel);
    }
    rpc_loop_destroy(connection->loop);
    memory_wipe(connection->token, sizeof connection->token);
    memory_free(connection->address);
    memory_free(connection);
}
