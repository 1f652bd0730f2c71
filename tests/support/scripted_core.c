/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scripted_core.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rpc/rpc_server_call.h"
#include "xqueue/v1/graders.pb-c.h"
#include "xqueue/v1/sessions.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

enum { SESSION_MS = 1209600000, STOP_GRACE_MS = 100 };

static void on_message(struct rpc_server_call *call, struct rpc_message *message);

#define METHOD(path_, request_)                                                              \
    {                                                                                        \
        .path = (path_), .kind = RPC_UNARY, .request = &(request_), .on_message = on_message \
    }

static const struct rpc_method methods[] = {
    METHOD("/xqueue.v1.Sessions/Login", xqueue__v1__login_request__descriptor),
    METHOD("/xqueue.v1.Sessions/Logout", xqueue__v1__logout_request__descriptor),
    METHOD("/xqueue.v1.Sessions/WhoAmI", xqueue__v1__who_am_irequest__descriptor),
    METHOD("/xqueue.v1.Submissions/Submit", xqueue__v1__submit_request__descriptor),
    METHOD("/xqueue.v1.Submissions/GetQueue", xqueue__v1__get_queue_request__descriptor),
    METHOD("/xqueue.v1.Submissions/ListQueues", xqueue__v1__list_queues_request__descriptor),
    METHOD("/xqueue.v1.Graders/Lease", xqueue__v1__lease_request__descriptor),
    METHOD("/xqueue.v1.Graders/Complete", xqueue__v1__complete_request__descriptor),
    {.path = NULL},
};

static const ProtobufCMessageDescriptor *const replies[] = {
    &xqueue__v1__login_response__descriptor,     &xqueue__v1__logout_response__descriptor,
    &xqueue__v1__who_am_iresponse__descriptor,   &xqueue__v1__submit_response__descriptor,
    &xqueue__v1__get_queue_response__descriptor, &xqueue__v1__list_queues_response__descriptor,
    &xqueue__v1__lease_response__descriptor,     &xqueue__v1__complete_response__descriptor,
};

enum { LOGIN = 0, METHOD_COUNT = sizeof(replies) / sizeof(replies[0]) };

struct script {
    enum status status;
    struct error error;
    const ProtobufCMessage *reply; /* borrowed, or NULL */
    bool hangs;
    struct rpc_message *last; /* owned */
    size_t count;
};

struct scripted_core {
    struct rpc_loop *loop;
    struct rpc_server *server;
    pthread_mutex_t mutex;
    /* guarded by mutex */
    struct script scripts[METHOD_COUNT];
    bool sessions_ended;
};

static size_t index_of(const char *method)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(strrchr(methods[i].path, '/') + 1, method) == 0) {
            return i;
        }
    }
    abort();
}

static enum status authorise(struct rpc_server_call *call, const struct rpc_method *method, void *context, struct error *error)
{
    struct scripted_core *core = context;
    const char *bearer = rpc_server_call_bearer(call);
    bool is_known = false;

    if (strcmp(method->path, methods[LOGIN].path) == 0) {
        return STATUS_OK;
    }
    pthread_mutex_lock(&core->mutex);
    is_known = !core->sessions_ended && bearer != NULL &&
               (strcmp(bearer, SCRIPTED_CORE_TOKEN) == 0 || strcmp(bearer, SCRIPTED_CORE_OWN_TOKEN) == 0);
    pthread_mutex_unlock(&core->mutex);
    return is_known ? STATUS_OK : error_set(error, STATUS_UNAUTHENTICATED, "SESSION_OVER", "no such session");
}

static void answer_login(struct rpc_server_call *call, const struct rpc_message *message)
{
    const Xqueue__V1__LoginRequest *request = (const Xqueue__V1__LoginRequest *)(const void *)rpc_message_body(message);
    Xqueue__V1__LoginResponse reply = XQUEUE__V1__LOGIN_RESPONSE__INIT;
    struct error error;

    if (strcmp(request->user, SCRIPTED_CORE_USER) == 0 && strcmp(request->password, SCRIPTED_CORE_PASSWORD) == 0) {
        reply.token = (char *)SCRIPTED_CORE_TOKEN;
    } else if (strcmp(request->user, SCRIPTED_CORE_OWN_USER) == 0 &&
               strcmp(request->password, SCRIPTED_CORE_OWN_PASSWORD) == 0) {
        reply.token = (char *)SCRIPTED_CORE_OWN_TOKEN;
    } else {
        rpc_server_call_finish(
            call, error_set(&error, STATUS_UNAUTHENTICATED, "WRONG_CREDENTIALS", "unknown user or wrong password"), &error);
        return;
    }
    reply.expires_in_ms = SESSION_MS;
    rpc_server_call_reply(call, &reply.base);
}

