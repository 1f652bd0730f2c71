/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as a Cookie header. */
#include <stdint.h>
#include <stdlib.h>

#include "rest-adapter/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {.bytes = (const char *)data, .length = size};
    char value[COOKIE_VALUE_BYTES_MAX + 1];
    enum cookie_search found = cookie_find(input, COOKIE_SESSION, value);
    if (strlen(value) > COOKIE_VALUE_BYTES_MAX || (found != COOKIE_FOUND && value[0] != '\0'))
        abort();
    return 0;
}
