/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real store in a folder of its own, and short ways to fill it. Every helper fails the running test (cmocka) when the store
 * does not answer STATUS_OK.
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_STORE_FIXTURE_H
#define TESTS_SUPPORT_STORE_FIXTURE_H

#include "service/store/store.h"

struct store_fixture {
    char folder[64];
    char path[96];
    struct store *store; /* owned; NULL while closed */
    int64_t queue_id;    /* of the queue "demo" */
};

/* cmocka setup and teardown: *state is a fixture with an open store and one queue. */
int store_fixture_setup(void **state);
int store_fixture_teardown(void **state);

void store_fixture_close(struct store_fixture *fixture);
void store_fixture_reopen(struct store_fixture *fixture); /* closes and opens again */
void store_fixture_begin(struct store_fixture *fixture);
void store_fixture_commit(struct store_fixture *fixture);

/* A READY row of the queue "demo" in the normal rank, not yet inserted. */
struct store_submission store_fixture_row(const struct store_fixture *fixture);
void store_fixture_set_replace_key(struct store_submission *row, const char *key);

/* Inserts row with a small body and no request id. Inside a transaction. Returns its id. */
int64_t store_fixture_insert(struct store_fixture *fixture, struct store_submission *row);

/* Moves row to LEASED, as attempt 1, with a key made of its id. Inside a transaction. */
void store_fixture_lease(struct store_fixture *fixture, struct store_submission *row);

/* A PENDING row for that submission, due at due_at_ms, not yet inserted. */
struct store_delivery store_fixture_delivery(const struct store_fixture *fixture, int64_t submission_id, int64_t due_at_ms);

#endif
