/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support PkgConfig::SQLITE */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "service/store/store_internal.h"
#include "tests/support/store_fixture.h"

/* Reads all rows, on purpose: at start-up, or of the few users; SQLite's own table of sequences has a row for each table. */
static bool may_walk_all(enum statement statement)
{
    switch (statement) {
    case STATEMENT_VISIT_SESSIONS:
    case STATEMENT_VISIT_USERS:
    case STATEMENT_VISIT_TOKENS:
    case STATEMENT_COUNT_USERS:
    case STATEMENT_VISIT_QUEUES:
    case STATEMENT_VISIT_QUEUE_SETTINGS:
    case STATEMENT_READ_LAST_ID:
    case STATEMENT_START_LAST_ID:
    case STATEMENT_SAVE_LAST_ID:
        return true;
    default:
        return false;
    }
}

static void check_plan(sqlite3 *db, enum statement statement)
{
    char explain[4096];
    sqlite3_stmt *plan = NULL;
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", store_statement_sql(statement));
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        bool walks =
            strncmp(detail, "SCAN ", 5) == 0 && !strstr(detail, "INDEX") && strcmp(detail, "SCAN CONSTANT ROW") != 0 &&
            strncmp(detail, "SCAN (subquery", 14) != 0; /* how the rows of a subquery are found stands in a line of its own */
        if ((walks && !may_walk_all(statement)) || strstr(detail, "TEMP B-TREE"))
            fail_msg("%s: %s", store_statement_sql(statement), detail);
    }
    assert_int_equal(sqlite3_finalize(plan), SQLITE_OK);
}

static void no_statement_walks_a_table_or_sorts(void **state)
{
    struct store_fixture *fixture = *state;

    for (unsigned at = STATEMENT_ROLLBACK + 1; at < STATEMENT_END; at++)
        check_plan(fixture->store->db, (enum statement)at);
}

static void every_statement_has_sql(void **state)
{
    (void)state;

    for (unsigned at = 0; at < STATEMENT_END; at++)
        assert_non_null(store_statement_sql((enum statement)at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_statement_walks_a_table_or_sorts, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test(every_statement_has_sql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
