/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/lms_health.h"

#include <string.h>

#include "base/memory.h"

struct failing_origin {
    struct list_node node; /* of health->failing */
    char *name;            /* owned */
};

static struct failing_origin *find(const struct lms_health *health, const char *origin)
{
    for (struct list_node *node = list_first(&health->failing); node; node = list_next(&health->failing, node)) {
        struct failing_origin *failing = LIST_OWNER(node, struct failing_origin, node);
        if (strcmp(failing->name, origin) == 0)
            return failing;
    }
    return NULL;
}

static void forget(struct lms_health *health, struct failing_origin *failing)
{
    list_remove(&health->failing, &failing->node);
    memory_free(failing->name);
    memory_free(failing);
}

void lms_health_init(struct lms_health *health)
{
    list_init(&health->failing);
}

void lms_health_finish(struct lms_health *health)
{
    while (!list_is_empty(&health->failing))
        forget(health, LIST_OWNER(list_first(&health->failing), struct failing_origin, node));
}

bool lms_health_is_failing(const struct lms_health *health, const char *origin)
{
    return find(health, origin) != NULL;
}

bool lms_health_failed(struct lms_health *health, const char *origin)
{
    if (find(health, origin))
        return false;
    if (health->failing.count >= LMS_HEALTH_ORIGINS_MAX)
        forget(health, LIST_OWNER(list_first(&health->failing), struct failing_origin, node));
    struct failing_origin *failing = MEMORY_NEW(struct failing_origin);
    failing->name = memory_copy_text(origin);
    list_append(&health->failing, &failing->node);
    return true;
}

bool lms_health_answered(struct lms_health *health, const char *origin)
{
    struct failing_origin *failing = find(health, origin);
    if (!failing)
        return false;
    forget(health, failing);
    return true;
}
