/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_value.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/config_syntax.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    GUESS_BYTES_MAX = 40,
    GUESS_DISTANCE_MAX = 2, /* letters wrong, missing or too many */
};

/* One value being read. */
struct value {
    const struct config_reader *reader;
    const struct config_key *key;
    const char *where;
    size_t line;
};

#define VALUE_FAIL(value_, format_, ...)                                                                                     \
    config_tree_fail((value_)->reader->error, (value_)->reader->name, (value_)->line, "%.64s.%s: " format_, (value_)->where, \
                     (value_)->key->name, __VA_ARGS__)

static void *field_of(void *target, size_t offset)
{
    return (char *)target + offset;
}

static void texts_finish(struct config_texts *texts)
{
    for (size_t at = 0; at < texts->count; at++)
        memory_free(texts->items[at]);
    memory_free(texts->items);
    *texts = (struct config_texts){0};
}

/* The array of records behind its field, which is a pointer to a struct that only the table knows. */
static char *get_records(const struct config_key *key, void *target)
{
    char *records = NULL;
    memcpy(&records, field_of(target, key->offset), sizeof records);
    return records;
}

static void set_records(const struct config_key *key, void *target, char *records)
{
    memcpy(field_of(target, key->offset), &records, sizeof records);
}

static void records_finish(const struct config_key *key, void *target)
{
    char *records = get_records(key, target);
    size_t *count = field_of(target, key->count_offset);
    for (size_t at = 0; at < *count; at++)
        config_section_finish(key->record, records + at * key->record->size);
    memory_free(records);
    set_records(key, target, NULL);
    *count = 0;
}

static void key_finish(const struct config_key *key, void *target)
{
    char **text = field_of(target, key->offset);
    switch (key->kind) {
    case CONFIG_KIND_TEXT:
    case CONFIG_KIND_PATH:
        memory_free(*text);
        *text = NULL;
        break;
    case CONFIG_KIND_TEXTS:
        texts_finish(field_of(target, key->offset));
        break;
    case CONFIG_KIND_SECTION:
        config_section_finish(key->record, field_of(target, key->offset));
        break;
    case CONFIG_KIND_RECORDS:
        records_finish(key, target);
        break;
    default:
        break;
    }
}

void config_section_finish(const struct config_section *section, void *target)
{
    for (size_t at = 0; at < section->key_count; at++)
        key_finish(&section->keys[at], target);
}

/* path as it is when absolute (or empty), else below folder. */
static char *resolve(const char *folder, const char *path)
{
    if (*path == '/' || *path == '\0' || *folder == '\0' || strcmp(folder, ".") == 0)
        return memory_copy_text(path);
    size_t folder_length = strlen(folder);
    size_t size = folder_length + 1 + strlen(path) + 1;
    char *resolved = memory_allocate(size);
    bool has_slash = folder[folder_length - 1] == '/';
    (void)snprintf(resolved, size, "%s%s%s", folder, has_slash ? "" : "/", path);
    return resolved;
}

static void set_number(const struct config_key *key, void *target, int64_t number)
{
    void *field = field_of(target, key->offset);
    switch (key->kind) {
    case CONFIG_KIND_NUMBER:
        *(int64_t *)field = number;
        break;
    case CONFIG_KIND_TRUTH:
        *(bool *)field = number != 0;
        break;
    default: {
        // Enums of the log and the bits of the roles have the size of an unsigned.
        unsigned word = (unsigned)number;
        _Static_assert(sizeof(enum log_level) == sizeof word && sizeof(enum log_format) == sizeof word, "size of an enum");
        memcpy(field, &word, sizeof word);
    }
    }
}

static void set_defaults(const struct config_reader *reader, const struct config_section *section, void *target);

static void set_default(const struct config_reader *reader, const struct config_key *key, void *target)
{
    const char *text = key->fallback_text ? key->fallback_text : "";
    char **field = field_of(target, key->offset);
    struct config_texts *texts = field_of(target, key->offset);
    switch (key->kind) {
    case CONFIG_KIND_TEXT:
        *field = memory_copy_text(text);
        break;
    case CONFIG_KIND_PATH:
        *field = resolve(reader->folder, text);
        break;
    case CONFIG_KIND_TEXTS:
        if (key->fallback_text) {
            texts->items = memory_allocate_array(1, sizeof *texts->items);
            texts->items[0] = memory_copy_text(text);
            texts->count = 1;
        }
        break;
    case CONFIG_KIND_SECTION:
        set_defaults(reader, key->record, field_of(target, key->offset));
        break;
    case CONFIG_KIND_RECORDS:
        break;
    default:
        set_number(key, target, key->fallback);
    }
}

static void set_defaults(const struct config_reader *reader, const struct config_section *section, void *target)
{
    for (size_t at = 0; at < section->key_count; at++)
        set_default(reader, &section->keys[at], target);
}

