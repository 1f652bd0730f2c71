/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rules/labels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char *find_value(const struct labels *labels, const char *name)
{
    for (size_t i = 0; i < labels->count; i++) {
        if (strcmp(labels->items[i].name, name) == 0)
            return labels->items[i].value;
    }
    return NULL;
}

bool labels_cover(const struct labels *offered, const struct labels *asked)
{
    if (asked->count > offered->count)
        return false;
    for (size_t i = 0; i < asked->count; i++) {
        const char *value = find_value(offered, asked->items[i].name);
        if (!value || strcmp(value, asked->items[i].value) != 0)
            return false;
    }
    return true;
}

bool labels_are_equal(const struct labels *a, const struct labels *b)
{
    return a->count == b->count && labels_cover(a, b);
}

bool labels_repeat_a_name(const struct labels *labels)
{
    for (size_t i = 1; i < labels->count; i++) {
        const struct labels before = {.items = labels->items, .count = i};
        if (find_value(&before, labels->items[i].name))
            return true;
    }
    return false;
}

struct labels labels_copy(const struct labels *labels)
{
    struct labels copy = {.count = labels->count};
    if (labels->count > 0)
        copy.items = memory_allocate_array(labels->count, sizeof *copy.items);
    for (size_t i = 0; i < labels->count; i++) {
        copy.items[i].name = memory_copy_text(labels->items[i].name);
        copy.items[i].value = memory_copy_text(labels->items[i].value);
    }
    return copy;
}

void labels_finish(struct labels *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        memory_free(labels->items[i].name);
        memory_free(labels->items[i].value);
    }
    memory_free(labels->items);
    *labels = (struct labels){0};
}

static int compare_names(const void *a, const void *b)
{
    const struct label *left = *(const struct label *const *)a;
    const struct label *right = *(const struct label *const *)b;
    return strcmp(left->name, right->name);
}

int64_t labels_set_id(const struct labels *labels, const uint8_t salt[16])
{
    const struct label *sorted[LABELS_ASKED_MAX];
    uint8_t digest[SECRET_DIGEST_BYTES];
    uint64_t number = 0;
    assert(labels->count <= LABELS_ASKED_MAX);
    if (labels->count == 0)
        return 0;
    for (size_t i = 0; i < labels->count; i++)
        sorted[i] = &labels->items[i];
    qsort(sorted, labels->count, sizeof(const struct label *), compare_names);
    struct secret_digest_stream *stream = secret_digest_stream_create();
    secret_digest_stream_add(stream, salt, 16);
    for (size_t i = 0; i < labels->count; i++) {
        // With their NULs, so that no two sets have the same bytes.
        secret_digest_stream_add(stream, sorted[i]->name, strlen(sorted[i]->name) + 1);
        secret_digest_stream_add(stream, sorted[i]->value, strlen(sorted[i]->value) + 1);
    }
    secret_digest_stream_finish(stream, digest);
    memcpy(&number, digest, sizeof number);
    int64_t id = (int64_t)(number >> 1);
    return id > 0 ? id : 1;
}
