/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/import_report.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

const char *import_fate_name(enum import_fate fate)
{
    static const char *const names[IMPORT_FATE_COUNT] = {
        [IMPORT_WAITING] = "waiting",       [IMPORT_LEASED] = "leased",       [IMPORT_GRADED] = "graded_undelivered",
        [IMPORT_SUPERSEDED] = "superseded", [IMPORT_DEAD] = "dead",           [IMPORT_ALREADY] = "already_there",
        [IMPORT_RETIRED] = "history",       [IMPORT_TOO_LARGE] = "too_large", [IMPORT_UNKNOWN_QUEUE] = "unknown_queue",
    };
    assert((unsigned)fate < IMPORT_FATE_COUNT);
    return names[fate];
}

const char *import_user_fate_name(enum import_user_fate fate)
{
    static const char *const names[IMPORT_USER_FATE_COUNT] = {
        [IMPORT_USER_TAKEN] = "imported", [IMPORT_USER_ALREADY] = "already_there", [IMPORT_USER_CONFIGURED] = "configured",
        [IMPORT_USER_EXISTS] = "exists",  [IMPORT_USER_INACTIVE] = "inactive",     [IMPORT_USER_UNUSABLE] = "unusable_password",
    };
    assert((unsigned)fate < IMPORT_USER_FATE_COUNT);
    return names[fate];
}

void import_names_add(struct import_names *names, const char *name)
{
    for (size_t at = 0; at < names->count; at++) {
        if (strcmp(names->items[at], name) == 0) {
            names->counts[at]++;
            return;
        }
    }
    if (names->count == IMPORT_NAMES_MAX) {
        names->more++;
        return;
    }
    if (names->count == 0) {
        names->items = memory_allocate_array(IMPORT_NAMES_MAX, sizeof *names->items);
        names->counts = memory_allocate_array(IMPORT_NAMES_MAX, sizeof *names->counts);
    }
    names->items[names->count] = memory_copy_text(name);
    names->counts[names->count++] = 1;
}

void import_names_finish(struct import_names *names)
{
    for (size_t at = 0; at < names->count; at++)
        memory_free(names->items[at]);
    memory_free(names->items);
    memory_free(names->counts);
    *names = (struct import_names){0};
}

void import_report_finish(struct import_report *report)
{
    memory_free(report->queues);
    import_names_finish(&report->unknown_queues);
    import_names_finish(&report->too_large);
    import_names_finish(&report->unusable_users);
    import_names_finish(&report->inactive_users);
    *report = (struct import_report){0};
}
