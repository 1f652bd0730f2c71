/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/direct_files.h"

#include "base/memory.h"

enum { URL_BYTES = 4 * FILES_URL_BYTES_MAX }; /* whatever the core keeps as a URL, or a presigned one */

void direct_files_init(struct direct_files *direct, size_t count)
{
    direct->items = memory_allocate_array(count, sizeof(*direct->items));
    direct->urls = memory_allocate_array(count, sizeof(*direct->urls));
    direct->count = 0;
}

void direct_files_add(struct direct_files *direct, struct files *files, const char *name, const char *url)
{
    struct text *out = &direct->urls[direct->count];
    text_init(out, URL_BYTES);
    files_append_direct_url(files, span_of(url), out);
    direct->items[direct->count++] = (struct legacy_file){.field = span_of(name), .url = {out->bytes, out->length}};
}

void direct_files_finish(struct direct_files *direct)
{
    for (size_t i = 0; i < direct->count; i++)
        text_finish(&direct->urls[i]);
    memory_free(direct->urls);
    memory_free(direct->items);
}
