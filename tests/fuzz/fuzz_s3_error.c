/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as the reply of an object server: the code is letters and digits, and fits. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rest-adapter/s3_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char code[S3_ERROR_CODE_MAX];

    memset(code, 'x', sizeof(code));
    s3_error_code((struct span){(const char *)data, size}, code);
    size_t length = strnlen(code, sizeof(code));
    if (length == sizeof(code) || strspn(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != length) {
        abort();
    }
    return 0;
}
