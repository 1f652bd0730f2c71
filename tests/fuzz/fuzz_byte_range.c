/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as a Range: what is taken lies within the file. The first byte chooses the file's length. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest-adapter/byte_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t lengths[] = {0, 1, 10, 1000000, INT64_MAX};
    if (size == 0)
        return 0;
    int64_t file_bytes = lengths[data[0] % (sizeof lengths / sizeof lengths[0])];
    char *value = memory_allocate(size);
    memcpy(value, data + 1, size - 1);
    value[size - 1] = '\0';

    struct byte_range range = {-1, -1};
    enum byte_range_kind kind = byte_range_parse(value, file_bytes, &range);
    require(range.first >= 0 && range.length >= 0 && range.length <= file_bytes && range.first <= file_bytes - range.length);
    require(kind != BYTE_RANGE_WHOLE || (range.first == 0 && range.length == file_bytes));
    require(kind != BYTE_RANGE_PART || range.length > 0);
    require(kind != BYTE_RANGE_UNSATISFIABLE || range.length == 0);
    memory_free(value);
    return 0;
}
