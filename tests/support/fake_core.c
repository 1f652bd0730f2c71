/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_core.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rpc/rpc_server_call.h"
#include "base/text.h"
#include "xqueue/v1/deliveries.pb-c.h"
#include "xqueue/v1/sessions.pb-c.h"

enum { LEASE_MS = 60000, TOKEN_MAX = 48, BATCH_MAX = 100 };

struct fake_core {
    struct rpc_loop *loop;
    struct rpc_server *server;
    char address[FAKE_CORE_ADDRESS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct fake_core_delivery deliveries[FAKE_CORE_DELIVERIES_MAX]; /* not leased yet, the oldest first */
    size_t delivery_count;
    struct fake_core_report reports[FAKE_CORE_REPORTS_MAX];
    size_t report_count;
    struct rpc_server_call *waiting[FAKE_CORE_WAITING_MAX];
    size_t waiting_max[FAKE_CORE_WAITING_MAX]; /* how many each asks for */
    size_t waiting_count;
    size_t refuse_count;
    enum status refuse_status;
    size_t refused;
    size_t logins;
    size_t logouts;
    size_t session_generation;
    size_t leased;
    size_t leased_max;
};

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fake_core: %s\n", what);
        abort();
    }
}

static struct fake_core *core_of(struct rpc_server_call *call)
{
    return rpc_server_call_context(call);
}

/* ---- sessions ---- */

/* Lock held. */
static void token_of(const struct fake_core *core, char out[TOKEN_MAX])
{
    (void)snprintf(out, TOKEN_MAX, "token-of-generation-%zu", core->session_generation);
}

static enum status authorise(struct rpc_server_call *call, const struct rpc_method *method, void *context, struct error *error)
{
    struct fake_core *core = context;
    char expected[TOKEN_MAX];
    const char *bearer = rpc_server_call_bearer(call);
    if (strstr(method->path, "/Login"))
        return STATUS_OK;
    pthread_mutex_lock(&core->lock);
    token_of(core, expected);
    pthread_mutex_unlock(&core->lock);
    if (bearer && strcmp(bearer, expected) == 0)
        return STATUS_OK;
    return error_set(error, STATUS_UNAUTHENTICATED, "SESSION_OVER", "no session");
}

static void on_login(struct rpc_server_call *call, struct rpc_message *message)
{
    struct fake_core *core = core_of(call);
    const Xqueue__V1__LoginRequest *request = (const void *)rpc_message_body(message);
    char token[TOKEN_MAX];
    struct error error;
    Xqueue__V1__LoginResponse reply = XQUEUE__V1__LOGIN_RESPONSE__INIT;
    bool right = strcmp(request->user, FAKE_CORE_USER) == 0 && strcmp(request->password, FAKE_CORE_PASSWORD) == 0;
    rpc_message_free(message);
    pthread_mutex_lock(&core->lock);
    core->logins++;
    token_of(core, token);
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->lock);
    if (!right) {
        rpc_server_call_finish(call, error_set(&error, STATUS_UNAUTHENTICATED, "WRONG_CREDENTIALS", "wrong"), &error);
        return;
    }
    reply.token = token;
    reply.expires_in_ms = LEASE_MS;
    rpc_server_call_reply(call, &reply.base);
}

static void on_logout(struct rpc_server_call *call, struct rpc_message *message)
{
    struct fake_core *core = core_of(call);
    Xqueue__V1__LogoutResponse reply = XQUEUE__V1__LOGOUT_RESPONSE__INIT;
    rpc_message_free(message);
    pthread_mutex_lock(&core->lock);
    core->logouts++;
    pthread_mutex_unlock(&core->lock);
    rpc_server_call_reply(call, &reply.base);
}

/* ---- leases ---- */

static void fill(Xqueue__V1__Delivery *out, const struct fake_core_delivery *delivery, char key[FAKE_CORE_KEY_MAX])
{
    xqueue__v1__delivery__init(out);
    (void)snprintf(key, FAKE_CORE_KEY_MAX, "key-%llu", (unsigned long long)delivery->submission_id);
    out->submission_id = delivery->submission_id;
    out->delivery_key = key;
    out->callback_url = (char *)delivery->url;
    out->header = (ProtobufCBinaryData){strlen(delivery->header), (uint8_t *)delivery->header};
    out->result = (ProtobufCBinaryData){strlen(delivery->result), (uint8_t *)delivery->result};
    out->outcome = delivery->outcome ? (Xqueue__V1__Outcome)delivery->outcome : XQUEUE__V1__OUTCOME__OUTCOME_RESULT;
    out->attempt = 1;
    out->generation = 1;
    out->lease_ms = delivery->lease_ms ? delivery->lease_ms : LEASE_MS;
}