/* The text of a node that may be nothing else (borrowed); NULL: the reader's error says what it is. */
static const char *text_of(const struct value *value, const struct config_node *node)
{
    if (node->kind == CONFIG_NODE_TEXT)
        return node->text;
    (void)VALUE_FAIL(value, "%s", node->kind == CONFIG_NODE_NULL ? "the value is missing" : "must be a single value");
    return NULL;
}

/* A hash that is wrong may be a password. */
static bool is_secret(const struct config_key *key)
{
    return key->check == config_check_password_hash;
}

static enum status check_text(const struct value *value, const char *text, int64_t bytes_max)
{
    if (*text != '\0' && !text_is_name(text, (size_t)bytes_max))
        return VALUE_FAIL(value, "longer than %" PRId64 " bytes, or with control characters", bytes_max);
    const char *fault = value->key->check ? value->key->check(text) : NULL;
    if (fault && is_secret(value->key))
        return VALUE_FAIL(value, "%s", fault);
    if (fault)
        return VALUE_FAIL(value, "'%.60s' %s", text, fault);
    return STATUS_OK;
}

static enum status read_number(const struct value *value, const struct config_node *node, void *target)
{
    const struct config_key *key = value->key;
    const char *text = text_of(value, node);
    int64_t number = 0;
    if (!text)
        return STATUS_INVALID;
    if (text_to_int64(text, key->min, key->max, &number) != STATUS_OK)
        return VALUE_FAIL(value, "must be a number from %" PRId64 " to %" PRId64 ", not '%.40s'", key->min, key->max, text);
    set_number(key, target, number);
    return STATUS_OK;
}

static enum status read_truth(const struct value *value, const struct config_node *node, void *target)
{
    const char *text = text_of(value, node);
    if (!text)
        return STATUS_INVALID;
    bool truth = strcmp(text, "true") == 0;
    if (!truth && strcmp(text, "false") != 0)
        return VALUE_FAIL(value, "must be true or false, not '%.40s'", text);
    set_number(value->key, target, truth);
    return STATUS_OK;
}

static enum status find_word(const struct value *value, const struct config_node *node, size_t *out)
{
    const char *text = text_of(value, node);
    if (!text)
        return STATUS_INVALID;
    char known[64] = "";
    size_t length = 0;
    for (size_t at = 0; value->key->words[at]; at++) {
        if (strcmp(value->key->words[at], text) == 0) {
            *out = at;
            return STATUS_OK;
        }
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", at ? ", " : "", value->key->words[at]);
        if (length >= sizeof known)
            break;
    }
    return VALUE_FAIL(value, "'%.40s' is not one of %s", text, known);
}

static enum status read_choice(const struct value *value, const struct config_node *node, void *target)
{
    size_t word = 0;
    enum status status = find_word(value, node, &word);
    if (status == STATUS_OK)
        set_number(value->key, target, (int64_t)word);
    return status;
}

/* The entries of a list; a single value counts as a list of one. */
static void entries_of(const struct config_node *node, const struct config_node **out_entries, size_t *out_count)
{
    bool is_list = node->kind == CONFIG_NODE_LIST;
    *out_entries = is_list ? node->items : node;
    *out_count = is_list ? node->count : 1;
}

static enum status read_roles(const struct value *value, const struct config_node *node, void *target)
{
    const struct config_node *entries = NULL;
    size_t count = 0;
    unsigned roles = 0;
    entries_of(node, &entries, &count);
    for (size_t at = 0; at < count; at++) {
        size_t word = 0;
        enum status status = find_word(value, &entries[at], &word);
        if (status != STATUS_OK)
            return status;
        roles |= 1U << word;
    }
    set_number(value->key, target, roles);
    return STATUS_OK;
}

static enum status read_text(const struct value *value, const struct config_node *node, void *target)
{
    const char *text = text_of(value, node);
    char **field = field_of(target, value->key->offset);
    if (!text)
        return STATUS_INVALID;
    if (*text == '\0' && value->key->min > 0)
        return VALUE_FAIL(value, "%s", "must not be empty");
    enum status status = check_text(value, text, value->key->max);
    if (status != STATUS_OK)
        return status;
    memory_free(*field);
    *field = value->key->kind == CONFIG_KIND_PATH ? resolve(value->reader->folder, text) : memory_copy_text(text);
    return STATUS_OK;
}

static enum status check_count(const struct value *value, size_t count)
{
    if ((int64_t)count >= value->key->min && (int64_t)count <= value->key->max)
        return STATUS_OK;
    return VALUE_FAIL(value, "must have %" PRId64 " to %" PRId64 " entries, not %zu", value->key->min, value->key->max, count);
}

