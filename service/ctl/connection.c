/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/connection.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/config_password.h"
#include "base/config_syntax.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "xqueue/v1/sessions.pb-c.h"

enum {
    TOKEN_MAX = 513, /* bytes of a session token including the final NUL: what the core takes as a bearer, and one */
    LOGOUT_TIMEOUT_MS = 2000,
};

static const struct rpc_client_method login_method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
static const struct rpc_client_method logout_method = {"/xqueue.v1.Sessions/Logout", &xqueue__v1__logout_response__descriptor};

struct connection {
    char *address; /* owned; these three are NULL until they are known */
    char *user;
    char *password;
    bool has_session;           /* of a login, to be ended */
    struct rpc_tls_channel tls; /* borrowed */
    int64_t timeout_ms;
    struct rpc_loop *loop;       /* owned */
    struct rpc_channel *channel; /* owned */
    char token[TOKEN_MAX];       /* "" = no session, or a certificate does */
};

/* The signal may come at any time, also when there is nothing to cancel any more. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    struct rpc_channel *channel; /* NULL: none */
    bool canceled;
    bool is_prepared;
} interrupt = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void on_signal(void *context)
{
    (void)context;
    pthread_mutex_lock(&interrupt.mutex);
    interrupt.canceled = true;
    if (interrupt.channel)
        rpc_channel_cancel_all(interrupt.channel);
    pthread_cond_broadcast(&interrupt.changed);
    pthread_mutex_unlock(&interrupt.mutex);
}

static enum status prepare_interrupt(struct error *error)
{
    if (interrupt.is_prepared)
        return STATUS_OK;
    enum status status = process_prepare(error);
    if (status != STATUS_OK)
        return status;
    rpc_log_install();
    clock_condition_init(&interrupt.changed);
    interrupt.is_prepared = true;
    process_on_second_signal(on_signal, NULL);
    return STATUS_OK;
}

static void set_interrupted_channel(struct rpc_channel *channel)
{
    pthread_mutex_lock(&interrupt.mutex);
    interrupt.channel = channel;
    if (channel && interrupt.canceled)
        rpc_channel_cancel_all(channel);
    pthread_mutex_unlock(&interrupt.mutex);
}

bool connection_is_canceled(struct connection *connection)
{
    (void)connection;
    pthread_mutex_lock(&interrupt.mutex);
    bool canceled = interrupt.canceled;
    pthread_mutex_unlock(&interrupt.mutex);
    return canceled;
}

bool connection_pause(struct connection *connection, int64_t pause_ms)
{
    (void)connection;
    int64_t until_ms = clock_add_ms(clock_now_ms(clock_system()), pause_ms);
    pthread_mutex_lock(&interrupt.mutex);
    while (!interrupt.canceled && clock_wait_until(clock_system(), &interrupt.changed, &interrupt.mutex, until_ms)) {
    }
    bool canceled = interrupt.canceled;
    pthread_mutex_unlock(&interrupt.mutex);
    return !canceled;
}

/* ---- where and as whom ---- */

/* Is it known without a login who comes? */
static bool needs_no_login(const struct connection *connection)
{
    return connection->token[0] != '\0' || (!connection->user && !connection->password && connection->tls.certificate_file);
}

static const struct config_user *find_admin(const struct config *config)
{
    for (size_t at = 0; at < config->user_count; at++) {
        const struct config_user *user = &config->users[at];
        if ((user->roles & CONFIG_ROLE_ADMIN) && user->password[0] != '\0')
            return user;
    }
    return NULL;
}

static enum status complete_from(struct connection *connection, const struct config *config, struct error *error)
{
    if (!connection->address)
        connection->address = config_core_address(config);
    if (needs_no_login(connection))
        return STATUS_OK;
    if (connection->password)
        return connection->user
                   ? STATUS_OK
                   : error_set(error, STATUS_INVALID, NULL, "a password is given, but no user (--user, XQUEUE_USER)");
    const struct config_user *user = connection->user ? config_find_user(config, connection->user) : find_admin(config);
    if (!user && connection->user)
        return error_set(error, STATUS_NOT_FOUND, NULL, "no password for '%.60s': it is not in %.100s; give --password-file",
                         connection->user, config->file);
    if (!user)
        return error_set(error, STATUS_NOT_FOUND, NULL,
                         "%.100s has no user with the role admin whose password you may read; give --user and --password-file",
                         config->file);
    if (user->password[0] == '\0')
        return error_set(error, STATUS_NOT_FOUND, NULL,
                         "the password of '%.60s' in %.100s cannot be read; give --password-file", user->name, config->file);
    if (!connection->user)
        connection->user = memory_copy_text(user->name);
    connection->password = memory_copy_text(user->password);
    return STATUS_OK;
}

