/* SPDX-License-Identifier: Apache-2.0 */
#include "service/submit_rates.h"

#include <string.h>

#include "base/memory.h"

#define MS_US     INT64_C(1000)
#define MINUTE_US INT64_C(60000000)

/* So many are forgotten for one that comes: what is kept cannot grow for ever. */
enum { FORGOTTEN_AT_ONCE = 2 };

struct submit_rate {
    struct map_node by_submitter;
    char *submitter; /* owned */
    int64_t full_at_us;
};

void submit_rates_init(struct submit_rates *rates)
{
    map_init(&rates->by_submitter);
}

static void submit_rates_remove(struct submit_rates *rates, struct submit_rate *rate)
{
    map_remove(&rates->by_submitter, &rate->by_submitter);
    memory_free(rate->submitter);
    memory_free(rate);
}

static struct submit_rate *owner_of(struct map_node *node)
{
    return node ? MAP_OWNER(node, struct submit_rate, by_submitter) : NULL;
}

void submit_rates_clear(struct submit_rates *rates)
{
    struct submit_rate *rate = NULL;
    while ((rate = owner_of(map_first(&rates->by_submitter))) != NULL) {
        submit_rates_remove(rates, rate);
    }
}

void submit_rates_finish(struct submit_rates *rates)
{
    submit_rates_clear(rates);
    map_finish(&rates->by_submitter);
}

static struct submit_rate *submit_rates_find(const struct submit_rates *rates, const char *submitter)
{
    return owner_of(map_find(&rates->by_submitter, submitter, strlen(submitter)));
}

int64_t submit_rates_wait_ms(const struct submit_rates *rates, const char *submitter, int64_t per_minute, int64_t now_ms)
{
    const struct submit_rate *rate = submit_rates_find(rates, submitter);
    int64_t step_us = MINUTE_US / per_minute;
    int64_t wait_us = rate ? rate->full_at_us - now_ms * MS_US - (MINUTE_US - step_us) : 0;
    return wait_us > 0 ? (wait_us + MS_US - 1) / MS_US : 0;
}

static void submit_rates_forget_full(struct submit_rates *rates, int64_t now_us)
{
    for (int left = FORGOTTEN_AT_ONCE; left > 0; left--) {
        struct submit_rate *rate = owner_of(map_first(&rates->by_submitter));
        if (!rate || rate->full_at_us > now_us) {
            return;
        }
        submit_rates_remove(rates, rate);
    }
}

void submit_rates_take(struct submit_rates *rates, const char *submitter, int64_t per_minute, int64_t now_ms)
{
    int64_t now_us = now_ms * MS_US;
    struct submit_rate *rate = submit_rates_find(rates, submitter);
    if (rate) {
        map_remove(&rates->by_submitter, &rate->by_submitter); /* put in again, it is the last */
    } else {
        submit_rates_forget_full(rates, now_us);
        rate = MEMORY_NEW(struct submit_rate);
        rate->submitter = memory_copy_text(submitter);
    }
    rate->full_at_us = (rate->full_at_us > now_us ? rate->full_at_us : now_us) + MINUTE_US / per_minute;
    map_put(&rates->by_submitter, &rate->by_submitter, rate->submitter, strlen(rate->submitter));
}
