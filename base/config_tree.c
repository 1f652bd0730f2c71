/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_tree.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/config_node.h"
#include "base/memory.h"

enum { NAME_SHOWN_MAX = 100 };

struct builder {
    const char *name;
    struct error *error;
    struct config_node *root;
    bool has_document;
    /* The open maps and lists, innermost last. Only the innermost grows, so pointers to the outer ones stay valid. */
    struct config_node *open[CONFIG_TREE_LENIENT_DEPTH_MAX];
    size_t depth;
    size_t depth_max;
    char *key; /* read, its value not yet; owned */
    bool is_lenient;
    struct config_anchors anchors;
    char *open_anchors[CONFIG_TREE_LENIENT_DEPTH_MAX]; /* owned; of the open ones, or NULL */
};

enum status config_tree_fail(struct error *error, const char *name, size_t line, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        text[0] = '\0';
    size_t name_length = strlen(name);
    bool cut = name_length > NAME_SHOWN_MAX;
    return error_set(error, STATUS_INVALID, "CONFIG", "%s%s:%zu: %s", cut ? "..." : "",
                     cut ? name + name_length - NAME_SHOWN_MAX : name, line, text);
}

void config_tree_destroy(struct config_node *root)
{
    if (!root)
        return;
    config_node_finish(root);
    memory_free(root);
}

const struct config_node *config_tree_find(const struct config_node *map, const char *key)
{
    if (!map || map->kind != CONFIG_NODE_MAP)
        return NULL;
    for (size_t at = 0; at < map->count; at++) {
        if (strcmp(map->items[at].key, key) == 0)
            return &map->items[at];
    }
    return NULL;
}

/* Lines of libyaml count from 0. */
static size_t line_of(const yaml_event_t *event)
{
    return event->start_mark.line + 1;
}

/* Makes the node for a value that begins here; it stays in the tree's hands. NULL: builder->error says why. */
static struct config_node *add_node(struct builder *builder, enum config_node_kind kind, size_t line)
{
    struct config_node *node = builder->root;
    if (builder->depth > 0) {
        struct config_node *parent = builder->open[builder->depth - 1];
        if (parent->kind == CONFIG_NODE_MAP && !builder->key) {
            (void)config_tree_fail(builder->error, builder->name, line, "a key must be a plain text");
            return NULL;
        }
        if (parent->count == CONFIG_TREE_ENTRIES_MAX) {
            (void)config_tree_fail(builder->error, builder->name, line, "more than %d entries", CONFIG_TREE_ENTRIES_MAX);
            return NULL;
        }
        node = config_node_add(parent);
        node->key = builder->key;
        builder->key = NULL;
    }
    node->kind = kind;
    node->line = line;
    return node;
}

/* What a fault of config_node.h is to the reader of the file. */
static enum status check_fault(const struct builder *builder, size_t line, const char *fault)
{
    return fault ? config_tree_fail(builder->error, builder->name, line, "%s", fault) : STATUS_OK;
}

static enum status on_open(struct builder *builder, enum config_node_kind kind, const yaml_event_t *event,
                           const yaml_char_t *anchor)
{
    size_t line = line_of(event);
    if (builder->depth == builder->depth_max)
        return config_tree_fail(builder->error, builder->name, line, "more than %zu levels", builder->depth_max);
    struct config_node *node = add_node(builder, kind, line);
    if (!node)
        return STATUS_INVALID;
    builder->open_anchors[builder->depth] = memory_copy_text((const char *)anchor);
    builder->open[builder->depth++] = node;
    return STATUS_OK;
}

static int compare_keys(const void *a, const void *b)
{
    const struct config_node *const *left = a;
    const struct config_node *const *right = b;
    int order = strcmp((*left)->key, (*right)->key);
    if (order != 0)
        return order;
    return (*left)->line < (*right)->line ? -1 : (*left)->line > (*right)->line;
}

