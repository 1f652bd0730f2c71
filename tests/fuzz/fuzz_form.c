/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as an urlencoded body: limits hold, and all that comes out is UTF-8 with a NUL behind it. */
#include <stdint.h>
#include <stdlib.h>

#include "rest-adapter/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct form_limits limits = {.fields_max = 20, .bytes_max = 2000, .files_max = 2};
    struct span input = {.bytes = (const char *)data, .length = size};
    struct form form;
    struct error error = {0};
    form_init(&form, &limits);

    enum status status = form_parse_urlencoded(&form, input, &error);
    require(status == STATUS_OK || (status == STATUS_FULL && error.reason[0] != '\0' && form.field_count == 0));
    require(form.field_count <= limits.fields_max && form.bytes <= limits.bytes_max);
    struct span value = form_get(&form, "a");
    require(!value.bytes || (text_is_utf8(value.bytes, value.length) && value.bytes[value.length] == '\0'));

    struct form_file *file = NULL;
    if (form_add_file(&form, input, input, input, &file, &error) == STATUS_OK && file)
        require(text_is_name(file->filename.bytes, FORM_NAME_BYTES_MAX) && !strchr(file->filename.bytes, '/'));
    form_finish(&form);
    return 0;
}
