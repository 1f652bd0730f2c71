/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config_check.h"
#include "base/config_password.h"
#include "base/config_schema.h"
#include "base/config_tree.h"
#include "base/config_value.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    USER_NAME_BYTES_MAX = 150,
    WHERE_BYTES_MAX = 256, /* "queues." and a name */
};

_Static_assert((int)CONFIG_QUEUES_MAX <= (int)CONFIG_TREE_ENTRIES_MAX && (int)CONFIG_USERS_MAX <= (int)CONFIG_TREE_ENTRIES_MAX,
               "the tree must hold every queue and user");

/* Refuses keys of the file that are no section. */
static enum status check_sections(const struct config_reader *reader, const struct config_node *root)
{
    const char *known[CONFIG_PLACES + 2] = {CONFIG_QUEUES_KEY, CONFIG_USERS_KEY};
    enum { KNOWN = sizeof known / sizeof *known };
    for (size_t at = 0; at < CONFIG_PLACES; at++)
        known[at + 2] = config_places[at].section->name;
    if (root->kind == CONFIG_NODE_NULL)
        return STATUS_OK;
    if (root->kind != CONFIG_NODE_MAP)
        return config_tree_fail(reader->error, reader->name, root->line, "must be a map of sections");
    for (size_t item = 0; item < root->count; item++) {
        struct config_guess guess = {.wrong = root->items[item].key};
        size_t at = 0;
        for (; at < KNOWN && strcmp(known[at], guess.wrong) != 0; at++)
            config_guess_offer(&guess, known[at]);
        if (at == KNOWN)
            return config_fail_unknown(reader, root->items[item].line, "", &guess);
    }
    return STATUS_OK;
}

/* A section that maps names to settings; each entry becomes one struct of the section. */
struct named {
    const struct config_section *section;
    const char *key;
    size_t name_bytes_max;
    size_t name_offset; /* of a char * in the struct, which gets the name */
};

/*
 * *out_entries and *out_count grow entry by entry, so that after a failure they hold what is to be freed.
 * The array is as long as the map.
 */