static void answer_empty(struct rpc_server_call *call, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *reply = memory_allocate(descriptor->sizeof_message);

    protobuf_c_message_init(descriptor, reply);
    rpc_server_call_reply(call, reply);
    memory_free(reply);
}

static void on_message(struct rpc_server_call *call, struct rpc_message *message)
{
    struct scripted_core *core = rpc_server_call_context(call);
    const struct rpc_method *method = rpc_server_call_method(call);
    size_t index = index_of(strrchr(method->path, '/') + 1);
    struct script script;

    pthread_mutex_lock(&core->mutex);
    rpc_message_free(core->scripts[index].last);
    core->scripts[index].last = message;
    core->scripts[index].count++;
    script = core->scripts[index];
    pthread_mutex_unlock(&core->mutex);
    if (script.hangs) {
        return;
    }
    if (script.status != STATUS_OK) {
        rpc_server_call_finish(call, script.status, &script.error);
    } else if (script.reply != NULL) {
        rpc_server_call_reply(call, script.reply);
    } else if (index == LOGIN) {
        answer_login(call, message);
    } else {
        answer_empty(call, replies[index]);
    }
}

struct scripted_core *scripted_core_start(int port)
{
    struct scripted_core *core = MEMORY_NEW(struct scripted_core);
    char address[SCRIPTED_CORE_ADDRESS_MAX];
    const char *listeners[] = {address};
    const struct rpc_server_options options = {
        .listeners = listeners, .listener_count = 1, .authorise = authorise, .context = core};
    struct error error = {0};

    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    pthread_mutex_init(&core->mutex, NULL);
    core->loop = rpc_loop_create("scripted-core");
    if (core->loop == NULL || rpc_server_create(core->loop, methods, &options, &core->server, &error) != STATUS_OK) {
        (void)fprintf(stderr, "scripted_core_start: %s\n", error.text);
        abort();
    }
    return core;
}

void scripted_core_destroy(struct scripted_core *core)
{
    if (core == NULL) {
        return;
    }
    rpc_server_stop(core->server, STOP_GRACE_MS);
    rpc_server_destroy(core->server);
    rpc_loop_destroy(core->loop);
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        rpc_message_free(core->scripts[i].last);
    }
    pthread_mutex_destroy(&core->mutex);
    memory_free(core);
}

int scripted_core_port(const struct scripted_core *core)
{
    return rpc_server_port(core->server, 0);
}

static void set_script(struct scripted_core *core, const char *method, const struct script *wanted)
{
    struct script *script = &core->scripts[index_of(method)];

    pthread_mutex_lock(&core->mutex);
    script->status = wanted->status;
    script->error = wanted->error;
    script->reply = wanted->reply;
    script->hangs = wanted->hangs;
    pthread_mutex_unlock(&core->mutex);
}

void scripted_core_answer(struct scripted_core *core, const char *method, const ProtobufCMessage *reply)
{
    set_script(core, method, &(struct script){.reply = reply});
}

void scripted_core_refuse(struct scripted_core *core, const char *method, enum status status, const char *reason)
{
    struct script script = {.status = status};

    (void)error_set(&script.error, status, reason, "as the test says");
    set_script(core, method, &script);
}

void scripted_core_hang(struct scripted_core *core, const char *method)
{
    set_script(core, method, &(struct script){.hangs = true});
}

const void *scripted_core_last(struct scripted_core *core, const char *method)
{
    const struct rpc_message *last = NULL;

    pthread_mutex_lock(&core->mutex);
    last = core->scripts[index_of(method)].last;
    pthread_mutex_unlock(&core->mutex);
    return last != NULL ? rpc_message_body(last) : NULL;
}

size_t scripted_core_count(struct scripted_core *core, const char *method)
{
    size_t count = 0;

    pthread_mutex_lock(&core->mutex);
    count = core->scripts[index_of(method)].count;
    pthread_mutex_unlock(&core->mutex);
    return count;
}

void scripted_core_end_sessions(struct scripted_core *core)
{
    pthread_mutex_lock(&core->mutex);
    core->sessions_ended = true;
    pthread_mutex_unlock(&core->mutex);
}
