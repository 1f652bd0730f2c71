/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "service/store/store_internal.h"

struct query query_start(struct store *store, enum statement statement)
{
    assert(store->in_transaction);
    return (struct query){.store = store, .statement = store->statements[statement]};
}

static void note_bind(struct query *query, int code)
{
    if (query->code == SQLITE_OK)
        query->code = code;
}

void query_bind_int(struct query *query, int64_t value)
{
    note_bind(query, sqlite3_bind_int64(query->statement, ++query->bound, value));
}

/* What is bound stays the caller's until the query ends, so nothing is copied. */
void query_bind_text(struct query *query, const char *text)
{
    note_bind(query, sqlite3_bind_text(query->statement, ++query->bound, text ? text : "", -1, SQLITE_STATIC));
}

void query_bind_bytes(struct query *query, const void *data, size_t length)
{
    // A NULL pointer would be bound as NULL.
    note_bind(query, sqlite3_bind_blob64(query->statement, ++query->bound, length ? data : "", length, SQLITE_STATIC));
}

static enum status end_with(struct query *query, int code)
{
    enum status status = store_classify(query->store, code);
    // Answers the code of the last step once more, which has just been classified.
    (void)sqlite3_reset(query->statement);
    return status;
}

enum status query_run(struct query *query, int64_t *out_changes)
{
    assert(query->bound == sqlite3_bind_parameter_count(query->statement));
    if (query->code != SQLITE_OK)
        return end_with(query, query->code);
    int code = sqlite3_step(query->statement);
    enum status status = end_with(query, code);
    if (status == STATUS_OK && out_changes)
        *out_changes = sqlite3_changes64(query->store->db);
    return status;
}

enum status query_run_on_one(struct query *query, enum status otherwise)
{
    int64_t changes = 0;
    enum status status = query_run(query, &changes);
    return status == STATUS_OK && changes == 0 ? otherwise : status;
}

enum status query_row(struct query *query)
{
    assert(query->bound == sqlite3_bind_parameter_count(query->statement));
    if (query->damage)
        return query_end(query);
    if (query->code != SQLITE_OK)
        return end_with(query, query->code);
    int code = sqlite3_step(query->statement);
    if (code == SQLITE_ROW) {
        query->read = 0;
        return STATUS_OK;
    }
    enum status status = end_with(query, code);
    return status == STATUS_OK ? STATUS_NOT_FOUND : status;
}

enum status query_end(struct query *query)
{
    (void)sqlite3_reset(query->statement); // the last step gave a row: there is no failure to hear of
    return query->damage ? store_damaged(query->store, query->damage) : STATUS_OK;
}

void query_damage(struct query *query, const char *what)
{
    if (!query->damage)
        query->damage = what;
}

int64_t query_int(struct query *query)
{
    return sqlite3_column_int64(query->statement, query->read++);
}

const char *query_borrow_text(struct query *query)
{
    const unsigned char *text = sqlite3_column_text(query->statement, query->read++);
    if (!text)
        query_damage(query, "a text is missing");
    return text ? (const char *)text : "";
}

void query_text(struct query *query, char *out, size_t capacity)
{
    const char *text = query_borrow_text(query);
    size_t length = strlen(text);
    if (length >= capacity) {
        query_damage(query, "a text is longer than it can be");
        length = 0;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

char *query_take_text(struct query *query)
{
    return memory_copy_text(query_borrow_text(query));
}

static const void *borrow_bytes(struct query *query, size_t *out_length)
{
    const void *data = sqlite3_column_blob(query->statement, query->read);
    *out_length = data ? (size_t)sqlite3_column_bytes(query->statement, query->read) : 0;
    query->read++;
    return data ? data : "";
}

void *query_take_bytes(struct query *query, size_t *out_length)
{
    size_t length = 0;
    const void *data = borrow_bytes(query, &length);
    *out_length = length;
    return memory_copy(data, length);
}

size_t query_short_bytes(struct query *query, void *out, size_t capacity)
{
    size_t length = 0;
    const void *data = borrow_bytes(query, &length);
    if (length > capacity) {
        query_damage(query, "bytes are more than they can be");
        return 0;
    }
    memcpy(out, data, length);
    return length;
}

void query_bytes(struct query *query, void *out, size_t length)
{
    if (query_short_bytes(query, out, length) != length)
        query_damage(query, "bytes are missing");
}
