/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/method.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { METHOD_BUSY_RETRY_MS = 200 };

enum status method_authorise(struct rpc_server_call *call, const struct rpc_method *method, void *context, struct error *error)
{
    const struct service *service = context;
    const char *bearer = rpc_server_call_bearer(call);
    bool is_open = method->role == METHOD_OPEN;
    if (is_open && !bearer) {
        return STATUS_OK;
    }
    struct identity identity = {0};
    unsigned roles = is_open ? (unsigned)METHOD_ANYBODY : (unsigned)method->role;
    enum status status = access_authorise(service->access, bearer, roles, &identity, is_open ? NULL : error);
    if (is_open) {
        status = STATUS_OK; /* a stale token does no harm here */
    }
    if (status == STATUS_OK) {
        rpc_server_call_set_identity(call, memory_copy(&identity, sizeof identity), memory_free);
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
    unsigned role = (unsigned)rpc_server_call_method(call)->role;
    if (access_goes_on(method_service(call)->access, method_identity(call), role)) {
        return true;
    }
    struct error error;
    enum status status = error_set(&error, STATUS_UNAUTHENTICATED, "SESSION_OVER", "the user was deleted or changed; log in");
    rpc_server_call_finish(call, status, &error);
    return false;
}

static void method_free(struct method_command *method)
{
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
    return method;
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

bool method_text_fits(const char *text, size_t bytes_max)
{
    return text[0] == '\0' || text_is_name(text, bytes_max);
}
