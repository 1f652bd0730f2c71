/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/health.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/list.h"
#include "base/memory.h"
#include "grpc/health/v1/health.pb-c.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"

struct health_watcher {
    struct list_node node;
    struct rpc_server_call *call; /* counted */
    bool known;                   /* the name that is watched */
};

struct health {
    pthread_mutex_t mutex;
    /* guarded by mutex */
    struct list watchers;
    bool serving;
};

struct health *health_create(void)
{
    struct health *health = MEMORY_NEW(struct health);
    pthread_mutex_init(&health->mutex, NULL);
    list_init(&health->watchers);
    return health;
}

void health_destroy(struct health *health)
{
    if (!health) {
        return;
    }
    assert(list_is_empty(&health->watchers));
    pthread_mutex_destroy(&health->mutex);
    memory_free(health);
}

static bool health_knows(const struct rpc_server_call *call, const char *name)
{
    return name[0] == '\0' || methods_serve(method_service(call)->methods, name);
}

static Grpc__Health__V1__HealthCheckResponse health_response(const struct health *health, bool known)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = health->serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                                      : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    if (!known) {
        response.status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
    }
    return response;
}

/* mutex held. A watcher that does not read is not waited for: its stream ends; so does everybody's when the service drains. */
static void health_tell(const struct health *health, const struct health_watcher *watcher)
{
    Grpc__Health__V1__HealthCheckResponse response = health_response(health, watcher->known);
    if (method_send(watcher->call, &response.base) && !health->serving) {
        rpc_server_call_finish(watcher->call, STATUS_UNAVAILABLE, NULL);
    }
}

void health_set_serving(struct health *health, bool serving)
{
    pthread_mutex_lock(&health->mutex);
    health->serving = serving;
    for (struct list_node *node = list_first(&health->watchers); node; node = list_next(&health->watchers, node)) {
        const struct health_watcher *watcher = LIST_OWNER(node, struct health_watcher, node);
        health_tell(health, watcher);
    }
    pthread_mutex_unlock(&health->mutex);
}

/* ---- Check ---- */

static void on_check(struct rpc_server_call *call, struct rpc_message *message)
{
    struct health *health = method_service(call)->health;
    const Grpc__Health__V1__HealthCheckRequest *request =
        (const Grpc__Health__V1__HealthCheckRequest *)rpc_message_body(message);
    if (health_knows(call, request->service)) {
        pthread_mutex_lock(&health->mutex);
        Grpc__Health__V1__HealthCheckResponse response = health_response(health, true);
        pthread_mutex_unlock(&health->mutex);
        rpc_server_call_reply(call, &response.base);
    } else {
        struct error error;
        enum status status = error_set(&error, STATUS_NOT_FOUND, "SERVICE_UNKNOWN", "unknown service");
        rpc_server_call_finish(call, status, &error);
    }
    rpc_message_free(message);
}

/* ---- Watch ---- */

static void on_watch(struct rpc_server_call *call, struct rpc_message *message)
{
    struct health *health = method_service(call)->health;
    const Grpc__Health__V1__HealthCheckRequest *request =
        (const Grpc__Health__V1__HealthCheckRequest *)rpc_message_body(message);
    struct health_watcher *watcher = MEMORY_NEW(struct health_watcher);
    watcher->call = call;
    watcher->known = health_knows(call, request->service);
    rpc_message_free(message);
    pthread_mutex_lock(&health->mutex);
    bool full = health->watchers.count >= HEALTH_WATCHERS_MAX;
    if (!full) {
        rpc_server_call_keep(call);
        rpc_server_call_set_data(call, watcher);
        list_append(&health->watchers, &watcher->node);
        health_tell(health, watcher);
    }
    pthread_mutex_unlock(&health->mutex);
    if (full) {
        struct error error;
        memory_free(watcher);
        enum status status = error_set(&error, STATUS_FULL, "TOO_MANY_WATCHERS", "too many health watchers");
        rpc_server_call_finish(call, status, &error);
    }
}

static void on_watch_close(struct rpc_server_call *call)
{
    struct health *health = method_service(call)->health;
    struct health_watcher *watcher = rpc_server_call_data(call);
    if (!watcher) {
        return; /* refused */
    }
    pthread_mutex_lock(&health->mutex);
    list_remove(&health->watchers, &watcher->node);
    pthread_mutex_unlock(&health->mutex);
    rpc_server_call_release(watcher->call);
    memory_free(watcher);
}

const struct rpc_method health_methods[] = {
    {.path = "/grpc.health.v1.Health/Check",
     .kind = RPC_UNARY,
     .request = &grpc__health__v1__health_check_request__descriptor,
     .on_message = on_check,
     .while_draining = true,
     .role = METHOD_OPEN},
    {.path = "/grpc.health.v1.Health/Watch",
     .kind = RPC_SERVER_STREAM,
     .request = &grpc__health__v1__health_check_request__descriptor,
     .on_message = on_watch,
     .on_close = on_watch_close,
     .while_draining = true,
     .role = METHOD_OPEN},
    {0},
};