/* Lock held. */
static void grant(struct fake_core *core, struct rpc_server_call *call, size_t max)
{
    static Xqueue__V1__Delivery parts[BATCH_MAX]; // guarded by the lock of the one core that uses it at a time
    static char keys[BATCH_MAX][FAKE_CORE_KEY_MAX];
    Xqueue__V1__Delivery *pointers[BATCH_MAX];
    Xqueue__V1__LeaseDeliveriesResponse reply = XQUEUE__V1__LEASE_DELIVERIES_RESPONSE__INIT;
    size_t count = max < core->delivery_count ? max : core->delivery_count;
    count = count < BATCH_MAX ? count : BATCH_MAX;
    for (size_t i = 0; i < count; i++) {
        fill(&parts[i], &core->deliveries[i], keys[i]);
        pointers[i] = &parts[i];
    }
    reply.deliveries = pointers;
    reply.n_deliveries = count;
    rpc_server_call_reply(call, &reply.base);
    core->delivery_count -= count;
    memmove(core->deliveries, core->deliveries + count, core->delivery_count * sizeof(core->deliveries[0]));
    core->leased += count;
    if (core->leased > core->leased_max)
        core->leased_max = core->leased;
}

/* Lock held. */
static void grant_waiting(struct fake_core *core)
{
    while (core->waiting_count > 0 && core->delivery_count > 0) {
        struct rpc_server_call *call = core->waiting[--core->waiting_count];
        if (!rpc_server_call_is_over(call))
            grant(core, call, core->waiting_max[core->waiting_count]);
        rpc_server_call_release(call);
    }
}

static void on_lease(struct rpc_server_call *call, struct rpc_message *message)
{
    struct fake_core *core = core_of(call);
    const Xqueue__V1__LeaseDeliveriesRequest *request = (const void *)rpc_message_body(message);
    require(request->courier[0] && request->instance[0] && request->results_channel[0] == '\0', "Lease without courier");
    pthread_mutex_lock(&core->lock);
    if (core->delivery_count > 0 || request->wait_ms == 0) {
        grant(core, call, request->max);
    } else {
        require(core->waiting_count < FAKE_CORE_WAITING_MAX, "too many Lease calls wait");
        rpc_server_call_keep(call);
        core->waiting_max[core->waiting_count] = request->max;
        core->waiting[core->waiting_count++] = call;
        pthread_cond_broadcast(&core->changed);
    }
    pthread_mutex_unlock(&core->lock);
    rpc_message_free(message);
}

/* The call is over: it waits no more. */
static void on_lease_close(struct rpc_server_call *call)
{
    struct fake_core *core = core_of(call);
    pthread_mutex_lock(&core->lock);
    for (size_t i = 0; i < core->waiting_count; i++) {
        if (core->waiting[i] != call)
            continue;
        core->waiting_count--;
        core->waiting[i] = core->waiting[core->waiting_count];
        core->waiting_max[i] = core->waiting_max[core->waiting_count];
        rpc_server_call_release(call);
        break;
    }
    pthread_mutex_unlock(&core->lock);
}

/* ---- reports ---- */

/* Records report unless it is to be refused: then ends the call and returns false. */
static bool take_report(struct rpc_server_call *call, const struct fake_core_report *report)
{
    struct fake_core *core = core_of(call);
    pthread_mutex_lock(&core->lock);
    bool refuse = core->refuse_count > 0;
    enum status status = core->refuse_status;
    if (refuse) {
        core->refuse_count--;
        core->refused++;
    } else {
        require(core->report_count < FAKE_CORE_REPORTS_MAX, "too many reports");
        core->reports[core->report_count] = *report;
        core->reports[core->report_count++].at_us = clock_monotonic_us();
        core->leased -= core->leased > 0 ? 1 : 0;
    }
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->lock);
    if (refuse) {
        struct error error;
        rpc_server_call_finish(call, error_set(&error, status, "BY_ORDER", "refused by order"), &error);
    }
    return !refuse;
}

static void on_acknowledge(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__AcknowledgeDeliveryRequest *request = (const void *)rpc_message_body(message);
    Xqueue__V1__AcknowledgeDeliveryResponse reply = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_RESPONSE__INIT;
    struct fake_core_report report = {.acknowledged = true, .submission_id = request->submission_id};
    require(text_copy(report.delivery_key, sizeof(report.delivery_key), request->delivery_key), "key too long");
    rpc_message_free(message);
    if (take_report(call, &report))
        rpc_server_call_reply(call, &reply.base);
}

static void on_fail(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__FailDeliveryRequest *request = (const void *)rpc_message_body(message);
    Xqueue__V1__FailDeliveryResponse reply = XQUEUE__V1__FAIL_DELIVERY_RESPONSE__INIT;
    struct fake_core_report report = {.submission_id = request->submission_id,
                                      .permanent = request->permanent,
                                      .uncounted = request->uncounted,
                                      .retry_after_ms = request->retry_after_ms};
    require(text_copy(report.delivery_key, sizeof(report.delivery_key), request->delivery_key), "key too long");
    require(text_copy(report.message, sizeof(report.message), request->message), "message too long");
    rpc_message_free(message);
    if (take_report(call, &report))
        rpc_server_call_reply(call, &reply.base);
}

