/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Submissions that take graders down, graders that fail at everything, and what either of them is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <xqueue/v1/admin.pb-c.h>

#include "base/text.h"
#include "tests/support/conversation.h"

#define STATE(name_)  XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define ACK(name_)    XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##name_
#define SAYS(name_)   XQUEUE__V1__SERVER_MESSAGE__KIND_##name_
#define FAILED(name_) XQUEUE__V1__FAIL_KIND__FAIL_KIND_##name_

/* What failed once does not come back within a test. */
static const char one_try[] = "  slow:\n    retry_delay_ms: 3600000\n    retry_delay_ms_max: 3600000\n";

static struct core_lease asks_for_one(struct core_caller *poller, const char *grader, enum status *out_status,
                                      struct error *error)
{
    char queue[] = "slow";
    char name[CORE_KEY_MAX];
    Xqueue__V1__LeaseRequest request = XQUEUE__V1__LEASE_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Graders/Lease", &xqueue__v1__lease_response__descriptor, &request.base};
    struct rpc_message *reply = NULL;
    struct core_lease lease = {0};

    text_copy(name, sizeof name, grader);
    request.queue = queue;
    request.grader = name;
    *out_status = core_caller_ask(poller, &question, &reply, error);
    if (*out_status == STATUS_OK) {
        const Xqueue__V1__LeaseResponse *response = (const Xqueue__V1__LeaseResponse *)(const void *)rpc_message_body(reply);
        if (response->n_grants > 0) {
            core_lease_read(response->grants[0], &lease);
        }
        rpc_message_free(reply);
    }
    return lease;
}

/* ---- poison ---- */

static void a_submission_on_which_two_graders_die_is_dead_until_an_administrator_requeues_it(void **state)
{
    const struct running_service_options options = {
        .queues = "  mine:\n    lease_ms: 1000\n    attempts_max: 10\n    poison_graders_max: 2\n"};
    struct conversation *talk = conversation_start_core(&options);
    static const char *const names[] = {"first", "second"};
    Xqueue__V1__BulkRequest bulk = XQUEUE__V1__BULK_REQUEST__INIT;
    Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    const struct core_question requeue = {"/xqueue.v1.Admin/Requeue", &xqueue__v1__bulk_response__descriptor, &bulk.base};

    (void)state;
    uint64_t id = student_submits(talk, "mine", NULL, "poison");
    for (size_t i = 0; i < 2; i++) {
        struct scripted_grader *grader = grader_connects(talk, names[i], "mine", 1);
        assert_int_equal(grader_receives(grader).attempt, i + 1);
        scripted_grader_close(grader); // it died
    }
    assert_true(core_await_state(talk->student, id, STATE(DEAD)));
    assert_int_equal(admin_sees(talk, id).failures, 2);
    assert_string_equal(admin_sees(talk, id).message, "several graders were lost while they graded it");

    filter.submission_ids = &id;
    filter.n_submission_ids = 1;
    bulk.filter = &filter;
    assert_int_equal(core_caller_ask(talk->admin, &requeue, NULL, NULL), STATUS_OK);
    struct scripted_grader *grader = grader_connects(talk, "third", "mine", 1);
    const struct core_lease lease = grader_receives(grader);
    grader_completes(grader, &lease, "survived");
    assert_string_equal(admin_sees(talk, id).result, "survived");
    scripted_grader_close(grader);
    assert_true(conversation_finish(talk));
}

/* ---- quiet ---- */

static void hears_quiet(struct scripted_grader *grader, int64_t at_least_ms, const char *reason)
{
    struct rpc_message *message = scripted_grader_await(grader, SAYS(QUIET));

    assert_non_null(message);
    const Xqueue__V1__Quiet *quiet = scripted_grader_read(message)->quiet;
    assert_true(quiet->for_ms >= at_least_ms);
    assert_string_equal(quiet->reason, reason);
    rpc_message_free(message);
}

static int64_t admin_sees_quiet_for(struct conversation *talk)
{
    Xqueue__V1__ListGradersRequest request = XQUEUE__V1__LIST_GRADERS_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Admin/ListGraders", &xqueue__v1__list_graders_response__descriptor,
                                           &request.base};
    struct rpc_message *reply = NULL;

    assert_int_equal(core_caller_ask(talk->admin, &question, &reply, NULL), STATUS_OK);
    const Xqueue__V1__ListGradersResponse *response =
        (const Xqueue__V1__ListGradersResponse *)(const void *)rpc_message_body(reply);
    assert_int_equal(response->n_graders, 1);
    const int64_t quiet_for_ms = response->graders[0]->quiet_for_ms;
    rpc_message_free(reply);
    return quiet_for_ms;
}

