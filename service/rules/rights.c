/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rules/rights.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { LINE_BYTES_MAX = RIGHTS_QUEUE_NAME_MAX + 4 }; /* two digits, a blank, the name, a line feed */

void rights_finish(struct rights *rights)
{
    memory_free(rights->queues);
    *rights = (struct rights){0};
}

void rights_copy(struct rights *to, const struct rights *from)
{
    *to = *from;
    to->queues = from->count > 0 ? memory_copy(from->queues, from->count * sizeof *from->queues) : NULL;
}

/* Where queue stands, or would stand. */
static size_t rights_place(const struct rights *rights, const char *queue, bool *out_is_there)
{
    size_t low = 0;
    size_t high = rights->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(rights->queues[middle].queue, queue);
        if (order == 0) {
            *out_is_there = true;
            return middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    *out_is_there = false;
    return low;
}

enum status rights_add(struct rights *rights, const char *queue, unsigned roles)
{
    if (roles == 0 || roles > RIGHTS_ALL_ROLES) {
        return STATUS_INVALID;
    }
    if (queue[0] == '\0') {
        rights->everywhere |= roles;
        return STATUS_OK;
    }
    if (!text_is_name(queue, RIGHTS_QUEUE_NAME_MAX - 1)) {
        return STATUS_INVALID;
    }
    bool is_there = false;
    size_t at = rights_place(rights, queue, &is_there);
    if (!is_there) {
        if (rights->count >= RIGHTS_QUEUES_MAX) {
            return STATUS_FULL;
        }
        rights->queues = memory_resize(rights->queues, (rights->count + 1) * sizeof *rights->queues);
        memmove(&rights->queues[at + 1], &rights->queues[at], (rights->count - at) * sizeof *rights->queues);
        rights->queues[at] = (struct queue_right){.roles = 0};
        text_copy(rights->queues[at].queue, sizeof rights->queues[at].queue, queue);
        rights->count++;
    }
    rights->queues[at].roles |= roles;
    return STATUS_OK;
}

unsigned rights_for(const struct rights *rights, const char *queue)
{
    bool is_there = false;
    size_t at = rights_place(rights, queue, &is_there);
    return rights->everywhere | (is_there ? rights->queues[at].roles : 0);
}

unsigned rights_anywhere(const struct rights *rights)
{
    unsigned roles = rights->everywhere;
    for (size_t at = 0; at < rights->count; at++) {
        roles |= rights->queues[at].roles;
    }
    return roles;
}

bool rights_cover(const struct rights *whole, const struct rights *part)
{
    bool covers = (part->everywhere & ~whole->everywhere) == 0;
    for (size_t at = 0; at < part->count && covers; at++) {
        covers = (part->queues[at].roles & ~rights_for(whole, part->queues[at].queue)) == 0;
    }
    return covers;
}

char *rights_write_queues(const struct rights *rights)
{
    struct text text;
    text_init(&text, rights->count * LINE_BYTES_MAX + 1);
    for (size_t at = 0; at < rights->count; at++) {
        text_append_format(&text, "%u %s\n", rights->queues[at].roles, rights->queues[at].queue);
    }
    char *lines = text_take(&text, NULL);
    text_finish(&text);
    return lines;
}

enum status rights_read_queues(struct rights *rights, const char *text)
{
    while (*text != '\0') {
        char line[LINE_BYTES_MAX];
        int64_t roles = 0;
        size_t length = strcspn(text, "\n");
        if (text[length] != '\n' || length >= sizeof line) {
            return STATUS_INVALID;
        }
        memcpy(line, text, length);
        line[length] = '\0';
        char *blank = strchr(line, ' ');
        if (!blank || blank[1] == '\0') {
            return STATUS_INVALID;
        }
        *blank = '\0';
        if (text_to_int64(line, 1, RIGHTS_ALL_ROLES, &roles) != STATUS_OK ||
            rights_add(rights, blank + 1, (unsigned)roles) != STATUS_OK) {
            return STATUS_INVALID;
        }
        text += length + 1;
    }
    return STATUS_OK;
}
