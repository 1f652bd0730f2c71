/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/courier_reports.h"

#include <assert.h>
#include <pthread.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/secret.h"
#include "xqueue/v1/deliveries.pb-c.h"

static const struct rpc_client_method acknowledge_method = {"/xqueue.v1.Deliveries/Acknowledge",
                                                            &xqueue__v1__acknowledge_delivery_response__descriptor};
static const struct rpc_client_method fail_method = {"/xqueue.v1.Deliveries/Fail",
                                                     &xqueue__v1__fail_delivery_response__descriptor};

/* Either in reports->waiting or on its way to the core. */
struct entry {
    struct list_node node;
    struct courier_reports *reports;
    struct courier_report report;
    void *item;
    bool retrying; /* counted in reports->retrying; guarded by the lock */
};

struct courier_reports {
    struct core_client *core; /* borrowed */
    courier_reports_on_end *on_end;
    void *context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct list waiting;
    size_t on_their_way;
    size_t retrying;
    struct backoff pause;
    int64_t retry_at_ms;
    bool stopping;
};

/* ---- one report ---- */

static void end(struct entry *entry, enum status status, const struct error *error)
{
    struct courier_reports *reports = entry->reports;
    pthread_mutex_lock(&reports->lock);
    if (entry->retrying)
        reports->retrying--;
    pthread_mutex_unlock(&reports->lock);
    reports->on_end(reports->context, entry->item, status, error);
    memory_free(entry);
}

/* Not now: to be told again. Everything else is the core's last word. */
static bool is_worth_retrying(enum status status)
{
    return status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT || status == STATUS_UNAUTHENTICATED ||
           status == STATUS_FULL || status == STATUS_CANCELED || status == STATUS_NO_MEMORY;
}

/* Lock held. A missing session needs no pause: the thread logs in. */
static void keep(struct entry *entry, enum status status)
{
    struct courier_reports *reports = entry->reports;
    int64_t now_ms = clock_now_ms(clock_system());
    if (status == STATUS_UNAUTHENTICATED && !entry->retrying)
        reports->retry_at_ms = now_ms;
    else if (reports->retry_at_ms <= now_ms)
        reports->retry_at_ms = now_ms + backoff_next_ms(&reports->pause);
    if (!entry->retrying)
        reports->retrying++;
    entry->retrying = true;
    list_append(&reports->waiting, &entry->node);
    pthread_cond_broadcast(&reports->changed);
}

/* One less on its way. The reports may be destroyed as soon as this has unlocked. */
static void arrived(struct courier_reports *reports)
{
    pthread_mutex_lock(&reports->lock);
    assert(reports->on_their_way > 0);
    reports->on_their_way--;
    pthread_cond_broadcast(&reports->changed);
    pthread_mutex_unlock(&reports->lock);
}

/* The call is over, or was never started. */
static void on_answer(struct entry *entry, enum status status, const struct error *error)
{
    struct courier_reports *reports = entry->reports;
    bool kept = false;
    pthread_mutex_lock(&reports->lock);
    if (is_worth_retrying(status)) {
        kept = !reports->stopping;
        if (kept)
            keep(entry, status);
        else
            status = STATUS_CANCELED;
    } else {
        backoff_reset(&reports->pause);
        reports->retry_at_ms = 0;
        pthread_cond_broadcast(&reports->changed);
    }
    pthread_mutex_unlock(&reports->lock);
    if (!kept)
        end(entry, status, error);
    arrived(reports);
}

static void on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    rpc_message_free(reply);
    on_answer(context, status, error);
}

static enum status start_call(struct entry *entry)
{
    const struct courier_report *report = &entry->report;
    struct core_client *core = entry->reports->core;
    if (report->kind == COURIER_REPORT_ACKNOWLEDGE) {
        Xqueue__V1__AcknowledgeDeliveryRequest request = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
        request.submission_id = report->submission_id;
        request.delivery_key = (char *)report->delivery_key;
        return core_client_start_own(core, &acknowledge_method, &request.base, on_reply, entry);
    }
    Xqueue__V1__FailDeliveryRequest request = XQUEUE__V1__FAIL_DELIVERY_REQUEST__INIT;
    request.submission_id = report->submission_id;
    request.delivery_key = (char *)report->delivery_key;
    request.message = (char *)report->message;
    request.permanent = report->permanent;
    request.uncounted = report->uncounted;
    request.retry_after_ms = report->retry_after_ms;
    return core_client_start_own(core, &fail_method, &request.base, on_reply, entry);
}

/* ---- trying again: the thread ---- */

