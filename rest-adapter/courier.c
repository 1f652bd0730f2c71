/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/courier.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "rest-adapter/callback_body.h"
#include "rest-adapter/courier_reports.h"
#include "rest-adapter/http_post.h"
#include "rest-adapter/lms_health.h"
#include "rest-adapter/retry_pause.h"
#include "xqueue/v1/deliveries.pb-c.h"

enum { COURIER_NAME_MAX = 129 }; /* the contract's bound and a NUL */

static const struct rpc_client_method lease_method = {"/xqueue.v1.Deliveries/Lease",
                                                      &xqueue__v1__lease_deliveries_response__descriptor};
static const struct rpc_client_method fail_method = {"/xqueue.v1.Deliveries/Fail",
                                                     &xqueue__v1__fail_delivery_response__descriptor};

/* What was leased and is not over: held from the lease until its report is over. */
struct delivery {
    struct list_node node; /* of courier->held */
    struct courier *courier;
    uint64_t submission_id;
    char key[COURIER_REPORT_KEY_MAX];
    uint32_t attempt;
    int64_t lease_over_at_ms;
};

struct courier {
    const struct config *config; /* borrowed */
    struct core_client *core;    /* borrowed */
    char name[COURIER_NAME_MAX];
    char instance[SECRET_KEY_TEXT_MAX];
    struct http_poster *poster;      /* owned until stopped */
    struct courier_reports *reports; /* owned until stopped */
    pthread_t thread;
    _Atomic int references; /* the owner, and calls whose answer may come after the owner has gone */
    struct log_once refused;
    struct retry_pause pause; /* lease thread only */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct list held;
    struct lms_health health;
    int64_t crowded_until_ms;
    bool stopping;
    bool stopped;
    bool leasing; /* a Lease call is on its way */
    enum status lease_status;
    struct rpc_message *lease_reply; /* owned; of a call that is answered */
    size_t giving_back;              /* calls on their way */
};

static void drop_reference(struct courier *courier)
{
    if (atomic_fetch_sub(&courier->references, 1) > 1)
        return;
    lms_health_finish(&courier->health);
    pthread_cond_destroy(&courier->changed);
    pthread_mutex_destroy(&courier->lock);
    memory_free(courier);
}

/* ---- how it ended ---- */

static void on_report_end(void *context, void *item, enum status status, const struct error *error)
{
    struct courier *courier = context;
    struct delivery *delivery = item;
    if (status != STATUS_OK)
        log_event(LOG_WARN, "delivery_report_lost", LOG_INT("submission", (int64_t)delivery->submission_id),
                  LOG_TEXT("status", status_name(status)), LOG_TEXT("text", error ? error->text : ""));
    pthread_mutex_lock(&courier->lock);
    list_remove(&courier->held, &delivery->node);
    pthread_cond_broadcast(&courier->changed);
    pthread_mutex_unlock(&courier->lock);
    memory_free(delivery);
}

static void log_delivery(const struct delivery *delivery, const struct http_post_result *result, enum log_level level)
{
    const char *event = result->status == STATUS_OK ? "delivery_done" : "delivery_failed";
    log_event(level, event, LOG_INT("submission", (int64_t)delivery->submission_id),
              LOG_TEXT("status", status_name(result->status)), LOG_INT("http", result->http_status),
              LOG_INT("attempt", delivery->attempt), LOG_INT("ms", result->duration_ms), LOG_TEXT("lms", result->origin),
              LOG_TEXT("text", result->text));
}

/* Every success has a line; of failures the first of an LMS, at debug level all. */
static void log_outcome(struct delivery *delivery, const struct http_post_result *result)
{
    struct courier *courier = delivery->courier;
    bool tried = result->status != STATUS_FULL && result->status != STATUS_CANCELED;
    bool well = result->status == STATUS_OK;
    pthread_mutex_lock(&courier->lock);
    bool news = tried && (well ? lms_health_answered(&courier->health, result->origin)
                               : lms_health_failed(&courier->health, result->origin));
    pthread_mutex_unlock(&courier->lock);
    if (well && news)
        log_event(LOG_INFO, "lms_back", LOG_TEXT("lms", result->origin));
    log_delivery(delivery, result, well ? LOG_INFO : news ? LOG_WARN : LOG_DEBUG);
}

