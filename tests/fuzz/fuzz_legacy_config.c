/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_ctl */
/* Any bytes as an original's configuration: what is made of it is a configuration of ours that xqueued takes. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/config_tree.h"
#include "base/log.h"
#include "service/ctl/legacy_plan.h"
#include "service/ctl/legacy_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check(const struct config_node *root)
{
    static const char *const origins[] = {"https://lms.example.org"};
    struct legacy_plan plan = {.lms_origins = origins, .lms_origin_count = 1};
    struct text text;
    struct config *config = NULL;
    struct error error = {.text = ""};
    text_init(&text, LEGACY_CONFIG_BYTES_MAX);
    legacy_plan_take(&plan, "fuzz.yml", root);
    legacy_plan_complete(&plan);
    legacy_writer_write(&plan, "/folder of \"secrets\"", &text);
    if (text_status(&text) == STATUS_OK) {
        enum status status = config_parse_as_client("result", "", text.bytes, text.length, &config, &error);
        if (status != STATUS_OK)
            (void)fprintf(stderr, "%s\n%s\n", error.text, text.bytes);
        assert(status == STATUS_OK);
        assert(config->queue_count == plan.queue_count && config->user_count == plan.user_count);
    }
    config_destroy(config);
    text_finish(&text);
    legacy_plan_finish(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct config_node *root = NULL;
    struct error error = {.text = ""};
    log_configure("fuzz_legacy_config", LOG_ERROR, LOG_LOGFMT);
    if (config_tree_parse_lenient("fuzz.yml", (const char *)bytes, length, &root, &error) != STATUS_OK)
        return 0;
    if (root->kind == CONFIG_NODE_MAP)
        check(root);
    config_tree_destroy(root);
    return 0;
}
