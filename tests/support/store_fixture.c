/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

static void open_store(struct store_fixture *fixture)
{
    struct error error = {0};
    enum status status = store_open(fixture->path, &fixture->store, &error);
    if (status != STATUS_OK)
        fail_msg("store_open: %s: %s", status_name(status), error.text);
}

int store_fixture_setup(void **state)
{
    struct store_fixture *fixture = MEMORY_NEW(struct store_fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/xqueue-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/xqueue.db", fixture->folder);
    open_store(fixture);
    store_fixture_begin(fixture);
    assert_int_equal(store_queue_id(fixture->store, "demo", &fixture->queue_id), STATUS_OK);
    store_fixture_commit(fixture);
    *state = fixture;
    return 0;
}

int store_fixture_teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    struct store_fixture *fixture = *state;
    store_fixture_close(fixture);
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[sizeof fixture->path + 16];
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[at]);
        unlink(path);
    }
    rmdir(fixture->folder);
    memory_free(fixture);
    return 0;
}

void store_fixture_close(struct store_fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

void store_fixture_reopen(struct store_fixture *fixture)
{
    store_fixture_close(fixture);
    open_store(fixture);
}

void store_fixture_begin(struct store_fixture *fixture)
{
    assert_int_equal(store_begin(fixture->store), STATUS_OK);
}

void store_fixture_commit(struct store_fixture *fixture)
{
    assert_int_equal(store_commit(fixture->store), STATUS_OK);
}

struct store_submission store_fixture_row(const struct store_fixture *fixture)
{
    return (struct store_submission){
        .queue_id = fixture->queue_id,
        .state = SUBMISSION_READY,
        .rank = 1,
        .virtual_ms = 1000,
        .submitted_at_ms = 1000,
        .state_at_ms = 1000,
        .has_destination = true,
    };
}

void store_fixture_set_replace_key(struct store_submission *row, const char *key)
{
    row->replace_key_length = strlen(key);
    assert_true(row->replace_key_length <= sizeof row->replace_key);
    memcpy(row->replace_key, key, row->replace_key_length);
}

int64_t store_fixture_insert(struct store_fixture *fixture, struct store_submission *row)
{
    static char header[] = "{}";
    static char body[] = "print(1)";
    static char nothing[] = "";
    const struct store_content content = {
        .header = header,
        .header_length = strlen(header),
        .body = body,
        .body_length = strlen(body),
        .callback_url = nothing,
        .results_channel = nothing,
        .trace_parent = nothing,
        .trace_state = nothing,
    };
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = "", .cost = 1};
    assert_int_equal(store_insert_submission(fixture->store, row, &content, &request), STATUS_OK);
    return row->id;
}

void store_fixture_lease(struct store_fixture *fixture, struct store_submission *row)
{
    row->attempt = 1;
    row->leased_at_ms = 2000;
    row->lease_expires_at_ms = 3000;
    row->lease_hard_limit_at_ms = 9000;
    snprintf(row->lease_key, sizeof row->lease_key, "%032lld", (long long)row->id);
    snprintf(row->grader, sizeof row->grader, "grader-1");
    assert_int_equal(store_move_submission(fixture->store, row, SUBMISSION_LEASED), STATUS_OK);
}

struct store_delivery store_fixture_delivery(const struct store_fixture *fixture, int64_t submission_id, int64_t due_at_ms)
{
    return (struct store_delivery){
        .submission_id = submission_id,
        .queue_id = fixture->queue_id,
        .state = DELIVERY_PENDING,
        .outcome = DELIVERY_OUTCOME_RESULT,
        .generation = 1,
        .due_at_ms = due_at_ms,
        .state_at_ms = due_at_ms,
    };
}
