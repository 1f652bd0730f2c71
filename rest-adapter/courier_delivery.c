/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/callback_body.h"
#include "rest-adapter/courier_internal.h"
#include "rest-adapter/trace_context.h"

/* ---- how it ended ---- */

void courier_on_report_end(void *context, void *item, enum status status, const struct error *error)
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

static void log_delivery(const struct delivery *delivery, const struct http_client_result *result, enum log_level level)
{
    const char *event = result->status == STATUS_OK ? "delivery_done" : "delivery_failed";
    log_event(level, event, LOG_INT("submission", (int64_t)delivery->submission_id),
              LOG_TEXT("status", status_name(result->status)), LOG_INT("http", result->http_status),
              LOG_INT("attempt", delivery->attempt), LOG_INT("ms", result->duration_ms), LOG_TEXT("lms", result->origin),
              LOG_TEXT("text", result->text));
}

/* Every success has a line; of failures the first of an LMS, at debug level all. */
static void log_outcome(struct delivery *delivery, const struct http_client_result *result)
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

/* HTTP client's thread. */
static void on_posted(void *context, const struct http_client_result *result)
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

static enum status write_body(const Xqueue__V1__Delivery *leased, struct http_client_request *request, struct error *error)
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
    status = callback_body_write(span_of_bytes(leased->header), result, &request->body, &request->body_length);
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
    const struct config_callbacks *callbacks = &courier->config->callbacks;
    struct trace_lines trace;
    trace_lines_make(&trace, leased->trace_parent, leased->trace_state);
    struct http_client_request request = {.method = HTTP_CLIENT_POST,
                                          .url = leased->callback_url,
                                          .content_type = CALLBACK_BODY_CONTENT_TYPE,
                                          .headers = trace.lines,
                                          .header_count = trace.count,
                                          .limits = {.connect_timeout_ms = callbacks->connect_timeout_ms,
                                                     .timeout_ms = callbacks->timeout_ms,
                                                     .reply_bytes_max = callbacks->reply_bytes_max},
                                          .start_within_ms = place_wait_ms(courier, leased),
                                          .once = true}; // an LMS that dies of it gets it once a try
    enum status status = write_body(leased, &request, error);
    if (status != STATUS_OK)
        return status;
    status = http_client_start(courier->http, &request, on_posted, delivery, error);
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

void courier_deliver(struct courier *courier, const Xqueue__V1__Delivery *leased)
{
    struct error error = {0};
    struct delivery *delivery = hold(courier, leased);
    if (!delivery)
        return;
    enum status status = post(delivery, leased, &error);
    if (status != STATUS_OK)
        fail_untried(delivery, status, &error);
}