static void report_of(const struct delivery *delivery, struct courier_report *out_report)
{
    *out_report = (struct courier_report){
        .kind = COURIER_REPORT_FAIL, .submission_id = delivery->submission_id, .lease_over_at_ms = delivery->lease_over_at_ms};
    memcpy(out_report->delivery_key, delivery->key, sizeof(out_report->delivery_key));
}

/* No place came free in time. Returns when the core may hand the delivery out again: later if its LMS is failing. */
static int64_t note_crowd(struct courier *courier, const char *origin)
{
    pthread_mutex_lock(&courier->lock);
    bool failing = lms_health_is_failing(&courier->health, origin);
    courier->crowded_until_ms = clock_now_ms(clock_system()) + COURIER_CROWDED_PAUSE_MS;
    pthread_mutex_unlock(&courier->lock);
    return failing ? COURIER_FAILING_RETRY_MS : COURIER_PLACE_RETRY_MS;
}

/* Poster's thread. */
static void on_posted(void *context, const struct http_post_result *result)
{
    struct delivery *delivery = context;
    struct courier_report report;
    report_of(delivery, &report);
    if (result->status == STATUS_OK)
        report.kind = COURIER_REPORT_ACKNOWLEDGE;
    report.uncounted = result->status == STATUS_FULL || result->status == STATUS_CANCELED;
    report.retry_after_ms =
        result->status == STATUS_FULL ? note_crowd(delivery->courier, result->origin) : result->retry_after_ms;
    memcpy(report.message, result->text, sizeof(report.message));
    log_outcome(delivery, result);
    courier_reports_send(delivery->courier->reports, &report, delivery);
}

/* It could not even be tried. Invalid and denied stay so whatever is tried. */
static void fail_untried(struct delivery *delivery, enum status status, const struct error *error)
{
    struct courier_report report;
    report_of(delivery, &report);
    report.permanent = status == STATUS_INVALID || status == STATUS_DENIED;
    report.uncounted = status == STATUS_FULL || status == STATUS_CANCELED || status == STATUS_NO_MEMORY;
    if (report.uncounted)
        report.retry_after_ms = note_crowd(delivery->courier, "");
    (void)text_copy(report.message, sizeof(report.message), error->text);
    log_event(LOG_WARN, "delivery_failed", LOG_INT("submission", (int64_t)delivery->submission_id),
              LOG_TEXT("status", status_name(status)), LOG_INT("http", 0), LOG_INT("attempt", delivery->attempt),
              LOG_INT("ms", 0), LOG_TEXT("text", error->text));
    courier_reports_send(delivery->courier->reports, &report, delivery);
}

/* ---- trying ---- */

static struct span span_of_bytes(ProtobufCBinaryData data)
{
    return (struct span){(const char *)data.data, data.len};
}

static enum status write_body(const Xqueue__V1__Delivery *leased, struct http_post *post, struct error *error)
{
    struct span result = span_of_bytes(leased->result);
    enum status status = STATUS_OK;
    switch (leased->outcome) {
    case XQUEUE__V1__OUTCOME__OUTCOME_RESULT:
        break;
    case XQUEUE__V1__OUTCOME__OUTCOME_DEAD:
    case XQUEUE__V1__OUTCOME__OUTCOME_UNGRADABLE:
        result = span_of(callback_body_failure_message());
        break;
    default:
        return error_set(error, STATUS_UNIMPLEMENTED, NULL, "outcome %d is not known to this courier", (int)leased->outcome);
    }
    status = callback_body_write(span_of_bytes(leased->header), result, &post->body, &post->body_length);
    if (status != STATUS_OK)
        return error_set(error, STATUS_INVALID, NULL, "header and result are too long for a callback");
    return STATUS_OK;
}

/*
 * How long a post may wait for a place. It must be over before the lease is, or the core would have it posted a second time.
 * And posts to an LMS that is failing do not wait: they would hold the places that other LMSs need.
 */
