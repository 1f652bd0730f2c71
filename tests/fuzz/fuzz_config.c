/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
/* Any bytes as a configuration file: parsed and freed, or refused with a text. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct config *config = NULL;
    struct error error = {.text = ""};
    log_configure("fuzz_config", LOG_ERROR, LOG_LOGFMT);
    enum status status = config_parse("fuzz.yml", "/nonexistent", (const char *)bytes, length, &config, &error);
    if (status == STATUS_OK) {
        assert(config->queue_count > 0 && config->service.listen.count > 0);
        assert(config_find_queue(config, config->queues[0].name) == &config->queues[0]);
    } else {
        assert(!config && strncmp(error.text, "fuzz.yml:", strlen("fuzz.yml:")) == 0);
    }
    config_destroy(config);
    return 0;
}
