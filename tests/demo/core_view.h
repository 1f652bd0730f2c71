/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the core knows of a submission, asked over gRPC as the one who handed it in.
 *
 * Threading: any thread, one at a time.
 */
#ifndef TESTS_DEMO_CORE_VIEW_H
#define TESTS_DEMO_CORE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { CORE_VIEW_TIMEOUT_MS = 20000, CORE_VIEW_NAME_MAX = 129, CORE_VIEW_MESSAGE_MAX = 256, CORE_VIEW_HEADER_MAX = 1024 };

struct core_view;

/* A submission as it stands. Times are milliseconds since 1970-01-01 UTC by the core's clock. */
struct core_view_state {
    bool is_leased;
    bool is_graded;
    bool is_delivered;
    bool is_over; /* no grade will come any more */
    uint32_t attempt;
    int64_t submitted_at_ms;
    int64_t state_at_ms; /* since when it is leased, graded, ... */
    int64_t delivered_at_ms;
    char grader[CORE_VIEW_NAME_MAX];
    char message[CORE_VIEW_MESSAGE_MAX]; /* what went wrong last, or "" */
    char header[CORE_VIEW_HEADER_MAX];   /* as it was handed in; cut when longer */
};

/* Connects and logs in. Errors: those of the login; text in error. */
enum status core_view_open(const char *address, const char *user, const char *password, struct core_view **out_view,
                           struct error *error) STATUS_CHECKED;
void core_view_close(struct core_view *view); /* NULL is fine */

/* STATUS_NOT_FOUND, and those of the connection; text in error. */
enum status core_view_get(struct core_view *view, uint64_t submission_id, struct core_view_state *out_state,
                          struct error *error) STATUS_CHECKED;

#endif
