/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/method.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

enum { METHOD_BUSY_RETRY_MS = 200, METHOD_ROLES = METHOD_ANYBODY & ~METHOD_PER_QUEUE };

static enum status method_check_roles(const struct service *service, const struct identity *identity, unsigned roles,
                                      const char *queue, struct error *error)
{
    if ((access_roles_for(service->access, identity, queue) & roles) != 0) {
        return STATUS_OK;
    }
    if (queue[0] == '\0') {
        return error_set(error, STATUS_DENIED, "ROLE_MISSING",
                         "user '%s' does not have the role that this needs for all queues", identity->user);
    }
    return error_set(error, STATUS_DENIED, "ROLE_MISSING",
                     "user '%s' does not have the role that this needs for the queue '%.128s'", identity->user, queue);
}

/* The last use of a token on its way to the store. */
struct token_use {
    struct engine_command command;
    char id[STORE_TOKEN_ID_MAX];
    int64_t used_at_ms;
};

static enum engine_step token_use_run(struct engine_command *command, struct queues *queues)
{
    const struct token_use *use = LIST_OWNER(command, struct token_use, command);
    /* What spoils the batch is remembered there. */
    (void)(queues_stored(queues, store_use_token(queues->store, use->id, use->used_at_ms)) == STATUS_OK);
    return ENGINE_DONE;
}

static void token_use_done(struct engine_command *command, enum status committed, const struct error *error)
{
    (void)committed; /* the next use is noted again */
    (void)error;
    memory_free(LIST_OWNER(command, struct token_use, command));
}

static void method_note_use(const struct service *service, const struct identity *identity)
{
    int64_t used_at_ms = 0;
    if (!access_use_is_due(service->access, identity, &used_at_ms)) {
        return;
    }
    struct token_use *use = MEMORY_NEW(struct token_use);
    use->command.run = token_use_run;
    use->command.done = token_use_done;
    use->used_at_ms = used_at_ms;
    text_copy(use->id, sizeof use->id, identity->token_id);
    if (engine_submit(service->engine, &use->command) != STATUS_OK) {
        memory_free(use); /* too busy for that */
    }
}

/* What the client's certificate says is its user's name. */
static bool method_certificate_name(const struct rpc_server_call *call, const struct service *service, char out[STORE_USER_MAX])
{
    static const enum rpc_certificate_name names[] = {
        [CONFIG_CERTIFICATE_COMMON_NAME] = RPC_CERTIFICATE_COMMON_NAME,
        [CONFIG_CERTIFICATE_DNS_NAME] = RPC_CERTIFICATE_DNS_NAME,
        [CONFIG_CERTIFICATE_URI] = RPC_CERTIFICATE_URI,
    };
    return rpc_server_call_certificate_name(call, names[service->config->service.certificate_user], out, STORE_USER_MAX);
}

static bool method_has_credentials(const struct rpc_server_call *call, const struct service *service)
{
    char name[STORE_USER_MAX];
    return rpc_server_call_bearer(call) || method_certificate_name(call, service, name);
}

/* A token says more than a certificate: a gateway with one brings calls of many users. */
static enum status method_recognise(const struct rpc_server_call *call, const struct service *service, unsigned roles,
                                    struct identity *out_identity, struct error *error)
{
    char name[STORE_USER_MAX];
    if (!rpc_server_call_has_authorization(call) && method_certificate_name(call, service, name)) {
        return access_authorise_certificate(service->access, name, roles, out_identity, error);
    }
    return access_authorise(service->access, rpc_server_call_bearer(call), roles, out_identity, error);
}

/* Who calls, and that he is counted for as long as the call is there. */
struct method_caller {
    struct identity identity; /* what rpc_server_call_identity gives */
    struct caller_limits *limits;
    bool is_stream;
};

static void method_caller_free(void *context)
{
    struct method_caller *caller = context;
    if (caller->identity.user[0] != '\0') {
        caller_limits_leave(caller->limits, caller->identity.user, caller->is_stream);
    }
    memory_free(caller);
}

