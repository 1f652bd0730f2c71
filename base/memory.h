/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation for the programs: never returns NULL, aborts with a log line when memory is gone. The SDK and the client side of
 * base/rpc, which live in a host program, use memory_try_* and answer STATUS_NO_MEMORY.
 *
 * Threading: any thread.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Zeroed memory; free with memory_free. size 0 gives a valid pointer. */
void *memory_allocate(size_t size);
void *memory_allocate_array(size_t count, size_t size); /* aborts on overflow of count * size */
void *memory_resize(void *pointer, size_t size);        /* contents kept, new bytes undefined */
char *memory_copy_text(const char *text);               /* NULL gives NULL */
void *memory_copy(const void *bytes, size_t size);      /* size 0 gives a valid pointer */
void memory_free(void *pointer);                        /* NULL is fine */

/* Like the above, but NULL when memory is gone. */
void *memory_try_allocate(size_t size);
char *memory_try_copy_text(const char *text);
void *memory_try_copy(const void *bytes, size_t size);

/* Overwrites secrets in a way that the compiler keeps. */
void memory_wipe(void *pointer, size_t size);

#define MEMORY_NEW(type)     ((type *)memory_allocate(sizeof(type)))
#define MEMORY_TRY_NEW(type) ((type *)memory_try_allocate(sizeof(type)))

#endif
