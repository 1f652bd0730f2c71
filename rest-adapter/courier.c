/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/courier.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/courier_internal.h"

static const struct rpc_client_method lease_method = {"/xqueue.v1.Deliveries/Lease",
                                                      &xqueue__v1__lease_deliveries_response__descriptor};
static const struct rpc_client_method fail_method = {"/xqueue.v1.Deliveries/Fail",
                                                     &xqueue__v1__fail_delivery_response__descriptor};

static void drop_reference(struct courier *courier)
{
    if (atomic_fetch_sub(&courier->references, 1) > 1)
        return;
    lms_health_finish(&courier->health);
    pthread_cond_destroy(&courier->changed);
    pthread_mutex_destroy(&courier->lock);
    memory_free(courier);
}

/* ---- giving back what came too late ---- */

static void on_given_back(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct courier *courier = context;
    (void)error;
    if (status != STATUS_OK)
        log_event(LOG_INFO, "delivery_not_given_back", LOG_TEXT("status", status_name(status)));
    rpc_message_free(reply);
    pthread_mutex_lock(&courier->lock);
    courier->giving_back--;
    pthread_cond_broadcast(&courier->changed);
    pthread_mutex_unlock(&courier->lock);
    drop_reference(courier);
}

/* The answer to a Lease came while stopping. What cannot be given back is due again when its lease is over, or at the next
 * start. */
static void give_back(struct courier *courier, const struct rpc_message *reply)
{
    const Xqueue__V1__LeaseDeliveriesResponse *response = (const void *)rpc_message_body(reply);
    for (size_t i = 0; i < response->n_deliveries; i++) {
        Xqueue__V1__FailDeliveryRequest request = XQUEUE__V1__FAIL_DELIVERY_REQUEST__INIT;
        request.submission_id = response->deliveries[i]->submission_id;
        request.delivery_key = response->deliveries[i]->delivery_key;
        request.message = (char *)"the courier is stopping";
        request.uncounted = true;
        pthread_mutex_lock(&courier->lock);
        courier->giving_back++;
        pthread_mutex_unlock(&courier->lock);
        atomic_fetch_add(&courier->references, 1);
        enum status status = core_client_start_own(courier->core, &fail_method, &request.base, on_given_back, courier);
        if (status != STATUS_OK)
            on_given_back(courier, status, NULL, NULL);
    }
}

/* ---- leasing ---- */

/* Core client's thread. */
static void on_leased(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct courier *courier = context;
    (void)error; // the core client logs that the core is away; the lease thread logs the rest by status
    pthread_mutex_lock(&courier->lock);
    bool late = courier->stopping;
    courier->leasing = false;
    courier->lease_status = status;
    courier->lease_reply = late ? NULL : reply;
    pthread_cond_broadcast(&courier->changed);
    pthread_mutex_unlock(&courier->lock);
    if (late && reply) {
        give_back(courier, reply);
        rpc_message_free(reply);
    }
    drop_reference(courier);
}

static enum status start_lease(struct courier *courier, size_t max)
{
    Xqueue__V1__LeaseDeliveriesRequest request = XQUEUE__V1__LEASE_DELIVERIES_REQUEST__INIT;
    request.courier = courier->name;
    request.instance = courier->instance;
    request.max = (uint32_t)(max < COURIER_LEASE_MAX ? max : COURIER_LEASE_MAX);
    request.wait_ms = COURIER_WAIT_MS;
    pthread_mutex_lock(&courier->lock);
    assert(!courier->leasing);
    courier->leasing = true;
    pthread_mutex_unlock(&courier->lock);
    atomic_fetch_add(&courier->references, 1);
    enum status status = core_client_start_own_for(courier->core, &lease_method, &request.base,
                                                   COURIER_WAIT_MS + courier->config->rest.core_timeout_ms, on_leased, courier);
    if (status != STATUS_OK) {
        pthread_mutex_lock(&courier->lock);
        courier->leasing = false;
        pthread_mutex_unlock(&courier->lock);
        drop_reference(courier);
    }
    return status;
}

/* Waits for the answer; STATUS_CANCELED when stopping comes first. *out_reply is the caller's, NULL unless STATUS_OK. */
static enum status wait_for_lease(struct courier *courier, struct rpc_message **out_reply)
{
    pthread_mutex_lock(&courier->lock);
    while (courier->leasing && !courier->stopping)
        clock_wait_until(clock_system(), &courier->changed, &courier->lock, CLOCK_NEVER);
    enum status status = courier->leasing ? STATUS_CANCELED : courier->lease_status;
    *out_reply = courier->leasing ? NULL : courier->lease_reply;
    courier->lease_reply = NULL;
    pthread_mutex_unlock(&courier->lock);
    return status;
}

/* Waits until there is something to do; returns how many deliveries may be leased, 0: stopping. */
static size_t wait_for_places(struct courier *courier, int64_t not_before_ms)
{
    size_t places_max = (size_t)courier->config->callbacks.parallel_max;
    size_t free_places = 0;
    pthread_mutex_lock(&courier->lock);
    while (!courier->stopping && free_places == 0) {
        if (not_before_ms < courier->crowded_until_ms)
            not_before_ms = courier->crowded_until_ms;
        bool too_early = clock_now_ms(clock_system()) < not_before_ms;
        if (!too_early && courier->held.count < places_max && courier_reports_retrying(courier->reports) == 0)
            free_places = places_max - courier->held.count;
        else
            clock_wait_until(clock_system(), &courier->changed, &courier->lock, too_early ? not_before_ms : CLOCK_NEVER);
    }
    pthread_mutex_unlock(&courier->lock);
    return free_places;
}