static enum status method_admit(struct rpc_server_call *call, struct service *service, const struct identity *identity,
                                bool is_stream, struct error *error)
{
    if (identity->user[0] != '\0') {
        enum status status = caller_limits_enter(service->limits, identity->user, is_stream, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    struct method_caller *caller = MEMORY_NEW(struct method_caller);
    *caller = (struct method_caller){.identity = *identity, .limits = service->limits, .is_stream = is_stream};
    rpc_server_call_set_identity(call, caller, method_caller_free);
    return STATUS_OK;
}

enum status method_authorise(struct rpc_server_call *call, const struct rpc_method *method, void *context, struct error *error)
{
    struct service *service = context;
    bool is_open = method->role == METHOD_OPEN;
    if (is_open && !method_has_credentials(call, service)) {
        return STATUS_OK;
    }
    struct identity identity = {0};
    unsigned roles = (is_open ? (unsigned)METHOD_ANYBODY : (unsigned)method->role) & METHOD_ROLES;
    enum status status = method_recognise(call, service, roles, &identity, is_open ? NULL : error);
    if (status == STATUS_OK && !is_open && !(method->role & METHOD_PER_QUEUE)) {
        status = method_check_roles(service, &identity, roles, "", error);
    }
    if (is_open) {
        status = STATUS_OK; /* a stale token does no harm here */
    }
    if (status == STATUS_OK) {
        status = method_admit(call, service, &identity, method->kind != RPC_UNARY, error);
    }
    if (status == STATUS_OK) {
        method_note_use(service, &identity);
    }
    return status;
}

struct service *method_service(const struct rpc_server_call *call)
{
    return rpc_server_call_context(call);
}

const struct identity *method_identity(const struct rpc_server_call *call)
{
    const struct identity *identity = rpc_server_call_identity(call);
    assert(identity != NULL);
    return identity;
}

bool method_goes_on(struct rpc_server_call *call)
{
    const struct identity *identity = method_identity(call);
    struct access *access = method_service(call)->access;
    unsigned role = (unsigned)rpc_server_call_method(call)->role;
    struct error error;
    enum status status = STATUS_OK;
    if (!access_goes_on(access, identity)) {
        status = error_set(&error, STATUS_UNAUTHENTICATED, "SESSION_OVER",
                           "the user was deleted or changed, or the token revoked or over; log in");
    } else if (!(role & METHOD_PER_QUEUE)) {
        status = method_check_queue(call, role & METHOD_ROLES, "", &error);
    }
    if (status != STATUS_OK) {
        rpc_server_call_finish(call, status, &error);
    }
    return status == STATUS_OK;
}

enum status method_check_queue(struct rpc_server_call *call, unsigned roles, const char *queue, struct error *error)
{
    return method_check_roles(method_service(call), method_identity(call), roles, queue, error);
}

bool method_has_role_everywhere(struct rpc_server_call *call, unsigned roles)
{
    return (access_roles_for(method_service(call)->access, method_identity(call), "") & roles) != 0;
}

static enum status method_find_queue_name(struct queues *queues, int64_t submission_id, char out_name[STORE_NAME_MAX])
{
    const struct live_lease *lease = lease_table_find(&queues->leases, submission_id);
    if (lease) {
        text_copy(out_name, STORE_NAME_MAX, lease->queue->settings->name);
        return STATUS_OK;
    }
    struct store_submission row;
    enum status status = queues_stored(queues, store_find_submission(queues->store, submission_id, &row));
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_read_queue_name(queues->store, row.queue_id, out_name));
    }
    return status;
}

enum status method_check_submission(struct rpc_server_call *call, struct queues *queues, unsigned roles, int64_t submission_id,
                                    struct error *error)
{
    char name[STORE_NAME_MAX];
    if (method_has_role_everywhere(call, roles)) {
        return STATUS_OK;
    }
    enum status status = method_find_queue_name(queues, submission_id, name);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    return status == STATUS_OK ? method_check_queue(call, roles, name, error) : status;
}

enum status method_check_viewer(struct rpc_server_call *call, struct queues *queues, int64_t submission_id, bool *out_is_admin,
                                struct error *error)
{
    *out_is_admin = method_check_submission(call, queues, METHOD_ADMIN, submission_id, error) == STATUS_OK;
    return *out_is_admin ? STATUS_OK : method_check_submission(call, queues, METHOD_SUBMIT, submission_id, error);
}

/* Does the call's data name the command, for method_on_close? From then on it belongs to the engine's thread. */
static bool method_may_park(const struct rpc_server_call *call)
{
    return rpc_server_call_method(call)->on_close == method_on_close;
}

static void method_free(struct method_command *method)
{
    if (method_may_park(method->call)) {
        rpc_server_call_set_data(method->call, NULL);
    }
    if (method->steps->finish) {
        method->steps->finish(method);
    }
    rpc_message_free(method->message);
    rpc_server_call_release(method->call);
    memory_free(method);
}

