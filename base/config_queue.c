/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of one queue, wherever they come from. */
#include "base/config.h"

#include <assert.h>
#include <inttypes.h>

#include "base/config_schema.h"
#include "base/config_value.h"
#include "base/memory.h"

void config_queue_init(struct config_queue *queue, const char *name)
{
    struct error error;
    const struct config_reader reader = {.name = "", .folder = "", .error = &error};
    *queue = (struct config_queue){.name = memory_copy_text(name)};
    enum status status = config_section_read(&reader, NULL, &config_section_queue, "", queue);
    assert(status == STATUS_OK); /* defaults are right by themselves */
}

void config_queue_finish(struct config_queue *queue)
{
    memory_free(queue->name);
    config_section_finish(&config_section_queue, queue);
    queue->name = NULL;
}

static bool is_out_of_range(const struct config_key *key, const struct config_queue *queue)
{
    const int64_t *number = (const int64_t *)(const void *)((const char *)queue + key->offset);
    return key->kind == CONFIG_KIND_NUMBER && (*number < key->min || *number > key->max);
}

bool config_queue_fault(const struct config_queue *queue, char out[CONFIG_FAULT_MAX])
{
    for (size_t at = 0; at < config_section_queue.key_count; at++) {
        const struct config_key *key = &config_section_queue.keys[at];
        if (is_out_of_range(key, queue)) {
            (void)snprintf(out, CONFIG_FAULT_MAX, "%s is %" PRId64 " to %" PRId64, key->name, key->min, key->max);
            return true;
        }
    }
    if (queue->hard_limit_ms < queue->lease_ms) {
        (void)snprintf(out, CONFIG_FAULT_MAX, "hard_limit_ms (%" PRId64 ") is less than lease_ms (%" PRId64 ")",
                       queue->hard_limit_ms, queue->lease_ms);
        return true;
    }
    if (queue->push_url[0] != '\0' && queue->push_timeout_ms > queue->hard_limit_ms) {
        (void)snprintf(out, CONFIG_FAULT_MAX, "push_timeout_ms (%" PRId64 ") is more than hard_limit_ms (%" PRId64 ")",
                       queue->push_timeout_ms, queue->hard_limit_ms);
        return true;
    }
    if (queue->retry_delay_ms_max < queue->retry_delay_ms) {
        (void)snprintf(out, CONFIG_FAULT_MAX, "retry_delay_ms_max (%" PRId64 ") is less than retry_delay_ms (%" PRId64 ")",
                       queue->retry_delay_ms_max, queue->retry_delay_ms);
        return true;
    }
    return false;
}
