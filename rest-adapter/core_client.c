/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/core_client.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/config_password.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "xqueue/v1/sessions.pb-c.h"

enum {
    TOKEN_MAX = 513,          /* bytes of a session token including the final NUL: what the core takes as a bearer, and one */
    LOGOUT_TIMEOUT_MS = 1000, /* ending the own session is a courtesy */
};

static const struct rpc_client_method login_method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
static const struct rpc_client_method logout_method = {"/xqueue.v1.Sessions/Logout", &xqueue__v1__logout_response__descriptor};

struct core_client {
    const struct config *config;    /* borrowed */
    const struct config_user *user; /* of config */
    struct rpc_loop *loop;          /* owned */
    struct rpc_channel *channel;    /* owned */
    struct log_once away;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    char token[TOKEN_MAX]; /* of the own session; "" = none */
    bool logging_in;
    bool canceled;
    size_t running; /* calls, of both kinds, that are not over */
};

/* A call that was started with core_client_start_own. */
struct own_call {
    struct core_client *core;
    rpc_client_on_reply *on_reply;
    void *context;
    char token[TOKEN_MAX]; /* that it carries */
};

/* ---- life ---- */

static enum status open_channel(struct core_client *core, struct rpc_channel **out_channel, struct error *error)
{
    // A batch of deliveries is the largest reply.
    const struct config_core_tls *files = &core->config->rest.core_tls;
    const struct rpc_tls_channel tls = {.ca_file = files->ca_file,
                                        .certificate_file = files->certificate_file,
                                        .key_file = files->key_file,
                                        .server_name = files->server_name};
    struct rpc_channel_options options = {
        .address = core->config->rest.core, .tls = &tls, .message_bytes_max = RPC_MESSAGE_BYTES_MAX};
    enum status status = rpc_tls_check_channel(options.address, &tls, error);
    if (status != STATUS_OK)
        return status;
    status = rpc_channel_create(core->loop, &options, out_channel);
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(error, status, NULL, "rest.core '%s': %s", options.address, status_name(status));
}

enum status core_client_create(const struct config *config, struct core_client **out_core, struct error *error)
{
    const struct config_user *user = config_find_user(config, config->rest.user);
    if (!user || (user->password[0] == '\0' && config->rest.token_file[0] == '\0'))
        return error_set(error, STATUS_INVALID, NULL,
                         "rest.user '%s' needs a password that this program can read, or rest.token_file", config->rest.user);
    struct core_client *core = MEMORY_NEW(struct core_client);
    core->config = config;
    core->user = user;
    pthread_mutex_init(&core->lock, NULL);
    clock_condition_init(&core->changed);
    core->loop = rpc_loop_create("core-client");
    enum status status = core->loop ? open_channel(core, &core->channel, error)
                                    : error_set(error, STATUS_NO_MEMORY, NULL, "no memory or thread for the core's channel");
    if (status != STATUS_OK) {
        core_client_destroy(core);
        return status;
    }
    *out_core = core;
    return STATUS_OK;
}

static bool has_token_file(const struct core_client *core)
{
    return core->config->rest.token_file[0] != '\0';
}

/* On a channel of its own, since everything on the first one is canceled. */
static void logout(struct core_client *core)
{
    struct rpc_channel *channel = NULL;
    struct rpc_message *reply = NULL;
    if (has_token_file(core) || core->token[0] == '\0' || open_channel(core, &channel, NULL) != STATUS_OK)
        return;
    Xqueue__V1__LogoutRequest request = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    struct rpc_call_options options = {.bearer = core->token, .timeout_ms = LOGOUT_TIMEOUT_MS};
    enum status status = rpc_channel_call(channel, &logout_method, &request.base, &options, &reply, NULL);
    if (status != STATUS_OK)
        log_event(LOG_DEBUG, "core_logout_failed", LOG_TEXT("status", status_name(status)));
    else
        rpc_message_free(reply);
    rpc_channel_destroy(channel);
}

void core_client_destroy(struct core_client *core)
{
    if (!core)
        return;
    if (core->channel) {
        core_client_cancel(core);
        pthread_mutex_lock(&core->lock);
        while (core->running > 0 || core->logging_in)
            clock_wait_until(clock_system(), &core->changed, &core->lock, CLOCK_NEVER);
        pthread_mutex_unlock(&core->lock);
        logout(core);
        rpc_channel_destroy(core->channel);
    }
    rpc_loop_destroy(core->loop);
    memory_wipe(core->token, sizeof(core->token));
    pthread_cond_destroy(&core->changed);
    pthread_mutex_destroy(&core->lock);
    memory_free(core);
}