static void a_grader_that_keeps_failing_is_left_alone_over_all_paths_and_then_tried_with_one(void **state)
{
    const struct running_service_options options = {.service = "  grader_failures_max: 3\n  grader_quiet_ms: 2000\n",
                                                    .queues = one_try};
    struct conversation *talk = conversation_start_core(&options);
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct scripted_grader *grader = grader_connects(talk, "g", "slow", 3);
    struct error error;
    enum status status = STATUS_OK;

    (void)state;
    for (int i = 0; i < 6; i++) {
        student_submits(talk, "slow", NULL, "body");
    }
    for (int i = 0; i < 3; i++) {
        const struct core_lease lease = grader_receives(grader);
        assert_int_equal(scripted_grader_fail(grader, &lease, FAILED(TRANSIENT), "out of memory"), ACK(OK));
    }
    hears_quiet(grader, 1, "GRADER_QUIET");
    assert_in_range(admin_sees_quiet_for(talk), 1, 2000);
    assert_true(scripted_grader_credit(grader, 3));
    (void)asks_for_one(poller, "g", &status, &error);
    assert_int_equal(status, STATUS_FULL);
    assert_string_equal(error.reason, "GRADER_QUIET");
    assert_in_range(error.retry_after_ms, 1, 2000);
    const struct core_lease other = asks_for_one(poller, "another", &status, &error);
    assert_int_equal(status, STATUS_OK);
    assert_int_not_equal(other.id, 0);
    assert_false(scripted_grader_has(grader, SAYS(GRANT)));

    hears_quiet(grader, 0, ""); // after two seconds
    const struct core_lease trial = grader_receives(grader);
    assert_true(scripted_grader_ping(grader));
    assert_false(scripted_grader_has(grader, SAYS(GRANT)));
    grader_completes(grader, &trial, "well again");
    assert_int_not_equal(grader_receives(grader).id, 0);
    assert_int_equal(admin_sees_quiet_for(talk), 0);
    scripted_grader_close(grader);
    core_caller_close(poller);
    assert_true(conversation_finish(talk));
}

static void a_poller_of_the_old_protocol_that_is_left_alone_finds_the_queue_empty(void **state)
{
    const struct running_service_options options = {.service = "  grader_failures_max: 1\n  grader_quiet_ms: 2000\n",
                                                    .queues = "  brief:\n    lease_ms: 1000\n    poison_graders_max: 10\n"};
    struct conversation *talk = conversation_start(&options);
    struct rest_client poller;
    struct rest_pulled pulled;

    (void)state;
    rest_client_init(&poller, talk->service.rest_port, "grader");
    assert_int_equal(rest_client_login(&poller), 0);
    const uint64_t id = student_submits(talk, "brief", NULL, "body");
    assert_true(rest_client_pull(&poller, "brief", &pulled));
    assert_true(core_await_state(talk->student, id, STATE(READY))); // it never answered

    struct rest_pulled again;
    assert_false(rest_client_pull(&poller, "brief", &again));
    assert_int_equal(poller.return_code, 1);
    assert_string_equal(poller.content, "Queue 'brief' is empty");
    assert_int_equal(rest_client_put(&poller, pulled.header, "late, but right"), 0); // which makes all good
    assert_string_equal(admin_sees(talk, id).result, "late, but right");
    student_submits(talk, "brief", NULL, "next");
    assert_true(rest_client_pull(&poller, "brief", &again));

    rest_pulled_finish(&pulled);
    rest_pulled_finish(&again);
    rest_client_finish(&poller);
    assert_true(conversation_finish(talk));
}

static void what_an_administrator_retires_is_lost_to_its_grader_at_once(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    Xqueue__V1__BulkRequest bulk = XQUEUE__V1__BULK_REQUEST__INIT;
    Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    const struct core_question retire = {"/xqueue.v1.Admin/Retire", &xqueue__v1__bulk_response__descriptor, &bulk.base};

    uint64_t id = student_submits(talk, "calm", NULL, "body");
    const struct core_lease lease = grader_receives(grader);
    filter.submission_ids = &id;
    filter.n_submission_ids = 1;
    bulk.filter = &filter;
    assert_int_equal(core_caller_ask(talk->admin, &retire, NULL, NULL), STATUS_OK);

    assert_int_equal(scripted_grader_await_lost(grader, &lease), XQUEUE__V1__LOST_REASON__LOST_REASON_ADMIN);
    assert_int_equal(admin_sees(talk, id).state, STATE(DEAD));
    scripted_grader_close(grader);
}

static void who_is_replaced_hears_so_before_the_end(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *old = grader_connects(talk, "g", "calm", 0);
    struct scripted_grader *new = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = "g", .queue = "calm", .instance = "2"};

    assert_true(scripted_grader_start(new, &hello, 0));

    struct rpc_message *message = scripted_grader_await(old, SAYS(GO_AWAY));
    assert_non_null(message);
    assert_string_equal(scripted_grader_read(message)->go_away->reason, "SESSION_REPLACED");
    rpc_message_free(message);
    scripted_grader_close(old);
    scripted_grader_close(new);
}

#define WITH_CORE(test_) cmocka_unit_test_setup_teardown(test_, conversation_set_up_core, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_on_which_two_graders_die_is_dead_until_an_administrator_requeues_it),
        cmocka_unit_test(a_grader_that_keeps_failing_is_left_alone_over_all_paths_and_then_tried_with_one),
        cmocka_unit_test(a_poller_of_the_old_protocol_that_is_left_alone_finds_the_queue_empty),
        WITH_CORE(what_an_administrator_retires_is_lost_to_its_grader_at_once),
        WITH_CORE(who_is_replaced_hears_so_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
