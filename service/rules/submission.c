/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rules/submission.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const names[SUBMISSION_STATE_END] = {
    [SUBMISSION_READY] = "READY",
    [SUBMISSION_LEASED] = "LEASED",
    [SUBMISSION_DELAYED] = "DELAYED",
    [SUBMISSION_GRADED] = "GRADED",
    [SUBMISSION_DEAD] = "DEAD",
    [SUBMISSION_CANCELED] = "CANCELED",
    [SUBMISSION_SUPERSEDED] = "SUPERSEDED",
    [SUBMISSION_UNGRADABLE] = "UNGRADABLE",
};

/* The diagram of the header as a table. GRADED from READY, DELAYED and DEAD is the late result of the newest lease. */
static const bool legal[SUBMISSION_STATE_END][SUBMISSION_STATE_END] = {
    [SUBMISSION_READY] =
        {
            [SUBMISSION_LEASED] = true,
            [SUBMISSION_GRADED] = true,
            [SUBMISSION_DEAD] = true,
            [SUBMISSION_CANCELED] = true,
            [SUBMISSION_SUPERSEDED] = true,
        },
    [SUBMISSION_LEASED] =
        {
            [SUBMISSION_READY] = true,
            [SUBMISSION_DELAYED] = true,
            [SUBMISSION_GRADED] = true,
            [SUBMISSION_DEAD] = true,
            [SUBMISSION_CANCELED] = true,
            [SUBMISSION_SUPERSEDED] = true,
            [SUBMISSION_UNGRADABLE] = true,
        },
    [SUBMISSION_DELAYED] =
        {
            [SUBMISSION_READY] = true,
            [SUBMISSION_GRADED] = true,
            [SUBMISSION_DEAD] = true,
            [SUBMISSION_CANCELED] = true,
            [SUBMISSION_SUPERSEDED] = true,
        },
    [SUBMISSION_GRADED] =
        {
            [SUBMISSION_READY] = true,
            [SUBMISSION_GRADED] = true,
        },
    [SUBMISSION_DEAD] =
        {
            [SUBMISSION_READY] = true,
            [SUBMISSION_GRADED] = true,
        },
    [SUBMISSION_UNGRADABLE] =
        {
            [SUBMISSION_READY] = true,
        },
};

static bool is_state(enum submission_state state)
{
    return (unsigned)state >= SUBMISSION_READY && (unsigned)state < SUBMISSION_STATE_END;
}

bool submission_move_is_legal(enum submission_state from, enum submission_state to)
{
    return is_state(from) && is_state(to) && legal[from][to];
}

bool submission_is_live(enum submission_state state)
{
    return state == SUBMISSION_READY || state == SUBMISSION_LEASED || state == SUBMISSION_DELAYED;
}

const char *submission_state_name(enum submission_state state)
{
    assert(is_state(state));
    return names[state];
}

enum submission_state submission_state_from_name(const char *name)
{
    for (unsigned state = SUBMISSION_READY; state < SUBMISSION_STATE_END; state++) {
        if (strcmp(name, names[state]) == 0)
            return (enum submission_state)state;
    }
    return (enum submission_state)0;
}
