/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An original's SQLite file, a configuration, and the database that the file is moved into, in a folder of their own. Every
 * helper fails the running test (cmocka) when something does not go that it does not answer.
 *
 * The configuration has the queues "a" (leases of a minute) and "b" (with a push URL), and the user "lms".
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_IMPORT_FIXTURE_H
#define TESTS_SUPPORT_IMPORT_FIXTURE_H

#include "base/config.h"
#include "base/text.h"
#include "service/import/importer.h"
#include "service/store/store.h"
#include "tests/support/legacy_database.h"

enum { IMPORT_PATH_MAX = 128, IMPORT_LEASE_MS = 60000 };

#define IMPORT_HOUR_MS INT64_C(3600000)
#define IMPORT_NOW_MS  INT64_C(1767225600000) /* 2026-01-01 00:00:00, when moves happen */
#define IMPORT_KEY     "0123456789abcdef0123456789abcdef"
#define IMPORT_GOOD    "http://lms.example/courses/1/xqueue/7/block/score_update"
#define IMPORT_HASH    "pbkdf2_sha256$1000$salt$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="

struct import_fixture {
    char folder[64];
    char source[IMPORT_PATH_MAX];
    char database[IMPORT_PATH_MAX];
    struct config *config; /* owned */
    struct text sql;       /* of the source */
    struct import_report report;
    bool has_report; /* of the last move */
    struct error error;
    struct store *store; /* between import_look and import_look_away */
};

/* The configuration's text. */
extern const char import_config_text[];
/* A configuration of that text in the fixture's folder: the caller's. */
struct config *import_parse_config(const struct import_fixture *fixture, const char *text);

/* cmocka setup and teardown: a source with empty tables, no database yet. */
int import_set_up(void **state);
int import_tear_down(void **state);

/* A row for the source: of queue "a", with the callback URL IMPORT_GOOD, unless it says otherwise. */
void import_add(struct import_fixture *fixture, struct legacy_database_row row);
#define IMPORT_ADD(fixture_, ...) import_add((fixture_), (struct legacy_database_row){__VA_ARGS__})
void import_add_user(struct import_fixture *fixture, const char *name, const char *hash, bool is_inactive);

/* Writes the source anew, with all that was added until now. */
void import_make_source(struct import_fixture *fixture);

/* import_run; report and error are the fixture's. */
enum status import_try(struct import_fixture *fixture, bool skip_unknown, bool dry_run);
/* Makes the source, and moves it. */
void import_move(struct import_fixture *fixture);
void import_forget_report(struct import_fixture *fixture);
/* The database is gone. */
void import_forget_database(struct import_fixture *fixture);

/* The database is open, in a transaction, until import_look_away, which commits. */
void import_look(struct import_fixture *fixture);
void import_look_away(struct import_fixture *fixture);
struct store_submission import_find(struct import_fixture *fixture, int64_t id);

/* All that is in the database but its identity, as one text. Free it with memory_free. */
char *import_snapshot(const struct import_fixture *fixture);

#endif