static enum status take_token(struct connection *connection, const struct connection_options *options, struct error *error)
{
    char *read = NULL;
    const char *fault = options->token ? NULL : config_password_read(options->token_file, &read);
    if (fault)
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: %s", options->token_file, fault);
    bool fits = text_copy(connection->token, TOKEN_MAX, read ? read : options->token);
    if (read)
        memory_wipe(read, strlen(read));
    memory_free(read);
    return fits ? STATUS_OK : error_set(error, STATUS_INVALID, NULL, "the token is longer than %d bytes", TOKEN_MAX - 1);
}

static enum status find_out(struct connection *connection, const struct connection_options *options, struct error *error)
{
    connection->tls = options->tls;
    connection->timeout_ms = options->timeout_ms;
    connection->address = memory_copy_text(options->address);
    connection->user = memory_copy_text(options->user);
    connection->password = memory_copy_text(options->password);
    if (options->token || options->token_file) {
        enum status status = take_token(connection, options, error);
        if (status != STATUS_OK)
            return status;
    }
    if (connection->address && needs_no_login(connection) && !options->config_is_given)
        return STATUS_OK;
    if (!connection->password && options->password_file && connection->token[0] == '\0') {
        const char *fault = config_password_read(options->password_file, &connection->password);
        if (fault)
            return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: %s", options->password_file, fault);
    }
    if (connection->address && connection->user && connection->password && !options->config_is_given)
        return STATUS_OK;
    struct config *config = NULL;
    struct error config_error = {0};
    enum status status = config_load_as_client(options->config_file, &config, &config_error);
    if (status != STATUS_OK && !options->config_is_given)
        return error_set(error, status, NULL, "give --address, --user and --password-file, or --config: %s", config_error.text);
    if (status != STATUS_OK) {
        *error = config_error;
        return status;
    }
    status = complete_from(connection, config, error);
    config_destroy(config);
    return status;
}

/* ---- calls ---- */

/* A transport's words mean little; say where nobody is. */
static void explain(const struct connection *connection, enum status status, struct error *error)
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
        explain(connection, status, error);
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

/* ---- streams ---- */

/* What the loop's thread hands over; guarded by the mutex of the interrupt. */
struct stream_view {
    struct rpc_message *newest; /* owned; NULL: taken already */
    bool is_over;
    enum status status;
    struct error error;
};

static void on_stream_message(void *context, struct rpc_message *message)
{
    struct stream_view *view = context;
    pthread_mutex_lock(&interrupt.mutex);
    rpc_message_free(view->newest);
    view->newest = message;
    pthread_cond_broadcast(&interrupt.changed);
    pthread_mutex_unlock(&interrupt.mutex);
}

static void on_stream_close(void *context, enum status status, const struct error *error)
{
    struct stream_view *view = context;
    pthread_mutex_lock(&interrupt.mutex);
    view->is_over = true;
    view->status = status;
    view->error = error ? *error : (struct error){0};
    pthread_cond_broadcast(&interrupt.changed);
    pthread_mutex_unlock(&interrupt.mutex);
}

/* The next message, the caller's; NULL: the stream is over. A signal ends it. */
static struct rpc_message *next_message(struct stream_view *view, struct rpc_client_stream *stream)
{
    bool is_canceled = false;
    pthread_mutex_lock(&interrupt.mutex);
    while (!view->newest && !view->is_over) {
        if (interrupt.canceled && !is_canceled) {
            is_canceled = true;
            pthread_mutex_unlock(&interrupt.mutex);
            rpc_client_stream_cancel(stream);
            pthread_mutex_lock(&interrupt.mutex);
            continue;
        }
        pthread_cond_wait(&interrupt.changed, &interrupt.mutex);
    }
    struct rpc_message *message = view->newest;
    view->newest = NULL;
    pthread_mutex_unlock(&interrupt.mutex);
    return message;
}

