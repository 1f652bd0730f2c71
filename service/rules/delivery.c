/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rules/delivery.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const state_names[DELIVERY_STATE_END] = {
    [DELIVERY_NONE] = "NONE",
    [DELIVERY_PENDING] = "PENDING",
    [DELIVERY_IN_FLIGHT] = "IN_FLIGHT",
    [DELIVERY_DELIVERED] = "DELIVERED",
    [DELIVERY_UNDELIVERABLE] = "UNDELIVERABLE",
};

static const char *const outcome_names[DELIVERY_OUTCOME_END] = {
    [DELIVERY_OUTCOME_RESULT] = "RESULT",
    [DELIVERY_OUTCOME_DEAD] = "DEAD",
    [DELIVERY_OUTCOME_UNGRADABLE] = "UNGRADABLE",
};

/* The diagram of the header as a table. NONE is the absence of a row: nothing moves from or to it. */
static const bool legal[DELIVERY_STATE_END][DELIVERY_STATE_END] = {
    [DELIVERY_PENDING] =
        {
            [DELIVERY_PENDING] = true,
            [DELIVERY_IN_FLIGHT] = true,
            [DELIVERY_DELIVERED] = true,
        },
    [DELIVERY_IN_FLIGHT] =
        {
            [DELIVERY_PENDING] = true,
            [DELIVERY_DELIVERED] = true,
            [DELIVERY_UNDELIVERABLE] = true,
        },
    [DELIVERY_DELIVERED] =
        {
            [DELIVERY_PENDING] = true,
        },
    [DELIVERY_UNDELIVERABLE] =
        {
            [DELIVERY_PENDING] = true,
        },
};

static bool is_state(enum delivery_state state)
{
    return (unsigned)state >= DELIVERY_NONE && (unsigned)state < DELIVERY_STATE_END;
}

bool delivery_move_is_legal(enum delivery_state from, enum delivery_state to)
{
    return is_state(from) && is_state(to) && legal[from][to];
}

const char *delivery_state_name(enum delivery_state state)
{
    assert(is_state(state));
    return state_names[state];
}

enum delivery_state delivery_state_from_name(const char *name)
{
    for (unsigned state = DELIVERY_NONE; state < DELIVERY_STATE_END; state++) {
        if (strcmp(name, state_names[state]) == 0)
            return (enum delivery_state)state;
    }
    return (enum delivery_state)0;
}

const char *delivery_outcome_name(enum delivery_outcome outcome)
{
    assert((unsigned)outcome >= DELIVERY_OUTCOME_RESULT && (unsigned)outcome < DELIVERY_OUTCOME_END);
    return outcome_names[outcome];
}

enum delivery_outcome delivery_outcome_from_name(const char *name)
{
    for (unsigned outcome = DELIVERY_OUTCOME_RESULT; outcome < DELIVERY_OUTCOME_END; outcome++) {
        if (strcmp(name, outcome_names[outcome]) == 0)
            return (enum delivery_outcome)outcome;
    }
    return (enum delivery_outcome)0;
}
