/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submissions and users that come from another service's database, under the ids that they had there.
 */
#include <assert.h>

#include "service/store/store_internal.h"

/* ---- ids ---- */

enum status store_last_id(struct store *store, int64_t *out_id)
{
    struct query query = query_start(store, STATEMENT_READ_LAST_ID);
    enum status status = query_row(&query);
    if (status == STATUS_NOT_FOUND) {
        *out_id = 0;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    int64_t id = query_int(&query);
    status = query_end(&query);
    if (status == STATUS_OK)
        *out_id = id;
    return status;
}

static enum status set_last_id(struct store *store, int64_t id)
{
    // There is no row before the first submission.
    struct query query = query_start(store, STATEMENT_START_LAST_ID);
    enum status status = query_run(&query, NULL);
    if (status != STATUS_OK)
        return status;
    query = query_start(store, STATEMENT_SAVE_LAST_ID);
    query_bind_int(&query, id);
    return query_run(&query, NULL);
}

enum status store_reserve_ids(struct store *store, int64_t last_id)
{
    int64_t given_id = 0;
    enum status status = store_last_id(store, &given_id);
    if (status != STATUS_OK || last_id <= given_id)
        return status;
    struct query query = query_start(store, STATEMENT_INSERT_IMPORTED_RANGE);
    query_bind_int(&query, given_id + 1);
    query_bind_int(&query, last_id);
    status = query_run(&query, NULL);
    return status == STATUS_OK ? set_last_id(store, last_id) : status;
}

enum status store_id_is_reserved(struct store *store, int64_t id)
{
    struct query query = query_start(store, STATEMENT_FIND_IMPORTED_RANGE);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    return status == STATUS_OK ? query_end(&query) : status;
}

/* ---- submissions ---- */

enum status store_import_submission(struct store *store, const struct store_submission *row,
                                    const struct store_content *content, const struct store_request *request,
                                    const uint8_t digest[SECRET_DIGEST_BYTES])
{
    assert(row->id > 0);
    assert(row->state == SUBMISSION_READY);
    enum status status = store_insert_submission_as(store, row);
    if (status == STATUS_OK)
        status = store_insert_content(store, row->id, content, request);
    if (status != STATUS_OK)
        return status;
    struct query query = query_start(store, STATEMENT_INSERT_IMPORTED_SUBMISSION);
    query_bind_int(&query, row->id);
    query_bind_bytes(&query, digest, SECRET_DIGEST_BYTES);
    return query_run(&query, NULL);
}

enum status store_find_imported(struct store *store, int64_t id, uint8_t out_digest[SECRET_DIGEST_BYTES])
{
    struct query query = query_start(store, STATEMENT_FIND_IMPORTED_SUBMISSION);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    query_bytes(&query, out_digest, SECRET_DIGEST_BYTES);
    return query_end(&query);
}

/* ---- users ---- */

enum status store_note_imported_user(struct store *store, const char *name)
{
    struct query query = query_start(store, STATEMENT_INSERT_IMPORTED_USER);
    query_bind_text(&query, name);
    return query_run(&query, NULL);
}

enum status store_find_imported_user(struct store *store, const char *name)
{
    struct query query = query_start(store, STATEMENT_FIND_IMPORTED_USER);
    query_bind_text(&query, name);
    enum status status = query_row(&query);
    return status == STATUS_OK ? query_end(&query) : status;
}
