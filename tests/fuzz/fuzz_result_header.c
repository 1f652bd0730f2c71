/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as the JSON value of submission_id, and of submission_key. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "rest-adapter/legacy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static enum status parse(const char *id, size_t id_length, const char *key, size_t key_length,
                         struct legacy_result_header *out_header)
{
    struct text header;
    struct error error = {0};
    text_init(&header, LEGACY_HEADER_BYTES_MAX);
    text_append_string(&header, "{\"submission_id\": ");
    text_append(&header, id, id_length);
    text_append_string(&header, ", \"submission_key\": ");
    text_append(&header, key, key_length);
    text_append_string(&header, "}");
    enum status status = legacy_result_header_parse((struct span){header.bytes, header.length}, out_header, &error);
    require(status == STATUS_OK || error.text[0] != '\0');
    text_finish(&header);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct legacy_result_header header = {0};

    enum status status = parse(bytes, size, "\"k\"", 3, &header);
    require(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOT_FOUND);
    require((status == STATUS_OK) == (header.submission_id >= 1 && header.submission_id <= INT64_MAX));
    header = (struct legacy_result_header){0};
    status = parse("1", 1, bytes, size, &header);
    require(status == STATUS_OK || header.key[0] == '\0');
    require(strlen(header.key) <= LEGACY_HEADER_KEY_BYTES_MAX && text_is_utf8(header.key, strlen(header.key)));
    return 0;
}