static enum status read_named(const struct config_reader *reader, const struct config_node *root, const struct named *named,
                              void *entries, size_t *out_count)
{
    const struct config_node *map = config_tree_find(root, named->key);
    for (size_t at = 0; map && at < map->count; at++) {
        const struct config_node *item = &map->items[at];
        char where[WHERE_BYTES_MAX];
        if (!text_is_name(item->key, named->name_bytes_max))
            return config_tree_fail(reader->error, reader->name, item->line,
                                    "%s: a name has 1 to %zu bytes and no control characters", named->key,
                                    named->name_bytes_max);
        char *entry = (char *)entries + at * named->section->size;
        char **name = (char **)(void *)(entry + named->name_offset);
        *name = memory_copy_text(item->key);
        ++*out_count;
        (void)snprintf(where, sizeof where, "%s.%s", named->key, item->key);
        enum status status = config_section_read(reader, item, named->section, where, entry);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* How many entries the map of this name has; it may be absent or null. */
static enum status count_named(const struct config_reader *reader, const struct config_node *root, const char *key,
                               size_t *out_count)
{
    const struct config_node *map = config_tree_find(root, key);
    if (map && map->kind != CONFIG_NODE_MAP && map->kind != CONFIG_NODE_NULL)
        return config_tree_fail(reader->error, reader->name, map->line, "%s: must be a map of names to settings", key);
    *out_count = map ? map->count : 0;
    return STATUS_OK;
}

static enum status read_queues(const struct config_reader *reader, const struct config_node *root, struct config *config)
{
    static const struct named named = {&config_section_queue, CONFIG_QUEUES_KEY, CONFIG_NAME_BYTES_MAX,
                                       offsetof(struct config_queue, name)};
    size_t count = 0;
    enum status status = count_named(reader, root, named.key, &count);
    if (status != STATUS_OK)
        return status;
    config->queues = memory_allocate_array(count, sizeof *config->queues);
    return read_named(reader, root, &named, config->queues, &config->queue_count);
}

static enum status read_users(const struct config_reader *reader, const struct config_node *root, struct config *config)
{
    static const struct named named = {&config_section_user, CONFIG_USERS_KEY, USER_NAME_BYTES_MAX,
                                       offsetof(struct config_user, name)};
    size_t count = 0;
    enum status status = count_named(reader, root, named.key, &count);
    if (status != STATUS_OK)
        return status;
    config->users = memory_allocate_array(count, sizeof *config->users);
    status = read_named(reader, root, &named, config->users, &config->user_count);
    for (size_t at = 0; at < config->user_count; at++)
        config->users[at].password = memory_copy_text("");
    return status;
}

static enum status read_all(const struct config_reader *reader, const struct config_node *root, struct config *config)
{
    enum status status = check_sections(reader, root);
    for (size_t at = 0; at < CONFIG_PLACES && status == STATUS_OK; at++) {
        const struct config_section *section = config_places[at].section;
        status = config_section_read(reader, config_tree_find(root, section->name), section, section->name,
                                     (char *)config + config_places[at].offset);
    }
    if (status == STATUS_OK)
        status = read_queues(reader, root, config);
    if (status == STATUS_OK)
        status = read_users(reader, root, config);
    if (status == STATUS_OK)
        status = config_fill_passwords(reader, root, config);
    if (status != STATUS_OK)
        return status;
    config_complete(config);
    return config_check(reader, root, config);
}

static enum status parse(const struct config_reader *reader, const char *bytes, size_t length, struct config **out_config)
{
    if (length > CONFIG_FILE_BYTES_MAX)
        return error_set(reader->error, STATUS_FULL, "CONFIG", "%.100s: larger than %d bytes", reader->name,
                         CONFIG_FILE_BYTES_MAX);
    struct config_node *root = NULL;
    enum status status = config_tree_parse(reader->name, bytes, length, &root, reader->error);
    if (status != STATUS_OK)
        return status;
    struct config *config = MEMORY_NEW(struct config);
    config->file = memory_copy_text(reader->name);
    status = read_all(reader, root, config);
    config_tree_destroy(root);
    if (status == STATUS_OK)
        *out_config = config;
    else
        config_destroy(config);
    return status;
}

enum status config_parse(const char *name, const char *folder, const char *bytes, size_t length, struct config **out_config,
                         struct error *error)
{
    return parse(&(const struct config_reader){.name = name, .folder = folder, .error = error}, bytes, length, out_config);
}

enum status config_parse_as_client(const char *name, const char *folder, const char *bytes, size_t length,
                                   struct config **out_config, struct error *error)
{
    const struct config_reader reader = {.name = name, .folder = folder, .error = error, .is_client = true};
    return parse(&reader, bytes, length, out_config);
}

/* All of an open file, up to one byte more than allowed; false with errno. */
static bool read_file(int file, char *bytes, size_t *out_length)
{
    size_t length = 0;
    while (length <= CONFIG_FILE_BYTES_MAX) {
        ssize_t got = read(file, bytes + length, CONFIG_FILE_BYTES_MAX + 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *out_length = length;
    return true;
}

/* The part before the last slash; "" when there is none, "/" for the root. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = memory_copy_text(path);
    if (slash)
        folder[slash == path ? 1 : slash - path] = '\0';
    else
        folder[0] = '\0';
    return folder;
}

static enum status load(const char *file, bool is_client, struct config **out_config, struct error *error)
{
    size_t length = 0;
    int descriptor = open(file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set(error, STATUS_NOT_FOUND, "CONFIG", "%.100s: cannot be opened: %s", file, strerror(errno));
    char *bytes = memory_allocate(CONFIG_FILE_BYTES_MAX + 1);
    char *folder = folder_of(file);
    const struct config_reader reader = {.name = file, .folder = folder, .error = error, .is_client = is_client};
    enum status status = STATUS_OK;
    if (read_file(descriptor, bytes, &length))
        status = parse(&reader, bytes, length, out_config);
    else
        status = error_set(error, STATUS_NOT_FOUND, "CONFIG", "%.100s: cannot be read: %s", file, strerror(errno));
    (void)close(descriptor);
    memory_free(folder);
    memory_free(bytes);
    return status;
}

enum status config_load(const char *file, struct config **out_config, struct error *error)
{
    return load(file, false, out_config, error);
}

enum status config_load_as_client(const char *file, struct config **out_config, struct error *error)
{
    return load(file, true, out_config, error);
}

static void wipe_text(char *text)
{
    if (text)
        memory_wipe(text, strlen(text));
    memory_free(text);
}

void config_destroy(struct config *config)
{
    if (!config)
        return;
    for (size_t at = 0; at < config->callbacks.basic_auth_count; at++)
        wipe_text(config->callbacks.basic_auth[at].password);
    wipe_text(config->rest.s3.secret_key);
    for (size_t at = 0; at < CONFIG_PLACES; at++)
        config_section_finish(config_places[at].section, (char *)config + config_places[at].offset);
    for (size_t at = 0; at < config->queue_count; at++) {
        config_queue_finish(&config->queues[at]);
    }
    for (size_t at = 0; at < config->user_count; at++) {
        memory_free(config->users[at].name);
        wipe_text(config->users[at].password);
        config_section_finish(&config_section_user, &config->users[at]);
    }
    memory_free(config->queues);
    memory_free(config->users);
    memory_free(config->file);
    memory_free(config);
}

char *config_core_address(const struct config *config)
{
    static const char scheme[] = "tls://";
    if (config->service.listen.count > 0)
        return memory_copy_text(config->service.listen.items[0]);
    if (config->service.tls_count == 0 || config->service.tls[0].listen.count == 0)
        return memory_copy_text(""); // which config_check refuses
    const char *address = config->service.tls[0].listen.items[0];
    size_t size = sizeof scheme + strlen(address);
    char *text = memory_allocate(size);
    (void)snprintf(text, size, "%s%s", scheme, address);
    return text;
}

const struct config_queue *config_find_queue(const struct config *config, const char *name)
{
    for (size_t at = 0; at < config->queue_count; at++) {
        if (strcmp(config->queues[at].name, name) == 0)
            return &config->queues[at];
    }
    return NULL;
}

const struct config_user *config_find_user(const struct config *config, const char *name)
{
    for (size_t at = 0; at < config->user_count; at++) {
        if (strcmp(config->users[at].name, name) == 0)
            return &config->users[at];
    }
    return NULL;
}