static enum engine_step method_run(struct engine_command *command, struct queues *queues)
{
    struct method_command *method = (struct method_command *)command;
    method->status = method->steps->perform(method, queues);
    return command->park ? ENGINE_PARK : ENGINE_DONE;
}

static void method_done(struct engine_command *command, enum status committed, const struct error *error)
{
    struct method_command *method = (struct method_command *)command;
    if (committed != STATUS_OK) {
        rpc_server_call_finish(method->call, committed, error);
    } else if (method->status != STATUS_OK) {
        rpc_server_call_finish(method->call, method->status, &method->error);
    } else {
        method->steps->reply(method);
    }
    method_free(method);
}

struct method_command *method_create(struct rpc_server_call *call, struct rpc_message *message,
                                     const struct method_steps *steps)
{
    struct method_command *method = memory_allocate(steps->size);
    method->command.run = method_run;
    method->command.done = method_done;
    method->steps = steps;
    method->message = message;
    method->call = call;
    rpc_server_call_keep(call);
    if (method_may_park(call)) {
        rpc_server_call_set_data(call, method);
    }
    return method;
}

/* ---- calls that are given up while they are parked ---- */

struct method_end {
    struct engine_command command;
    struct rpc_server_call *call; /* counted */
};

static enum engine_step method_end_run(struct engine_command *command, struct queues *queues)
{
    struct method_end *end = (struct method_end *)command;
    struct method_command *method = rpc_server_call_data(end->call);
    if (method) {
        queues_unpark(queues, &method->command);
    }
    return ENGINE_DONE;
}

static void method_end_done(struct engine_command *command, enum status committed, const struct error *error)
{
    struct method_end *end = (struct method_end *)command;
    (void)committed; /* nothing of it is in the store */
    (void)error;
    rpc_server_call_release(end->call);
    memory_free(end);
}

void method_on_close(struct rpc_server_call *call)
{
    if (!rpc_server_call_was_given_up(call)) {
        return; /* it has been answered */
    }
    struct method_end *end = MEMORY_NEW(struct method_end);
    end->command.run = method_end_run;
    end->command.done = method_end_done;
    end->call = call;
    rpc_server_call_keep(call);
    engine_submit_ending(method_service(call)->engine, &end->command);
}

void method_submit(struct method_command *method)
{
    enum status status = engine_submit(method_service(method->call)->engine, &method->command);
    if (status != STATUS_OK) {
        struct error error;
        (void)error_set(&error, status, "ENGINE_BUSY", "too many calls are waiting");
        error.retry_after_ms = METHOD_BUSY_RETRY_MS;
        method_fail(method, status, &error);
    }
}

void method_fail(struct method_command *method, enum status status, const struct error *error)
{
    rpc_server_call_finish(method->call, status, error);
    method_free(method);
}

void method_fail_invalid(struct method_command *method, const char *reason, const char *text)
{
    struct error error;
    enum status status = error_set(&error, STATUS_INVALID, reason, "%s", text);
    method_fail(method, status, &error);
}

void method_start(struct rpc_server_call *call, struct rpc_message *message, const struct method_steps *steps)
{
    method_submit(method_create(call, message, steps));
}

void method_refuse(struct rpc_server_call *call, struct rpc_message *message, const char *reason, const char *text)
{
    struct error error;
    enum status status = error_set(&error, STATUS_INVALID, reason, "%s", text);
    rpc_server_call_finish(call, status, &error);
    rpc_message_free(message);
}

void method_end_slow_reader(struct rpc_server_call *call)
{
    struct error error;
    enum status status = error_set(&error, STATUS_FULL, "SLOW_READER", "messages pile up unread");
    log_event(LOG_WARN, "slow_reader", LOG_TEXT("method", rpc_server_call_method(call)->path),
              LOG_TEXT("peer", rpc_server_call_peer(call)));
    rpc_server_call_finish(call, status, &error);
}

bool method_send(struct rpc_server_call *call, const ProtobufCMessage *message)
{
    bool is_full = rpc_server_call_send(call, message) == STATUS_FULL;
    if (is_full) {
        method_end_slow_reader(call);
    }
    return !is_full;
}

bool method_text_fits(const char *text, size_t bytes_max)
{
    return text[0] == '\0' || text_is_name(text, bytes_max);
}
