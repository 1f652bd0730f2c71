/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/retry_pause.h"

#include <assert.h>

#include "base/secret.h"

int64_t retry_pause_next_ms(struct retry_pause *pause)
{
    uint32_t random = 0;
    assert(pause->first_ms > 0 && pause->longest_ms >= pause->first_ms);
    int64_t whole_ms = pause->next_ms > 0 ? pause->next_ms : pause->first_ms;
    pause->next_ms = whole_ms > pause->longest_ms / 2 ? pause->longest_ms : 2 * whole_ms;
    secret_random(&random, sizeof(random));
    return whole_ms - (int64_t)random % (whole_ms / 2 + 1);
}

void retry_pause_reset(struct retry_pause *pause)
{
    pause->next_ms = 0;
}