/* STATUS_UNAVAILABLE also for a core that answers "none" without having waited: asking again at once would be asking for ever.
 */
static enum status lease(struct courier *courier, size_t free_places, struct error *error)
{
    struct rpc_message *reply = NULL;
    int64_t asked_at_ms = clock_now_ms(clock_system());
    enum status status = core_client_login_own(courier->core, error);
    if (status == STATUS_OK)
        status = start_lease(courier, free_places);
    if (status == STATUS_OK)
        status = wait_for_lease(courier, &reply);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__LeaseDeliveriesResponse *response = (const void *)rpc_message_body(reply);
    for (size_t i = 0; i < response->n_deliveries; i++)
        courier_deliver(courier, response->deliveries[i]);
    bool in_vain = response->n_deliveries == 0 && clock_now_ms(clock_system()) - asked_at_ms < COURIER_WAIT_MS / 2;
    rpc_message_free(reply);
    return in_vain ? STATUS_UNAVAILABLE : STATUS_OK;
}

/* The core is there and does not let this courier work: a matter for a person, once. */
static void note_refusal(struct courier *courier, enum status status, const struct error *error)
{
    bool refused = status != STATUS_UNAVAILABLE && status != STATUS_TIMEOUT && status != STATUS_CANCELED;
    if (refused && log_once_enter(&courier->refused))
        log_event(LOG_ERROR, "courier_refused", LOG_TEXT("status", status_name(status)), LOG_TEXT("text", error->text));
}

static void *lease_main(void *argument)
{
    struct courier *courier = argument;
    int64_t not_before_ms = 0;
    for (size_t places = wait_for_places(courier, 0); places > 0; places = wait_for_places(courier, not_before_ms)) {
        struct error error = {0};
        enum status status = lease(courier, places, &error);
        if (status == STATUS_OK) {
            (void)log_once_leave(&courier->refused);
            backoff_reset(&courier->pause);
        } else {
            note_refusal(courier, status, &error);
            not_before_ms = clock_now_ms(clock_system()) + backoff_next_ms(&courier->pause);
        }
    }
    return NULL;
}

/* ---- life ---- */

static enum status start_parts(struct courier *courier, struct error *error)
{
    const struct config_callbacks *callbacks = &courier->config->callbacks;
    struct http_client_options options = {.callbacks = callbacks,
                                          .trust = HTTP_CLIENT_TRUST_CALLBACK,
                                          .parallel_max = callbacks->parallel_max,
                                          .per_origin_max = callbacks->per_origin_max};
    enum status status = http_client_create(&options, &courier->http, error);
    if (status != STATUS_OK)
        return status;
    courier->reports = courier_reports_create(courier->core, courier_on_report_end, courier);
    if (!courier->reports || pthread_create(&courier->thread, NULL, lease_main, courier) != 0)
        return error_set(error, STATUS_NO_MEMORY, NULL, "no thread for the courier");
    return STATUS_OK;
}

enum status courier_create(const struct config *config, struct core_client *core, struct courier **out_courier,
                           struct error *error)
{
    struct courier *courier = MEMORY_NEW(struct courier);
    courier->config = config;
    courier->core = core;
    uint64_t seed = 0;
    secret_random(&seed, sizeof(seed));
    backoff_init(&courier->pause, COURIER_PAUSE_MS, COURIER_PAUSE_MS_MAX, seed);
    atomic_init(&courier->references, 1);
    list_init(&courier->held);
    lms_health_init(&courier->health);
    pthread_mutex_init(&courier->lock, NULL);
    clock_condition_init(&courier->changed);
    adapter_name(&config->rest, courier->name);
    secret_key(courier->instance);
    enum status status = start_parts(courier, error);
    if (status != STATUS_OK) {
        http_client_destroy(courier->http);
        courier_reports_destroy(courier->reports);
        drop_reference(courier);
        return status;
    }
    *out_courier = courier;
    return STATUS_OK;
}

/* Lock held. */
static void wait_until_idle(struct courier *courier, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_add_ms(clock_now_ms(clock_system()), timeout_ms);
    while (!list_is_empty(&courier->held) || courier->giving_back > 0) {
        if (!clock_wait_until(clock_system(), &courier->changed, &courier->lock, deadline_ms))
            return;
    }
}

void courier_stop(struct courier *courier, int64_t grace_ms)
{
    pthread_mutex_lock(&courier->lock);
    bool first = !courier->stopped;
    courier->stopped = true;
    courier->stopping = true;
    pthread_cond_broadcast(&courier->changed);
    pthread_mutex_unlock(&courier->lock);
    if (!first)
        return;
    pthread_join(courier->thread, NULL);

    pthread_mutex_lock(&courier->lock);
    wait_until_idle(courier, grace_ms);
    pthread_mutex_unlock(&courier->lock);
    http_client_destroy(courier->http);

    pthread_mutex_lock(&courier->lock);
    wait_until_idle(courier, COURIER_STOP_REPORT_MS);
    pthread_mutex_unlock(&courier->lock);
    courier_reports_destroy(courier->reports);
    assert(list_is_empty(&courier->held));
}

void courier_destroy(struct courier *courier)
{
    if (!courier)
        return;
    courier_stop(courier, 0);
    drop_reference(courier);
}
