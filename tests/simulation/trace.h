/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened, for people: the last lines of a run, kept so that a failing one can show them, and the first promise that was
 * found broken. Lease keys are random and never stand here; they have numbers.
 *
 * Threading: one run, one thread.
 */
#ifndef TESTS_SIMULATION_TRACE_H
#define TESTS_SIMULATION_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { TRACE_LINES_MAX = 120, TRACE_LINE_MAX = 200 };

/* What the service promises; each is watched by checks of its own. */
enum promise {
    PROMISE_KEPT,
    PROMISE_ACKNOWLEDGED, /* what was acknowledged is there, and nothing else */
    PROMISE_ONE_LEASE,    /* one valid lease key per submission, good as long as was promised */
    PROMISE_STALE_KEY,    /* only the newest key may say something */
    PROMISE_ONE_RESULT,   /* exactly one accepted result per generation, and it is the one that is kept and delivered */
    PROMISE_CREDIT,       /* a grader is granted no more than it asked for, over all paths */
    PROMISE_RESTART,      /* a restart ends no live lease */
    PROMISE_DELIVERY,     /* an outcome is brought until the LMS has it, in order, and then no more */
    PROMISE_FINAL,        /* every submission reaches a final state */
    PROMISE_LABELS,       /* a grader is granted nothing that it has not the labels for */
    PROMISE_FAIR,         /* one student cannot keep another waiting for long */
    PROMISE_STATE,        /* no state that nothing explains */
    PROMISE_MEMORY,       /* memory says what the store says */
    PROMISE_ANSWER,       /* an answer that the contract allows */
    PROMISE_END
};

struct trace {
    char lines[TRACE_LINES_MAX][TRACE_LINE_MAX];
    uint64_t count;
    FILE *also; /* borrowed; every line at once; NULL: nowhere */
    uint64_t step;
    int64_t start_ms;
    int64_t now_ms;
    enum promise broken;
    uint64_t broken_at;
    char breach[400];
};

void trace_add(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first one counts; the run ends with its step. */
void trace_break(struct trace *trace, enum promise promise, const char *format, ...) __attribute__((format(printf, 3, 4)));

void trace_print(const struct trace *trace, FILE *stream);

const char *promise_name(enum promise promise);
enum promise promise_from_name(const char *name); /* PROMISE_END: none */

#endif