enum status connection_watch(struct connection *connection, const struct connection_watch *watch, struct error *error)
{
    static const struct rpc_client_stream_events events = {.on_message = on_stream_message, .on_close = on_stream_close};
    const struct rpc_call_options options = {.bearer = connection->token};
    struct stream_view view = {0};
    struct rpc_client_stream *stream = NULL;
    struct rpc_message *message = NULL;
    *error = (struct error){0};
    enum status status = rpc_client_stream_open(connection->channel, watch->method, &options, &events, &view, &stream);
    if (status != STATUS_OK)
        return error_set(error, status, NULL, "%s: %s", watch->method->path, status_name(status));
    status = rpc_client_stream_send(stream, watch->request);
    if (status == STATUS_OK)
        rpc_client_stream_half_close(stream);
    else
        rpc_client_stream_cancel(stream);
    while ((message = next_message(&view, stream)) != NULL) {
        watch->on_message(watch->context, message);
        rpc_message_free(message);
    }
    rpc_client_stream_release(stream);
    *error = view.error;
    status = connection_is_canceled(connection) && view.status != STATUS_OK ? STATUS_CANCELED : view.status;
    if (status != STATUS_OK)
        explain(connection, status, error);
    return status;
}

static enum status login(struct connection *connection, struct error *error)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    request.user = connection->user;
    request.password = connection->password;
    struct question question = {&login_method, &request.base, {.timeout_ms = connection->timeout_ms}};
    struct rpc_message *reply = NULL;
    enum status status = ask(connection, connection->channel, &question, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__LoginResponse *response = (const Xqueue__V1__LoginResponse *)(const void *)rpc_message_body(reply);
    if (response->token[0] == '\0' || !text_copy(connection->token, TOKEN_MAX, response->token))
        status = error_set(error, STATUS_INTERNAL, NULL, "xqueued answered a login without a usable token");
    connection->has_session = status == STATUS_OK;
    rpc_message_free(reply);
    return status;
}

static void logout(struct connection *connection, struct rpc_channel *channel, const char *token)
{
    struct error error;
    Xqueue__V1__LogoutRequest request = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    struct question question = {&logout_method, &request.base, {.bearer = token, .timeout_ms = LOGOUT_TIMEOUT_MS}};
    if (ask(connection, channel, &question, NULL, &error) != STATUS_OK)
        log_event(LOG_DEBUG, "logout_failed", LOG_TEXT("text", error.text)); // it ends by itself later
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

static enum status connect(struct connection *connection, struct error *error)
{
    enum status status = prepare_interrupt(error);
    if (status != STATUS_OK)
        return status;
    connection->loop = rpc_loop_create("xqueuectl");
    if (!connection->loop)
        return error_set(error, STATUS_NO_MEMORY, NULL, "no memory or thread for a connection");
    status = open_channel(connection, &connection->channel, error);
    if (status != STATUS_OK)
        return status;
    set_interrupted_channel(connection->channel);
    return needs_no_login(connection) ? STATUS_OK : login(connection, error);
}

enum status connection_open(const struct connection_options *options, struct connection **out_connection, struct error *error)
{
    struct connection *connection = MEMORY_NEW(struct connection);
    enum status status = find_out(connection, options, error);
    if (status == STATUS_OK)
        status = connect(connection, error);
    if (status == STATUS_OK)
        *out_connection = connection;
    else
        connection_close(connection);
    return status;
}

static void close_channel(struct connection *connection)
{
    set_interrupted_channel(NULL);
    if (connection->has_session && !connection_is_canceled(connection)) {
        logout(connection, connection->channel, connection->token);
    } else if (connection->has_session) {
        // Everything on the first channel is canceled.
        struct rpc_channel *channel = NULL;
        struct error error;
        if (open_channel(connection, &channel, &error) == STATUS_OK)
            logout(connection, channel, connection->token);
        rpc_channel_destroy(channel);
    }
    rpc_channel_destroy(connection->channel);
}

void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    if (connection->channel)
        close_channel(connection);
    rpc_loop_destroy(connection->loop);
    if (connection->password)
        memory_wipe(connection->password, strlen(connection->password));
    memory_wipe(connection->token, sizeof connection->token);
    memory_free(connection->password);
    memory_free(connection->user);
    memory_free(connection->address);
    memory_free(connection);
}