void core_client_cancel(struct core_client *core)
{
    pthread_mutex_lock(&core->lock);
    core->canceled = true;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->lock);
    rpc_channel_cancel_all(core->channel);
}

/* ---- what every call does ---- */

static enum status begin_call(struct core_client *core)
{
    pthread_mutex_lock(&core->lock);
    enum status status = core->canceled ? STATUS_CANCELED : STATUS_OK;
    if (status == STATUS_OK)
        core->running++;
    pthread_mutex_unlock(&core->lock);
    return status;
}

static void end_call(struct core_client *core)
{
    pthread_mutex_lock(&core->lock);
    assert(core->running > 0);
    core->running--;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->lock);
}

/* One line when the core goes away or does not answer, and one when it is back. What the core itself refuses with a reason
 * shows that it is there. */
static void note_outcome(struct core_client *core, enum status status, const struct error *error)
{
    bool is_unreachable = status == STATUS_UNAVAILABLE && (!error || error->reason[0] == '\0');
    if (is_unreachable || status == STATUS_TIMEOUT) {
        if (log_once_enter(&core->away))
            log_event(LOG_WARN, "core_away", LOG_TEXT("core", core->config->rest.core),
                      LOG_TEXT("text", error ? error->text : ""));
    } else if (status != STATUS_CANCELED) {
        if (log_once_leave(&core->away))
            log_event(LOG_INFO, "core_back", LOG_TEXT("core", core->config->rest.core));
    }
}

/* A transport's words mean nothing to a client of ours; say what it can do. */
static void explain(enum status status, struct error *error)
{
    if (error && status == STATUS_UNAVAILABLE && error->reason[0] == '\0')
        (void)error_set(error, status, "CORE_AWAY", "the queue is not reachable at the moment, try again");
}

static enum status call(struct core_client *core, const struct rpc_client_method *method, const ProtobufCMessage *request,
                        const struct rpc_call_options *options, struct rpc_message **out_reply, struct error *error)
{
    struct error own_error = {0};
    enum status status = begin_call(core);
    if (status != STATUS_OK)
        return error_set(error, status, NULL, "stopping");
    status = rpc_channel_call(core->channel, method, request, options, out_reply, &own_error);
    note_outcome(core, status, &own_error);
    explain(status, &own_error);
    if (error && status != STATUS_OK)
        *error = own_error;
    end_call(core);
    return status;
}

/* What a client sends as its session may be anything; only this can travel, and be a session. */
static bool is_token(const char *token)
{
    size_t length = 0;
    for (; token[length] != '\0'; length++) {
        if (token[length] <= ' ' || token[length] > '~' || length >= TOKEN_MAX - 1)
            return false;
    }
    return length > 0;
}

enum status core_client_call(struct core_client *core, const struct rpc_client_method *method, const ProtobufCMessage *request,
                             const char *token, struct rpc_message **out_reply, struct error *error)
{
    if (token && !is_token(token))
        return error_set(error, STATUS_UNAUTHENTICATED, NULL, "no such session");
    struct rpc_call_options options = {.bearer = token, .timeout_ms = core->config->rest.core_timeout_ms};
    return call(core, method, request, &options, out_reply, error);
}

/* ---- the own session ---- */

static enum status read_token(const struct core_client *core, char out_token[TOKEN_MAX], struct error *error)
{
    char *token = NULL;
    const char *file = core->config->rest.token_file;
    const char *fault = config_password_read(file, &token);
    if (fault)
        return error_set(error, STATUS_UNAVAILABLE, NULL, "rest.token_file '%.100s': %s", file, fault);
    bool is_good = is_token(token) && text_copy(out_token, TOKEN_MAX, token);
    memory_wipe(token, strlen(token));
    memory_free(token);
    return is_good ? STATUS_OK : error_set(error, STATUS_UNAVAILABLE, NULL, "rest.token_file '%.100s': not a token", file);
}

