/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* The log builds its line on the stack, so it works without memory. */
static void *checked(void *pointer, size_t size)
{
    if (pointer)
        return pointer;
    log_event(LOG_ERROR, "out_of_memory", LOG_INT("bytes", size > INT64_MAX ? INT64_MAX : (int64_t)size));
    abort();
}

void *memory_allocate(size_t size)
{
    return checked(memory_try_allocate(size), size);
}

void *memory_allocate_array(size_t count, size_t size)
{
    size_t bytes = 0;
    bool overflows = __builtin_mul_overflow(count, size, &bytes);
    return checked(overflows ? NULL : memory_try_allocate(bytes), overflows ? SIZE_MAX : bytes);
}

void *memory_resize(void *pointer, size_t size)
{
    return checked(realloc(pointer, size ? size : 1), size);
}

char *memory_copy_text(const char *text)
{
    return text ? memory_copy(text, strlen(text) + 1) : NULL;
}

void *memory_copy(const void *bytes, size_t size)
{
    return checked(memory_try_copy(bytes, size), size);
}

void memory_free(void *pointer)
{
    free(pointer);
}

void *memory_try_allocate(size_t size)
{
    return calloc(1, size ? size : 1);
}

char *memory_try_copy_text(const char *text)
{
    return text ? memory_try_copy(text, strlen(text) + 1) : NULL;
}

void *memory_try_copy(const void *bytes, size_t size)
{
    void *copy = malloc(size ? size : 1);
    if (copy && size)
        memcpy(copy, bytes, size);
    return copy;
}

void memory_wipe(void *pointer, size_t size)
{
    if (size)
        explicit_bzero(pointer, size);
}