static bool is_moot(const struct courier_report *report)
{
    return report->kind == COURIER_REPORT_FAIL && report->lease_over_at_ms <= clock_now_ms(clock_system());
}

/* on_their_way counts the entry, from next_due on. */
static void end_moot(struct entry *entry)
{
    struct courier_reports *reports = entry->reports;
    end(entry, STATUS_TIMEOUT, NULL);
    arrived(reports);
}

static void retry(struct entry *entry)
{
    struct error error = {0};
    enum status status = start_call(entry);
    if (status == STATUS_UNAUTHENTICATED) {
        status = core_client_login_own(entry->reports->core, &error);
        if (status == STATUS_OK)
            status = start_call(entry);
    }
    if (status != STATUS_OK)
        on_answer(entry, status, &error);
}

/* Waits for the next due report and takes it; NULL: stopping. */
static struct entry *next_due(struct courier_reports *reports)
{
    struct entry *entry = NULL;
    pthread_mutex_lock(&reports->lock);
    while (!reports->stopping && !entry) {
        bool due = reports->retry_at_ms <= clock_now_ms(clock_system());
        if (due && !list_is_empty(&reports->waiting)) {
            entry = LIST_OWNER(list_take_first(&reports->waiting), struct entry, node);
            reports->on_their_way++;
        } else {
            clock_wait_until(clock_system(), &reports->changed, &reports->lock,
                             list_is_empty(&reports->waiting) ? CLOCK_NEVER : reports->retry_at_ms);
        }
    }
    pthread_mutex_unlock(&reports->lock);
    return entry;
}

static void *thread_main(void *argument)
{
    struct courier_reports *reports = argument;
    for (struct entry *entry = next_due(reports); entry; entry = next_due(reports)) {
        if (is_moot(&entry->report))
            end_moot(entry);
        else
            retry(entry);
    }
    return NULL;
}

/* ---- from outside ---- */

struct courier_reports *courier_reports_create(struct core_client *core, courier_reports_on_end *on_end, void *context)
{
    struct courier_reports *reports = MEMORY_NEW(struct courier_reports);
    reports->core = core;
    reports->on_end = on_end;
    reports->context = context;
    uint64_t seed = 0;
    secret_random(&seed, sizeof(seed));
    backoff_init(&reports->pause, COURIER_REPORT_PAUSE_MS, COURIER_REPORT_PAUSE_MS_MAX, seed);
    list_init(&reports->waiting);
    pthread_mutex_init(&reports->lock, NULL);
    clock_condition_init(&reports->changed);
    if (pthread_create(&reports->thread, NULL, thread_main, reports) == 0)
        return reports;
    pthread_cond_destroy(&reports->changed);
    pthread_mutex_destroy(&reports->lock);
    memory_free(reports);
    return NULL;
}

void courier_reports_send(struct courier_reports *reports, const struct courier_report *report, void *item)
{
    struct entry *entry = MEMORY_NEW(struct entry);
    entry->reports = reports;
    entry->report = *report;
    entry->item = item;
    pthread_mutex_lock(&reports->lock);
    assert(!reports->stopping);
    reports->on_their_way++;
    pthread_mutex_unlock(&reports->lock);
    enum status status = start_call(entry);
    if (status == STATUS_OK)
        return;
    pthread_mutex_lock(&reports->lock);
    reports->on_their_way--;
    keep(entry, status);
    pthread_mutex_unlock(&reports->lock);
}

size_t courier_reports_retrying(struct courier_reports *reports)
{
    pthread_mutex_lock(&reports->lock);
    size_t retrying = reports->retrying;
    pthread_mutex_unlock(&reports->lock);
    return retrying;
}

void courier_reports_destroy(struct courier_reports *reports)
{
    if (!reports)
        return;
    pthread_mutex_lock(&reports->lock);
    reports->stopping = true;
    pthread_cond_broadcast(&reports->changed);
    pthread_mutex_unlock(&reports->lock);
    pthread_join(reports->thread, NULL);

    pthread_mutex_lock(&reports->lock);
    while (reports->on_their_way > 0)
        clock_wait_until(clock_system(), &reports->changed, &reports->lock, CLOCK_NEVER);
    pthread_mutex_unlock(&reports->lock);
    while (!list_is_empty(&reports->waiting))
        end(LIST_OWNER(list_take_first(&reports->waiting), struct entry, node), STATUS_CANCELED, NULL);
    pthread_cond_destroy(&reports->changed);
    pthread_mutex_destroy(&reports->lock);
    memory_free(reports);
}
