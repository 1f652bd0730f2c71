/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/*
 * Any bytes as path and query of a request for a file, and as a queue's name. Nothing passes as a link but what was signed; a
 * queue's shelf makes a link that passes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest-adapter/file_link.h"

#define KEY "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct file_link_secret secret = {.bytes = {7}};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_request(const char *path, const char *query)
{
    char place[FILE_PLACE_MAX];
    require(file_link_check(&secret, path, query, 0, place) != STATUS_OK);
}

static void check_queue(struct span queue)
{
    char shelf[FILE_SHELF_MAX];
    char place[FILE_PLACE_MAX];
    char found[FILE_PLACE_MAX];
    struct text path;
    struct text link;

    file_shelf_of(queue, shelf);
    file_place_of(shelf, KEY, place);
    require(file_place_is_valid(place) && strcmp(file_place_key(place), KEY) == 0);
    text_init(&path, 4096);
    text_init(&link, 4096);
    text_append_format(&path, FILE_LINK_PATH "%s", place);
    file_link_append(&link, &secret, place, 100);
    require(text_status(&link) == STATUS_OK);
    const char *query = strchr(link.bytes, '?') + 1;
    require(file_link_check(&secret, path.bytes, query, 99, found) == STATUS_OK && strcmp(found, place) == 0);
    require(file_link_check(&secret, path.bytes, query, 100, found) == STATUS_DENIED);
    text_finish(&path);
    text_finish(&link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = memory_allocate(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    if (size > 0)
        check_queue((struct span){text, size});
    char *query = strchr(text, '?');
    if (query)
        *query++ = '\0';
    check_request(text, query);
    memory_free(text);
    return 0;
}
