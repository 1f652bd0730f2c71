/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of the courier share: courier.c leases, starts and stops; courier_delivery.c sees one leased delivery
 * through to its report.
 *
 * Threading: see struct courier.
 */
#ifndef REST_ADAPTER_COURIER_INTERNAL_H
#define REST_ADAPTER_COURIER_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/list.h"
#include "base/log.h"
#include "base/secret.h"
#include "rest-adapter/adapter_name.h"
#include "rest-adapter/courier.h"
#include "rest-adapter/courier_reports.h"
#include "rest-adapter/http_client.h"
#include "rest-adapter/lms_health.h"
#include "xqueue/v1/deliveries.pb-c.h"

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
    char name[ADAPTER_NAME_MAX];
    char instance[SECRET_KEY_TEXT_MAX];
    struct http_client *http;        /* owned until stopped */
    struct courier_reports *reports; /* owned until stopped */
    pthread_t thread;
    _Atomic int references; /* the owner, and calls whose answer may come after the owner has gone */
    struct log_once refused;
    struct backoff pause; /* lease thread only */
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

/* Lease thread: posts what was leased, and has the outcome reported; holds a place until then. */
void courier_deliver(struct courier *courier, const Xqueue__V1__Delivery *leased);

/* For courier_reports: the report of a delivery (item) is over, its place free. */
void courier_on_report_end(void *context, void *item, enum status status, const struct error *error);

#endif