static const struct rpc_method methods[] = {
    {.path = "/xqueue.v1.Sessions/Login",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__login_request__descriptor,
     .on_message = on_login},
    {.path = "/xqueue.v1.Sessions/Logout",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__logout_request__descriptor,
     .on_message = on_logout},
    {.path = "/xqueue.v1.Deliveries/Lease",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__lease_deliveries_request__descriptor,
     .on_message = on_lease,
     .on_close = on_lease_close},
    {.path = "/xqueue.v1.Deliveries/Acknowledge",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__acknowledge_delivery_request__descriptor,
     .on_message = on_acknowledge},
    {.path = "/xqueue.v1.Deliveries/Fail",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__fail_delivery_request__descriptor,
     .on_message = on_fail},
    {0},
};

/* ---- life ---- */

static void open_server(struct fake_core *core)
{
    struct error error = {0};
    const char *listeners[] = {core->address};
    struct rpc_server_options options = {.listeners = listeners, .listener_count = 1, .authorise = authorise, .context = core};
    core->loop = rpc_loop_create("fake-core");
    require(core->loop != NULL, "no loop");
    require(rpc_server_create(core->loop, methods, &options, &core->server, &error) == STATUS_OK, error.text);
}

struct fake_core *fake_core_start(void)
{
    struct fake_core *core = MEMORY_NEW(struct fake_core);
    pthread_mutex_init(&core->lock, NULL);
    clock_condition_init(&core->changed);
    (void)snprintf(core->address, sizeof(core->address), "127.0.0.1:0");
    open_server(core);
    (void)snprintf(core->address, sizeof(core->address), "127.0.0.1:%d", rpc_server_port(core->server, 0));
    return core;
}

void fake_core_stop(struct fake_core *core)
{
    if (!core->server)
        return;
    rpc_server_stop(core->server, 0);
    rpc_server_destroy(core->server);
    rpc_loop_destroy(core->loop);
    core->server = NULL;
    core->loop = NULL;
}

void fake_core_resume(struct fake_core *core)
{
    open_server(core);
}

void fake_core_destroy(struct fake_core *core)
{
    if (!core)
        return;
    fake_core_stop(core);
    pthread_cond_destroy(&core->changed);
    pthread_mutex_destroy(&core->lock);
    memory_free(core);
}

/* ---- asking and telling ---- */

const char *fake_core_address(const struct fake_core *core)
{
    return core->address;
}

void fake_core_end_sessions(struct fake_core *core)
{
    pthread_mutex_lock(&core->lock);
    core->session_generation++;
    pthread_mutex_unlock(&core->lock);
}

void fake_core_add(struct fake_core *core, const struct fake_core_delivery *delivery)
{
    pthread_mutex_lock(&core->lock);
    require(core->delivery_count < FAKE_CORE_DELIVERIES_MAX, "too many deliveries");
    core->deliveries[core->delivery_count++] = *delivery;
    grant_waiting(core);
    pthread_mutex_unlock(&core->lock);
}

void fake_core_refuse_reports(struct fake_core *core, size_t count, enum status status)
{
    pthread_mutex_lock(&core->lock);
    core->refuse_count = count;
    core->refuse_status = status;
    pthread_mutex_unlock(&core->lock);
}

bool fake_core_wait_for_reports(struct fake_core *core, size_t count, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + timeout_ms;
    bool in_time = true;
    pthread_mutex_lock(&core->lock);
    while (in_time && core->report_count < count)
        in_time = clock_wait_until(clock_system(), &core->changed, &core->lock, deadline_ms);
    bool reached = core->report_count >= count;
    pthread_mutex_unlock(&core->lock);
    return reached;
}

bool fake_core_wait_for_lease(struct fake_core *core, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + timeout_ms;
    bool in_time = true;
    pthread_mutex_lock(&core->lock);
    while (in_time && core->waiting_count == 0)
        in_time = clock_wait_until(clock_system(), &core->changed, &core->lock, deadline_ms);
    bool reached = core->waiting_count > 0;
    pthread_mutex_unlock(&core->lock);
    return reached;
}

struct fake_core_report fake_core_report(struct fake_core *core, size_t index)
{
    pthread_mutex_lock(&core->lock);
    require(index < core->report_count, "no such report");
    struct fake_core_report report = core->reports[index];
    pthread_mutex_unlock(&core->lock);
    return report;
}

static size_t read_locked(struct fake_core *core, const size_t *number)
{
    pthread_mutex_lock(&core->lock);
    size_t value = *number;
    pthread_mutex_unlock(&core->lock);
    return value;
}

size_t fake_core_report_count(struct fake_core *core)
{
    return read_locked(core, &core->report_count);
}

size_t fake_core_refused_count(struct fake_core *core)
{
    return read_locked(core, &core->refused);
}

size_t fake_core_login_count(struct fake_core *core)
{
    return read_locked(core, &core->logins);
}

size_t fake_core_logout_count(struct fake_core *core)
{
    return read_locked(core, &core->logouts);
}

size_t fake_core_leased_max(struct fake_core *core)
{
    return read_locked(core, &core->leased_max);
}