/* Sorted, because a map of queues or users may be long. */
static enum status refuse_duplicates(const struct builder *builder, const struct config_node *map)
{
    enum status status = STATUS_OK;
    const struct config_node **sorted = memory_allocate_array(map->count, sizeof(void *));
    for (size_t at = 0; at < map->count; at++)
        sorted[at] = &map->items[at];
    qsort(sorted, map->count, sizeof(void *), compare_keys);
    for (size_t at = 1; at < map->count && status == STATUS_OK; at++) {
        if (strcmp(sorted[at - 1]->key, sorted[at]->key) == 0)
            status = config_tree_fail(builder->error, builder->name, sorted[at]->line,
                                      "'%.64s' is given twice, first in line %zu", sorted[at]->key, sorted[at - 1]->line);
    }
    memory_free(sorted);
    return status;
}

static enum status on_close(struct builder *builder, const yaml_event_t *event)
{
    assert(builder->depth > 0);
    struct config_node *node = builder->open[--builder->depth];
    char *anchor = builder->open_anchors[builder->depth];
    enum status status = STATUS_OK;
    if (node->kind == CONFIG_NODE_MAP && builder->is_lenient)
        status = check_fault(builder, line_of(event),
                             config_anchors_settle(&builder->anchors, node, builder->depth_max - builder->depth - 1));
    else if (node->kind == CONFIG_NODE_MAP)
        status = refuse_duplicates(builder, node);
    if (status == STATUS_OK && anchor)
        status = check_fault(builder, node->line, config_anchors_keep(&builder->anchors, anchor, node));
    memory_free(anchor);
    builder->open_anchors[builder->depth] = NULL;
    return status;
}

static bool is_plain(const yaml_event_t *event)
{
    const char *tag = (const char *)event->data.scalar.tag;
    bool is_text = tag && (strcmp(tag, "!") == 0 || strcmp(tag, YAML_STR_TAG) == 0);
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !is_text;
}

static bool is_null(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (!is_plain(event))
        return false;
    for (size_t at = 0; at < sizeof words / sizeof *words; at++) {
        if (strcmp((const char *)event->data.scalar.value, words[at]) == 0)
            return true;
    }
    return false;
}

static enum status on_scalar(struct builder *builder, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t line = line_of(event);
    if (strlen(text) != event->data.scalar.length)
        return config_tree_fail(builder->error, builder->name, line, "a text contains a NUL character");
    bool in_map = builder->depth > 0 && builder->open[builder->depth - 1]->kind == CONFIG_NODE_MAP;
    if (in_map && !builder->key) {
        if (!builder->is_lenient && (is_null(event) || *text == '\0'))
            return config_tree_fail(builder->error, builder->name, line, "an empty key");
        builder->key = memory_copy_text(text);
        return STATUS_OK;
    }
    struct config_node *node = add_node(builder, is_null(event) ? CONFIG_NODE_NULL : CONFIG_NODE_TEXT, line);
    if (!node)
        return STATUS_INVALID;
    if (node->kind == CONFIG_NODE_TEXT)
        node->text = memory_copy_text(text);
    node->is_plain = is_plain(event);
    if (!event->data.scalar.anchor)
        return STATUS_OK;
    return check_fault(builder, line, config_anchors_keep(&builder->anchors, (const char *)event->data.scalar.anchor, node));
}

static enum status on_alias(struct builder *builder, const yaml_event_t *event)
{
    if (!builder->is_lenient)
        return config_tree_fail(builder->error, builder->name, line_of(event),
                                "aliases (*) are not allowed; quote a text that begins with '*'");
    struct config_node *node = add_node(builder, CONFIG_NODE_NULL, line_of(event));
    if (!node)
        return STATUS_INVALID;
    return check_fault(builder, node->line,
                       config_anchors_place(&builder->anchors, (const char *)event->data.alias.anchor, node,
                                            builder->depth_max - builder->depth));
}

/* The tags that say what a value looks like anyway; others would make objects of it. */
static bool is_core_tag(const char *tag)
{
    static const char *const tags[] = {"!",          YAML_STR_TAG,   YAML_NULL_TAG, YAML_BOOL_TAG,
                                       YAML_INT_TAG, YAML_FLOAT_TAG, YAML_SEQ_TAG,  YAML_MAP_TAG};
    for (size_t at = 0; at < sizeof tags / sizeof *tags; at++) {
        if (strcmp(tag, tags[at]) == 0)
            return true;
    }
    return false;
}

