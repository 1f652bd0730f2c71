/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file of the embedded descriptor set declares a name: what server reflection is asked. Names are full and without a
 * leading dot: services, methods, messages, fields, oneofs, enums and, as protobuf has it, enum values as siblings of their
 * enum.
 *
 * Only our own descriptors are ever unpacked, because their types are recursive and protobuf-c knows no bound of depth.
 *
 * Threading: immutable after create.
 */
#ifndef SERVICE_METHODS_DESCRIPTOR_INDEX_H
#define SERVICE_METHODS_DESCRIPTOR_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DESCRIPTOR_FILES_MAX = 64 }; /* of the embedded set; its files are bits of a uint64_t */

struct descriptor_index;

/* A serialized google.protobuf.FileDescriptorProto. Lives as long as the index. */
struct descriptor_file {
    const char *name;
    uint8_t *bytes; /* owned by the index */
    size_t length;
    uint64_t needs; /* bit i: file i is imported, directly or through others; never its own */
};

struct descriptor_index *descriptor_index_create(void);
void descriptor_index_destroy(struct descriptor_index *index); /* NULL is fine */

/* Each answers -1 when there is none, else the number of a file. */
int descriptor_index_find_file(const struct descriptor_index *index, const char *name);
int descriptor_index_find_symbol(const struct descriptor_index *index, const char *name);

bool descriptor_index_is_message(const struct descriptor_index *index, const char *name);
size_t descriptor_index_file_count(const struct descriptor_index *index);
/* number: 0 to file_count - 1. */
const struct descriptor_file *descriptor_index_file(const struct descriptor_index *index, int number);

/* The full names of all services, in the order of the files; count services. */
const char *descriptor_index_service(const struct descriptor_index *index, size_t place); /* NULL beyond the last */

#endif