static int64_t place_wait_ms(struct courier *courier, const Xqueue__V1__Delivery *leased)
{
    char origin[URL_ORIGIN_MAX];
    int64_t spare_ms = leased->lease_ms - courier->config->callbacks.timeout_ms - COURIER_REPORT_MARGIN_MS;
    if (spare_ms < 0 || url_origin(span_of(leased->callback_url), origin, NULL) != STATUS_OK)
        return 0;
    pthread_mutex_lock(&courier->lock);
    bool failing = lms_health_is_failing(&courier->health, origin);
    pthread_mutex_unlock(&courier->lock);
    if (failing)
        return 0;
    return spare_ms < COURIER_PLACE_WAIT_MS ? spare_ms : COURIER_PLACE_WAIT_MS;
}

static enum status post(struct delivery *delivery, const Xqueue__V1__Delivery *leased, struct error *error)
{
    struct courier *courier = delivery->courier;
    struct http_post request = {.url = leased->callback_url,
                                .content_type = CALLBACK_BODY_CONTENT_TYPE,
                                .start_within_ms = place_wait_ms(courier, leased)};
    enum status status = write_body(leased, &request, error);
    if (status != STATUS_OK)
        return status;
    status = http_poster_start(courier->poster, &request, on_posted, delivery, error);
    if (status != STATUS_OK)
        memory_free(request.body);
    return status;
}

static struct delivery *hold(struct courier *courier, const Xqueue__V1__Delivery *leased)
{
    struct delivery *delivery = MEMORY_NEW(struct delivery);
    delivery->courier = courier;
    delivery->submission_id = leased->submission_id;
    delivery->attempt = leased->attempt;
    delivery->lease_over_at_ms = clock_add_ms(clock_now_ms(clock_system()), leased->lease_ms);
    if (!text_copy(delivery->key, sizeof(delivery->key), leased->delivery_key)) {
        log_event(LOG_ERROR, "delivery_key_too_long", LOG_INT("submission", (int64_t)leased->submission_id));
        memory_free(delivery);
        return NULL;
    }
    pthread_mutex_lock(&courier->lock);
    list_append(&courier->held, &delivery->node);
    pthread_mutex_unlock(&courier->lock);
    return delivery;
}

static void deliver(struct courier *courier, const Xqueue__V1__Delivery *leased)
{
    struct error error = {0};
    struct delivery *delivery = hold(courier, leased);
    if (!delivery)
        return;
    enum status status = post(delivery, leased, &error);
    if (status != STATUS_OK)
        fail_untried(delivery, status, &error);
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
        deliver(courier, response->deliveries[i]);
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
            retry_pause_reset(&courier->pause);
        } else {
            note_refusal(courier, status, &error);
            not_before_ms = clock_now_ms(clock_system()) + retry_pause_next_ms(&courier->pause);
        }
    }
    return NULL;
}

/* ---- life ---- */

/* Lasting, and different for each adapter of a machine, so that one of them does not take over the other's deliveries. */
static void choose_name(struct courier *courier)
{
    char host[HOST_NAME_MAX + 1] = "";
    const struct config_texts *listen = &courier->config->rest.listen;
    char name[COURIER_NAME_MAX + HOST_NAME_MAX];
    if (gethostname(host, sizeof(host) - 1) != 0)
        (void)text_copy(host, sizeof(host), "localhost");
    (void)snprintf(name, sizeof(name), "xqueue-rest@%s %s", host, listen->count > 0 ? listen->items[0] : "");
    (void)text_copy(courier->name, sizeof(courier->name), name);
    secret_key(courier->instance);
}

static enum status start_parts(struct courier *courier, struct error *error)
{
    enum status status = http_poster_create(&courier->config->callbacks, &courier->poster, error);
    if (status != STATUS_OK)
        return status;
    courier->reports = courier_reports_create(courier->core, on_report_end, courier);
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
    courier->pause = (struct retry_pause){.first_ms = COURIER_PAUSE_MS, .longest_ms = COURIER_PAUSE_MS_MAX};
    atomic_init(&courier->references, 1);
    list_init(&courier->held);
    lms_health_init(&courier->health);
    pthread_mutex_init(&courier->lock, NULL);
    clock_condition_init(&courier->changed);
    choose_name(courier);
    enum status status = start_parts(courier, error);
    if (status != STATUS_OK) {
        http_poster_destroy(courier->poster);
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
    http_poster_destroy(courier->poster);

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