static enum status login(struct core_client *core, char out_token[TOKEN_MAX], struct error *error)
{
    if (has_token_file(core))
        return read_token(core, out_token, error);
    struct rpc_message *reply = NULL;
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    request.user = core->user->name;
    request.password = core->user->password;
    enum status status = core_client_call(core, &login_method, &request.base, NULL, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__LoginResponse *response = (const Xqueue__V1__LoginResponse *)(const void *)rpc_message_body(reply);
    if (response->token[0] == '\0' || !text_copy(out_token, TOKEN_MAX, response->token))
        status = error_set(error, STATUS_INTERNAL, NULL, "the core answered a login without a usable token");
    rpc_message_free(reply);
    return status;
}

/* The own session's token; logs in when there is none. Whoever comes while a login runs waits for its end and looks again. */
static enum status own_token(struct core_client *core, char out_token[TOKEN_MAX], struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&core->lock);
    while (core->logging_in)
        clock_wait_until(clock_system(), &core->changed, &core->lock, CLOCK_NEVER);
    if (core->token[0] == '\0') {
        char token[TOKEN_MAX] = "";
        core->logging_in = true;
        pthread_mutex_unlock(&core->lock);
        status = login(core, token, error);
        pthread_mutex_lock(&core->lock);
        core->logging_in = false;
        if (status == STATUS_OK)
            memcpy(core->token, token, sizeof(token));
        memory_wipe(token, sizeof(token));
        pthread_cond_broadcast(&core->changed);
    }
    if (status == STATUS_OK)
        memcpy(out_token, core->token, TOKEN_MAX);
    pthread_mutex_unlock(&core->lock);
    return status;
}

/* The core says that the session of this token is over. Another thread may have a newer one already. */
static void forget_token(struct core_client *core, const char *token)
{
    pthread_mutex_lock(&core->lock);
    if (strcmp(core->token, token) == 0)
        memory_wipe(core->token, sizeof(core->token));
    pthread_mutex_unlock(&core->lock);
}

enum status core_client_login_own(struct core_client *core, struct error *error)
{
    char token[TOKEN_MAX];
    enum status status = own_token(core, token, error);
    memory_wipe(token, sizeof(token));
    return status;
}

enum status core_client_call_own(struct core_client *core, const struct rpc_client_method *method,
                                 const ProtobufCMessage *request, int64_t timeout_ms, struct rpc_message **out_reply,
                                 struct error *error)
{
    enum { TRIES = 2 }; // the second with a fresh session
    char token[TOKEN_MAX];
    enum status status = STATUS_UNAUTHENTICATED;
    for (int i = 0; i < TRIES && status == STATUS_UNAUTHENTICATED; i++) {
        status = own_token(core, token, error);
        if (status != STATUS_OK)
            break;
        struct rpc_call_options options = {.bearer = token, .timeout_ms = timeout_ms};
        struct error call_error = {0};
        status = call(core, method, request, &options, out_reply, &call_error);
        if (status != STATUS_OK && error)
            *error = call_error;
        // A login on behalf of somebody that failed says nothing about the own session.
        if (status != STATUS_UNAUTHENTICATED || strcmp(call_error.reason, "WRONG_CREDENTIALS") == 0)
            break;
        forget_token(core, token);
    }
    memory_wipe(token, sizeof(token));
    return status;
}

static void free_own_call(struct own_call *own)
{
    memory_wipe(own->token, sizeof(own->token));
    memory_free(own);
}

static void on_own_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct own_call *own = context;
    struct core_client *core = own->core;
    note_outcome(core, status, error);
    if (status == STATUS_UNAUTHENTICATED)
        forget_token(core, own->token);
    own->on_reply(own->context, status, reply, error);
    free_own_call(own);
    end_call(core);
}

enum status core_client_start_own_for(struct core_client *core, const struct rpc_client_method *method,
                                      const ProtobufCMessage *request, int64_t timeout_ms, rpc_client_on_reply *on_reply,
                                      void *context)
{
    enum status status = begin_call(core);
    if (status != STATUS_OK)
        return status;
    struct own_call *own = MEMORY_NEW(struct own_call);
    own->core = core;
    own->on_reply = on_reply;
    own->context = context;
    pthread_mutex_lock(&core->lock);
    memcpy(own->token, core->token, sizeof(own->token));
    pthread_mutex_unlock(&core->lock);
    struct rpc_call_options options = {.bearer = own->token, .timeout_ms = timeout_ms};
    status = own->token[0] == '\0' ? STATUS_UNAUTHENTICATED
                                   : rpc_channel_start(core->channel, method, request, &options, on_own_reply, own);
    if (status != STATUS_OK) {
        free_own_call(own);
        end_call(core);
    }
    return status;
}

enum status core_client_start_own(struct core_client *core, const struct rpc_client_method *method,
                                  const ProtobufCMessage *request, rpc_client_on_reply *on_reply, void *context)
{
    return core_client_start_own_for(core, method, request, core->config->rest.core_timeout_ms, on_reply, context);
}
