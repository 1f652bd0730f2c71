/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as an Authorization header: what comes out is a name and a text in UTF-8, or nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "rest-adapter/basic_credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct basic_credentials out;
    bool is_read = basic_credentials_read((struct span){(const char *)data, size}, &out);
    bool is_right = text_is_name(out.user, BASIC_USER_BYTES_MAX) && text_is_utf8(out.password, strlen(out.password));
    if (is_read ? !is_right : out.user[0] != '\0' || out.password[0] != '\0')
        abort();
    return 0;
}
