/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/descriptor_index.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "proto/descriptor_set.h"

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;

enum symbol_kind { SYMBOL_SERVICE, SYMBOL_MESSAGE, SYMBOL_OTHER };

struct symbol {
    struct map_node node;
    char *name; /* owned: the key */
    int file;
    enum symbol_kind kind;
};

struct descriptor_index {
    Google__Protobuf__FileDescriptorSet *set; /* owned */
    struct descriptor_file files[DESCRIPTOR_FILES_MAX];
    struct map symbols; /* owned struct symbol */
};

/* ---- symbols ---- */

/* "scope.name", or name in no scope. Returns the symbol's full name, which lives as long as the index. */
static const char *index_add(struct descriptor_index *index, int file, const char *scope, const char *name,
                             enum symbol_kind kind)
{
    struct symbol *symbol = MEMORY_NEW(struct symbol);
    size_t scope_length = strlen(scope);
    size_t name_length = strlen(name);
    symbol->name = memory_allocate(scope_length + 1 + name_length + 1);
    memcpy(symbol->name, scope, scope_length);
    if (scope_length > 0) {
        symbol->name[scope_length++] = '.';
    }
    memcpy(symbol->name + scope_length, name, name_length + 1);
    symbol->file = file;
    symbol->kind = kind;
    map_put(&index->symbols, &symbol->node, symbol->name, scope_length + name_length);
    return symbol->name;
}

/* The values are their enum's siblings. */
static void index_add_enum(struct descriptor_index *index, int file, const char *scope, const enum_proto *type)
{
    (void)index_add(index, file, scope, type->name, SYMBOL_OTHER);
    for (size_t i = 0; i < type->n_value; i++) {
        (void)index_add(index, file, scope, type->value[i]->name, SYMBOL_OTHER);
    }
}

/* As deep as our own descriptors are. */
static void index_add_message(struct descriptor_index *index, int file, const char *scope, const message_proto *type)
{
    assert(type->n_extension == 0);
    const char *name = index_add(index, file, scope, type->name, SYMBOL_MESSAGE);
    for (size_t i = 0; i < type->n_field; i++) {
        (void)index_add(index, file, name, type->field[i]->name, SYMBOL_OTHER);
    }
    for (size_t i = 0; i < type->n_oneof_decl; i++) {
        (void)index_add(index, file, name, type->oneof_decl[i]->name, SYMBOL_OTHER);
    }
    for (size_t i = 0; i < type->n_nested_type; i++) {
        index_add_message(index, file, name, type->nested_type[i]);
    }
    for (size_t i = 0; i < type->n_enum_type; i++) {
        index_add_enum(index, file, name, type->enum_type[i]);
    }
}

static void index_add_service(struct descriptor_index *index, int file, const char *scope, const service_proto *service)
{
    const char *name = index_add(index, file, scope, service->name, SYMBOL_SERVICE);
    for (size_t i = 0; i < service->n_method; i++) {
        (void)index_add(index, file, name, service->method[i]->name, SYMBOL_OTHER);
    }
}

/* Extensions are declared nowhere in the contract, so whoever asks for one is told that there is none. */
static void index_add_symbols(struct descriptor_index *index, int number, const file_proto *file)
{
    assert(file->n_extension == 0);
    for (size_t i = 0; i < file->n_message_type; i++) {
        index_add_message(index, number, file->package, file->message_type[i]);
    }
    for (size_t i = 0; i < file->n_enum_type; i++) {
        index_add_enum(index, number, file->package, file->enum_type[i]);
    }
    for (size_t i = 0; i < file->n_service; i++) {
        index_add_service(index, number, file->package, file->service[i]);
    }
}

/* ---- files ---- */

/* protoc writes a file after those that it imports, so what they need is known already. */
static void index_add_file(struct descriptor_index *index, int number, const file_proto *proto)
{
    struct descriptor_file *file = &index->files[number];
    file->name = proto->name;
    file->length = protobuf_c_message_get_packed_size(&proto->base);
    file->bytes = memory_allocate(file->length);
    protobuf_c_message_pack(&proto->base, file->bytes);
    for (size_t i = 0; i < proto->n_dependency; i++) {
        int needed = descriptor_index_find_file(index, proto->dependency[i]);
        assert(needed >= 0 && needed < number);
        file->needs |= index->files[needed].needs | UINT64_C(1) << needed;
    }
    index_add_symbols(index, number, proto);
}

struct descriptor_index *descriptor_index_create(void)
{
    struct descriptor_index *index = MEMORY_NEW(struct descriptor_index);
    map_init(&index->symbols);
    index->set = google__protobuf__file_descriptor_set__unpack(NULL, xqueue_descriptor_set_size, xqueue_descriptor_set);
    assert(index->set != NULL && index->set->n_file <= DESCRIPTOR_FILES_MAX);
    for (size_t i = 0; i < index->set->n_file; i++) {
        index_add_file(index, (int)i, index->set->file[i]);
    }
    return index;
}

void descriptor_index_destroy(struct descriptor_index *index)
{
    if (!index) {
        return;
    }
    for (struct map_node *node = map_first(&index->symbols); node; node = map_first(&index->symbols)) {
        struct symbol *symbol = MAP_OWNER(node, struct symbol, node);
        map_remove(&index->symbols, node);
        memory_free(symbol->name);
        memory_free(symbol);
    }
    map_finish(&index->symbols);
    for (size_t i = 0; i < DESCRIPTOR_FILES_MAX; i++) {
        memory_free(index->files[i].bytes);
    }
    google__protobuf__file_descriptor_set__free_unpacked(index->set, NULL);
    memory_free(index);
}

/* ---- questions ---- */

int descriptor_index_find_file(const struct descriptor_index *index, const char *name)
{
    for (int i = 0; i < DESCRIPTOR_FILES_MAX && index->files[i].name; i++) {
        if (strcmp(index->files[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static const struct symbol *index_find(const struct descriptor_index *index, const char *name)
{
    struct map_node *node = map_find(&index->symbols, name, strlen(name));
    return node ? MAP_OWNER(node, struct symbol, node) : NULL;
}

int descriptor_index_find_symbol(const struct descriptor_index *index, const char *name)
{
    const struct symbol *symbol = index_find(index, name);
    return symbol ? symbol->file : -1;
}

bool descriptor_index_is_message(const struct descriptor_index *index, const char *name)
{
    const struct symbol *symbol = index_find(index, name);
    return symbol && symbol->kind == SYMBOL_MESSAGE;
}

size_t descriptor_index_file_count(const struct descriptor_index *index)
{
    return index->set->n_file;
}

const struct descriptor_file *descriptor_index_file(const struct descriptor_index *index, int number)
{
    assert(number >= 0 && (size_t)number < index->set->n_file);
    return &index->files[number];
}

const char *descriptor_index_service(const struct descriptor_index *index, size_t place)
{
    for (struct map_node *node = map_first(&index->symbols); node; node = map_next(&index->symbols, node)) {
        const struct symbol *symbol = MAP_OWNER(node, struct symbol, node);
        if (symbol->kind == SYMBOL_SERVICE && place-- == 0) {
            return symbol->name;
        }
    }
    return NULL;
}
