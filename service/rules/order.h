/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one ready order: priority rank, then virtual time, then id. Without priorities and fairness keys that is first come,
 * first served.
 *
 * Virtual time: what has no fairness key, and the first of a key, gets the time when it arrives; each further one of the key is
 * put behind the one before it by as long as a grader is busy with that, and by an eighth of how far behind it stands itself.
 * So whoever hands in a few is served almost as if each came from somebody else, and however much one key hands in at once, of
 * it there stand before a newcomer who arrives a time t later no more than 2 + 8.5 ln(1 + t / 8c), where c is the cost of one:
 * 80 in a whole day of gradings of a second. (Start-time fair queueing, Goyal, Vin and Cheng 1996, with the clock for its
 * virtual time, so that nobody waits for ever, and a share that shrinks.)
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_ORDER_H
#define SERVICE_RULES_ORDER_H

#include <stdbool.h>
#include <stdint.h>

enum { ORDER_PRIORITY_NORMAL = 0, ORDER_PRIORITY_HIGH = 1, ORDER_PRIORITY_LOW = 2, ORDER_PRIORITY_END };

enum {
    ORDER_COST_MAX = 1000000,
    ORDER_GRADING_MS_DEFAULT = 1000,    /* how long a grading is taken to last before there was one */
    ORDER_BEHIND_MS_MAX = 24 * 3600000, /* nothing is put further behind those that arrive now */
    ORDER_SHRINK_DIVISOR = 8,
};

/* The sort rank of a priority class of the contract: high 0, normal 1, low 2. Asserts priority < ORDER_PRIORITY_END. */
int64_t order_rank(uint32_t priority);

/* Where a submission stands. */
struct order_place {
    int64_t rank;
    int64_t virtual_ms;
    int64_t id;
};
bool order_comes_before(const struct order_place *a, const struct order_place *b);

/*
 * How long one grader is busy with a submission of that cost (1 to ORDER_COST_MAX), when usual_cost (at least 1) takes
 * grading_ms (0 or less: not known, or a clock was set back): 1 to ORDER_BEHIND_MS_MAX.
 */
int64_t order_cost_ms(int64_t cost, int64_t usual_cost, int64_t grading_ms);

struct order_turn {
    int64_t virtual_ms; /* of the submission */
    int64_t free_at_ms; /* of its key: the earliest virtual time of the next one */
};
/* The turn of a submission that arrives now under a key that is free at free_at_ms (0 = it handed in nothing). */
struct order_turn order_take_turn(int64_t now_ms, int64_t free_at_ms, int64_t cost_ms);

#endif