static enum status check_properties(const struct builder *builder, const yaml_event_t *event, const yaml_char_t *anchor,
                                    const yaml_char_t *tag)
{
    if (anchor && !builder->is_lenient)
        return config_tree_fail(builder->error, builder->name, line_of(event), "anchors (&) are not allowed");
    if (tag && !(builder->is_lenient && is_core_tag((const char *)tag)))
        return config_tree_fail(builder->error, builder->name, line_of(event), "tags (!) are not allowed");
    return STATUS_OK;
}

static enum status on_event(struct builder *builder, const yaml_event_t *event)
{
    enum status status = STATUS_OK;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->has_document)
            return config_tree_fail(builder->error, builder->name, line_of(event), "only one document is allowed");
        builder->has_document = true;
        return STATUS_OK;
    case YAML_ALIAS_EVENT:
        return on_alias(builder, event);
    case YAML_SCALAR_EVENT:
        status = check_properties(builder, event, event->data.scalar.anchor, event->data.scalar.tag);
        return status == STATUS_OK ? on_scalar(builder, event) : status;
    case YAML_SEQUENCE_START_EVENT:
        status = check_properties(builder, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return status == STATUS_OK ? on_open(builder, CONFIG_NODE_LIST, event, event->data.sequence_start.anchor) : status;
    case YAML_MAPPING_START_EVENT:
        status = check_properties(builder, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return status == STATUS_OK ? on_open(builder, CONFIG_NODE_MAP, event, event->data.mapping_start.anchor) : status;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(builder, event);
    default:
        return STATUS_OK;
    }
}

/* What libyaml says about the file. Its reader knows the byte only, not the line. */
static enum status parser_error(const struct builder *builder, const yaml_parser_t *parser, const char *bytes, size_t length)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_set(builder->error, STATUS_NO_MEMORY, "CONFIG", "%.100s: out of memory", builder->name);
    size_t line = parser->problem_mark.line + 1;
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t at = 0; at < length && at < parser->problem_offset; at++)
            line += bytes[at] == '\n';
    }
    return config_tree_fail(builder->error, builder->name, line, "%s%s%s", parser->context ? parser->context : "",
                            parser->context ? ": " : "", parser->problem ? parser->problem : "not YAML");
}

static enum status build(struct builder *builder, const char *bytes, size_t length)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_set(builder->error, STATUS_NO_MEMORY, "CONFIG", "%.100s: out of memory", builder->name);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, length);
    enum status status = STATUS_OK;
    bool ended = false;
    while (status == STATUS_OK && !ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = parser_error(builder, &parser, bytes, length);
            break;
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        status = on_event(builder, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

static enum status parse(struct builder *builder, const char *bytes, size_t length, struct config_node **out_root)
{
    builder->root = MEMORY_NEW(struct config_node);
    builder->root->line = 1;
    enum status status = build(builder, bytes, length);
    memory_free(builder->key);
    for (size_t at = 0; at < CONFIG_TREE_LENIENT_DEPTH_MAX; at++)
        memory_free(builder->open_anchors[at]);
    config_anchors_finish(&builder->anchors);
    if (status == STATUS_OK)
        *out_root = builder->root;
    else
        config_tree_destroy(builder->root);
    return status;
}

enum status config_tree_parse(const char *name, const char *bytes, size_t length, struct config_node **out_root,
                              struct error *error)
{
    struct builder builder = {.name = name, .error = error, .depth_max = CONFIG_TREE_DEPTH_MAX};
    return parse(&builder, bytes, length, out_root);
}

enum status config_tree_parse_lenient(const char *name, const char *bytes, size_t length, struct config_node **out_root,
                                      struct error *error)
{
    struct builder builder = {.name = name,
                              .error = error,
                              .depth_max = CONFIG_TREE_LENIENT_DEPTH_MAX,
                              .is_lenient = true,
                              .anchors = {.copied_bytes_left = CONFIG_TREE_COPIED_BYTES_MAX}};
    return parse(&builder, bytes, length, out_root);
}
