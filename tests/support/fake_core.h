/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core for tests of the adapter: the contract's Sessions.Login and Logout and Deliveries.Lease, Acknowledge and Fail over
 * real RPC, answered from a script, without rules or store. What it is told is recorded.
 *
 * The one user is FAKE_CORE_USER with FAKE_CORE_PASSWORD. A Lease finds what fake_core_add put in, or waits for it.
 * Aborts the process on its own failures.
 *
 * Threading: any thread.
 */
#ifndef TESTS_SUPPORT_FAKE_CORE_H
#define TESTS_SUPPORT_FAKE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define FAKE_CORE_USER     "courier"
#define FAKE_CORE_PASSWORD "a secret"

enum {
    FAKE_CORE_ADDRESS_MAX = 64,
    FAKE_CORE_KEY_MAX = 64,
    FAKE_CORE_DELIVERIES_MAX = 1024,
    FAKE_CORE_REPORTS_MAX = 4096,
    FAKE_CORE_WAITING_MAX = 16, /* Lease calls that wait */
};

struct fake_core;

struct fake_core_delivery {
    uint64_t submission_id;
    const char *url;    /* borrowed until it is leased */
    const char *header; /* likewise */
    const char *result; /* likewise */
    int outcome;        /* of the contract; 0: OUTCOME_RESULT */
    int64_t lease_ms;   /* 0: 60,000 */
};

struct fake_core_report {
    bool acknowledged; /* else failed */
    uint64_t submission_id;
    char delivery_key[FAKE_CORE_KEY_MAX];
    char message[ERROR_TEXT_MAX];
    bool permanent;
    bool uncounted;
    int64_t retry_after_ms;
    int64_t at_us; /* clock_monotonic_us() when it came */
};

/* Listens on a free port of loopback. Never NULL. */
struct fake_core *fake_core_start(void);
void fake_core_destroy(struct fake_core *core); /* NULL is fine */

/* The core goes away and comes back on the same address. Sessions, deliveries and records stay, as in a restart. */
void fake_core_stop(struct fake_core *core);
void fake_core_resume(struct fake_core *core);

/* "127.0.0.1:PORT"; valid until destroy. */
const char *fake_core_address(const struct fake_core *core);

/* Ends all sessions: their tokens are refused from now on. */
void fake_core_end_sessions(struct fake_core *core);

/* Puts a delivery in, for the next Lease. Its key is "key-N" with the submission's id. */
void fake_core_add(struct fake_core *core, const struct fake_core_delivery *delivery);

/* The next count reports are answered with status, and not recorded. */
void fake_core_refuse_reports(struct fake_core *core, size_t count, enum status status);

bool fake_core_wait_for_reports(struct fake_core *core, size_t count, int64_t timeout_ms);
/* Waits until a Lease call waits for deliveries. */
bool fake_core_wait_for_lease(struct fake_core *core, int64_t timeout_ms);

/* The index-th report from 0, by value. Aborts when there is none. */
struct fake_core_report fake_core_report(struct fake_core *core, size_t index);

size_t fake_core_report_count(struct fake_core *core);
size_t fake_core_refused_count(struct fake_core *core); /* reports that were refused by order */
size_t fake_core_login_count(struct fake_core *core);
size_t fake_core_logout_count(struct fake_core *core);
size_t fake_core_leased_max(struct fake_core *core); /* the most deliveries that were leased and not reported at one time */

#endif
