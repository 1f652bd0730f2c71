/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load that goes on whatever dies: threads of an LMS over REST, of a student over gRPC, and of streamed graders, and one ledger
 * of what was promised to whom. Meant for a service that is killed and started again meanwhile.
 *
 * A submission is known by its number: its body is the number, its outcome goes to "/load/NUMBER", and its result must be
 * "graded NUMBER". The ledger notes breaches: a grant of a submission that another grader holds just then, by its own clock, a
 * lease that was lost though it was renewed in time, a refusal that is not the adapter's temporary error.
 *
 * Threading: any thread.
 */
#ifndef TESTS_SUPPORT_LOAD_H
#define TESTS_SUPPORT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/fake_lms.h"
#include "tests/support/running_service.h"

enum { LOAD_NUMBERS_MAX = 20000, LOAD_THREADS_MAX = 16 };

struct load;

struct load_options {
    const struct running_service *service; /* borrowed; may be restarted on the same ports */
    struct fake_lms *lms;                  /* borrowed */
    const char *queue;                     /* borrowed; pings come some ten times within its lease length */
    int64_t lease_ms;                      /* of the queue */
    int rest_students;
    int rpc_students;
    int graders;
};

struct load *load_start(const struct load_options *options);

/* Waits until so many more gradings have been confirmed than when it was called. false: it took too long. */
bool load_await_gradings(struct load *load, size_t count);

/* No new submissions from now on. */
void load_stop_students(struct load *load);

/* After load_stop_students: waits until the LMS has heard of every acknowledged submission. false: one is missing; which one is
 * printed. */
bool load_await_all_heard(struct load *load);

struct load_account {
    size_t acknowledged; /* submissions */
    size_t gradings;     /* confirmed ones */
    size_t refused;      /* submits that were not acknowledged */
    size_t breaches;     /* each has been printed */
};
/* Ends all threads, checks every callback's result, and frees. */
struct load_account load_finish(struct load *load);

#endif