static enum status read_texts(const struct value *value, const struct config_node *node, void *target)
{
    enum { ENTRY_BYTES_MAX = 2048 };
    const struct config_node *entries = NULL;
    size_t count = 0;
    entries_of(node, &entries, &count);
    enum status status = check_count(value, count);
    if (status != STATUS_OK)
        return status;
    struct config_texts *texts = field_of(target, value->key->offset);
    texts_finish(texts);
    texts->items = memory_allocate_array(count, sizeof *texts->items);
    for (size_t at = 0; at < count; at++) {
        struct value entry = *value;
        entry.line = entries[at].line;
        const char *text = text_of(&entry, &entries[at]);
        status = text ? check_text(&entry, text, ENTRY_BYTES_MAX) : STATUS_INVALID;
        if (status != STATUS_OK)
            return status;
        texts->items[texts->count++] = memory_copy_text(text);
    }
    return STATUS_OK;
}

static enum status read_records(const struct value *value, const struct config_node *node, void *target)
{
    const struct config_key *key = value->key;
    size_t *count = field_of(target, key->count_offset);
    if (node->kind != CONFIG_NODE_LIST)
        return VALUE_FAIL(value, "%s", "must be a list");
    enum status status = check_count(value, node->count);
    if (status != STATUS_OK)
        return status;
    char *records = memory_allocate_array(node->count, key->record->size);
    set_records(key, target, records);
    for (size_t at = 0; at < node->count && status == STATUS_OK; at++) {
        void *record = records + at * key->record->size;
        ++*count;
        status = config_section_read(value->reader, &node->items[at], key->record, key->record->name, record);
    }
    return status;
}

static enum status read_section(const struct value *value, const struct config_node *node, void *target)
{
    const struct config_section *section = value->key->record;
    void *inner = field_of(target, value->key->offset);
    config_section_finish(section, inner); // the defaults
    return config_section_read(value->reader, node, section, section->name, inner);
}

/* By kind. A path is a text. */
static enum status (*const readers[])(const struct value *, const struct config_node *, void *) = {
    [CONFIG_KIND_NUMBER] = read_number, [CONFIG_KIND_TRUTH] = read_truth,     [CONFIG_KIND_CHOICE] = read_choice,
    [CONFIG_KIND_ROLES] = read_roles,   [CONFIG_KIND_TEXT] = read_text,       [CONFIG_KIND_PATH] = read_text,
    [CONFIG_KIND_TEXTS] = read_texts,   [CONFIG_KIND_RECORDS] = read_records, [CONFIG_KIND_SECTION] = read_section,
};

static const struct config_key *find_key(const struct config_section *section, struct config_guess *guess)
{
    for (size_t at = 0; at < section->key_count; at++) {
        if (strcmp(section->keys[at].name, guess->wrong) == 0)
            return &section->keys[at];
        config_guess_offer(guess, section->keys[at].name);
    }
    return NULL;
}

enum status config_section_read(const struct config_reader *reader, const struct config_node *node,
                                const struct config_section *section, const char *where, void *target)
{
    set_defaults(reader, section, target);
    if (!node || node->kind == CONFIG_NODE_NULL)
        return STATUS_OK;
    if (node->kind != CONFIG_NODE_MAP)
        return config_tree_fail(reader->error, reader->name, node->line, "%.64s: must be a map of keys to values", where);
    for (size_t at = 0; at < node->count; at++) {
        const struct config_node *item = &node->items[at];
        struct config_guess guess = {.wrong = item->key};
        struct value value = {.reader = reader, .key = find_key(section, &guess), .where = where, .line = item->line};
        if (!value.key)
            return config_fail_unknown(reader, item->line, where, &guess);
        enum status status = readers[value.key->kind](&value, item, target);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, with one row of the table kept. */
static size_t distance_of(const char *a, const char *b)
{
    size_t row[GUESS_BYTES_MAX + 1];
    size_t b_length = strlen(b);
    for (size_t at = 0; at <= b_length; at++)
        row[at] = at;
    for (size_t a_at = 0; a[a_at] != '\0'; a_at++) {
        size_t diagonal = row[0];
        row[0] = a_at + 1;
        for (size_t at = 1; at <= b_length; at++) {
            size_t replaced = diagonal + (a[a_at] != b[at - 1]);
            diagonal = row[at];
            row[at] = smaller(replaced, smaller(row[at], row[at - 1]) + 1);
        }
    }
    return row[b_length];
}

void config_guess_offer(struct config_guess *guess, const char *candidate)
{
    if (strlen(guess->wrong) > GUESS_BYTES_MAX || strlen(candidate) > GUESS_BYTES_MAX)
        return;
    size_t distance = distance_of(guess->wrong, candidate);
    if (distance > GUESS_DISTANCE_MAX || (guess->best && distance >= guess->distance))
        return;
    guess->best = candidate;
    guess->distance = distance;
}

enum status config_fail_unknown(const struct config_reader *reader, size_t line, const char *where,
                                const struct config_guess *guess)
{
    return config_tree_fail(reader->error, reader->name, line, "%.64s%sunknown key '%.40s'%s%s%s", where, *where ? ": " : "",
                            guess->wrong, guess->best ? "; did you mean '" : "", guess->best ? guess->best : "",
                            guess->best ? "'?" : "");
}
