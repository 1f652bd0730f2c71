/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support xqueue_store_test_support */
/*
 * The whole server on a disk that is full for a while: clear answers, nothing lost, nothing told that is not true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/server_fixture.h"

#define SERVER(kind_) XQUEUE__V1__SERVER_MESSAGE__KIND_##kind_
#define STATE(state_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##state_

static int set_up(void **state)
{
    faulty_vfs_install();
    int failed = server_fixture_setup(state);
    log_configure("test", LOG_ERROR + 1, LOG_LOGFMT); /* the failures are wanted */
    return failed;
}

static int tear_down(void **state)
{
    int failed = server_fixture_teardown(state);
    faulty_vfs_remove();
    return failed;
}

/* Only while the engine sleeps; the clock's lock hands the change over to it. */
static void disk_is_full(struct server_fixture *server, bool full)
{
    fake_clock_await_waiter(server->clock, 1);
    if (full)
        faulty_vfs_fail(FAULTY_WRITE_FULL, 1);
    else
        faulty_vfs_heal();
    fake_clock_advance(server->clock, 0);
}

static void a_submission_is_refused_for_the_moment(void **state)
{
    struct server_fixture *server = *state;
    static const struct rpc_client_method submit = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor};
    static char queue[] = "demo";
    char token[64] = "=";
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    request.queue = queue;
    strncat(token, server_token(server, "lms"), sizeof token - 2);

    disk_is_full(server, true);
    assert_int_equal(server_calls(server, token, &submit, &request.base, NULL), STATUS_UNAVAILABLE);
    assert_string_equal(server->error.reason, "STORAGE_FULL");
    assert_true(server->error.retry_after_ms > 0);
    disk_is_full(server, false);

    assert_int_equal(lms_hands_in(server, "x"), 1);
}

static void nobody_is_logged_in_whose_session_was_not_stored(void **state)
{
    struct server_fixture *server = *state;
    static const struct rpc_client_method login = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
    static char user[] = "lms";
    static char password[] = "secret";
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    request.user = user;
    request.password = password;

    disk_is_full(server, true);
    assert_int_equal(server_calls(server, NULL, &login, &request.base, NULL), STATUS_UNAVAILABLE);
    disk_is_full(server, false);

    assert_int_equal(server_calls(server, NULL, &login, &request.base, NULL), STATUS_OK);
}

static void a_result_is_to_be_sent_again_and_is_taken_then(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 1);
    uint64_t id = lms_hands_in(server, "x");
    grader_takes_grant(grader, &lease);
    assert_int_equal(lms_sees(server, id), STATE(LEASED));

    disk_is_full(server, true);
    grader_says_complete(grader, &lease.ref, "right");
    const Xqueue__V1__Ack *ack = grader_awaits(grader, SERVER(ACK))->ack;
    assert_int_equal(ack->outcome, XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_RETRY);
    assert_string_equal(ack->reason, "STORAGE_FULL");
    assert_true(ack->retry_after_ms > 0);
    disk_is_full(server, false);
    assert_int_equal(lms_sees(server, id), STATE(LEASED));
    grader_says_complete(grader, &lease.ref, "right");

    grader_awaits_ack(grader, id, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE, XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
    assert_int_equal(lms_sees(server, id), STATE(GRADED));
    stream_closes(grader);
}

static void a_grant_that_could_not_be_stored_comes_when_there_is_room(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, SERVER(WELCOME));
    uint64_t id = lms_hands_in(server, "x");

    disk_is_full(server, true);
    grader_says_credit(grader, 1);
    /* The engine has tried, and sleeps a second before it tries again. */
    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 1000);
    disk_is_full(server, false);
    fake_clock_advance(server->clock, 1000);

    grader_takes_grant(grader, &lease);
    assert_int_equal(lease.ref.submission_id, id);
    stream_closes(grader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_submission_is_refused_for_the_moment),
        TEST(nobody_is_logged_in_whose_session_was_not_stored),
        TEST(a_result_is_to_be_sent_again_and_is_taken_then),
        TEST(a_grant_that_could_not_be_stored_comes_when_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
