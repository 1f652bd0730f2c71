/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_grader_mock xqueue_test_service */
/* The mock against a grader whose every word the test chooses, and its files against any client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <xqueue/v1/files.pb-c.h>

#include "base/clock.h"
#include "base/memory.h"
#include "grader-sdk/include/xqueue/grader_mock.h"
#include "tests/support/core_caller.h"
#include "tests/support/scripted_grader.h"

#define OK      XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK
#define ALREADY XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_ALREADY
#define STALE   XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_STALE
#define INVALID XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_INVALID

enum { PATIENCE_MS = 20000, SHORT_MS = 50, BIG_BYTES = 700000 };

struct bench {
    struct xqueue_mock *mock;
    struct xqueue_mock_options options; /* to be changed before starts */
    struct scripted_grader *grader;
    struct core_lease lease;
};

static int set_up(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    xqueue_mock_options_init(&bench.options);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    scripted_grader_close(bench->grader);
    xqueue_mock_destroy(bench->mock);
    return 0;
}

/* The mock, and a grader that has said nothing but its login. */
static void starts(struct bench *bench)
{
    assert_int_equal(xqueue_mock_start(&bench->options, &bench->mock, NULL), XQUEUE_STATUS_OK);
    bench->grader = scripted_grader_open(xqueue_mock_address(bench->mock), "grader");
}

static uint64_t submits(struct bench *bench, const struct xqueue_mock_file *file)
{
    struct xqueue_mock_submission submission;
    uint64_t id = 0;
    xqueue_mock_submission_init(&submission);
    submission.queue = "calm";
    submission.files = file;
    submission.file_count = file ? 1 : 0;
    assert_int_equal(xqueue_mock_submit(bench->mock, &submission, &id, NULL), XQUEUE_STATUS_OK);
    return id;
}

/* A grader that was granted one submission, bench->lease. */
static struct bench *granted(void **state)
{
    struct bench *bench = *state;
    starts(bench);
    assert_true(scripted_grader_start(bench->grader, &(struct scripted_hello){.grader = "g", .queue = "calm"}, 1));
    (void)submits(bench, NULL);
    assert_true(scripted_grader_await_grant(bench->grader, &bench->lease));
    return bench;
}

static void happens(struct bench *bench, enum xqueue_mock_event event, unsigned count)
{
    struct xqueue_error error = {0};
    if (xqueue_mock_wait(bench->mock, 0, event, count, PATIENCE_MS, &error) != XQUEUE_STATUS_OK)
        fail_msg("%s", error.text);
}

static void stands(struct bench *bench, enum xqueue_mock_state state, uint32_t failures)
{
    struct xqueue_mock_record *record = NULL;
    assert_int_equal(xqueue_mock_look(bench->mock, bench->lease.id, &record, NULL), XQUEUE_STATUS_OK);
    assert_int_equal(record->state, state);
    assert_int_equal(record->failures, failures);
    xqueue_mock_record_free(record);
}

static void ends(struct bench *bench, enum status status, const char *reason)
{
    enum status ended = STATUS_OK;
    struct error error = {0};
    assert_true(scripted_grader_await_end(bench->grader, &ended, &error));
    assert_int_equal(ended, status);
    assert_string_equal(error.reason, reason);
}

/* ---- leases ---- */

static void what_is_not_accepted_goes_back_uncounted(void **state)
{
    struct bench *bench = *state;
    bench->options.accept_ms = SHORT_MS;
    (void)granted(state);

    assert_int_equal(scripted_grader_await_lost(bench->grader, &bench->lease),
                     XQUEUE__V1__LOST_REASON__LOST_REASON_NOT_ACCEPTED);

    stands(bench, XQUEUE_MOCK_STATE_READY, 0);
    assert_true(scripted_grader_accept(bench->grader, &bench->lease));
    assert_int_equal(scripted_grader_await_ack(bench->grader, &bench->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_ACCEPT), STALE);
}

static void what_is_not_renewed_expires_and_counts(void **state)
{
    struct bench *bench = *state;
    bench->options.lease_ms = SHORT_MS;
    (void)granted(state);
    assert_true(scripted_grader_accept(bench->grader, &bench->lease));

    assert_int_equal(scripted_grader_await_lost(bench->grader, &bench->lease), XQUEUE__V1__LOST_REASON__LOST_REASON_EXPIRED);

    stands(bench, XQUEUE_MOCK_STATE_READY, 1);
    assert_true(scripted_grader_heartbeat(bench->grader, &bench->lease, 1));
    assert_int_equal(scripted_grader_await_lost(bench->grader, &bench->lease), XQUEUE__V1__LOST_REASON__LOST_REASON_EXPIRED);
    assert_int_equal(scripted_grader_fail(bench->grader, &bench->lease, XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT, ""), STALE);
    assert_int_equal(scripted_grader_complete(bench->grader, &bench->lease, "late"), OK);
}

static void what_is_rejected_goes_back_and_takes_the_credit(void **state)
{
    struct bench *bench = granted(state);
    assert_true(scripted_grader_credit(bench->grader, 5));

    assert_int_equal(scripted_grader_reject(bench->grader, &bench->lease), OK);

    assert_true(scripted_grader_ping(bench->grader));
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_GRANTED), 1);
    stands(bench, XQUEUE_MOCK_STATE_READY, 0);
    assert_true(scripted_grader_credit(bench->grader, 1));
    happens(bench, XQUEUE_MOCK_GRANTED, 2);
}

static void credit_is_used_up(void **state)
{
    struct bench *bench = granted(state);

    (void)submits(bench, NULL);
    assert_true(scripted_grader_accept(bench->grader, &bench->lease));
    assert_int_equal(scripted_grader_complete(bench->grader, &bench->lease, "{}"), OK);

    assert_true(scripted_grader_ping(bench->grader));
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_GRANTED), 1);
    assert_true(scripted_grader_credit(bench->grader, 1));
    happens(bench, XQUEUE_MOCK_GRANTED, 2);
}

/* ---- answers ---- */

static void a_result_counts_once(void **state)
{
    struct bench *bench = granted(state);
    struct core_lease wrong = bench->lease;
    wrong.key[0] = wrong.key[0] == '0' ? '1' : '0';

    assert_int_equal(scripted_grader_complete(bench->grader, &wrong, "{}"), STALE);
    assert_int_equal(scripted_grader_complete(bench->grader, &bench->lease, "{}"), OK);
    assert_int_equal(scripted_grader_complete(bench->grader, &bench->lease, "{}"), ALREADY);
    assert_int_equal(scripted_grader_complete(bench->grader, &bench->lease, "{1}"), INVALID);
    assert_int_equal(scripted_grader_fail(bench->grader, &bench->lease, XQUEUE__V1__FAIL_KIND__FAIL_KIND_UNGRADABLE, ""),
                     STALE);

    stands(bench, XQUEUE_MOCK_STATE_GRADED, 0);
    assert_int_equal(xqueue_mock_count(bench->mock, bench->lease.id, XQUEUE_MOCK_REFUSED), 3);
    assert_int_equal(xqueue_mock_count(bench->mock, bench->lease.id, XQUEUE_MOCK_REPEATED), 1);
}

static void what_nobody_wants_any_more_is_refused(void **state)
{
    struct bench *bench = granted(state);

    assert_int_equal(xqueue_mock_take(bench->mock, bench->lease.id, XQUEUE_LOST_CANCELED, NULL), XQUEUE_STATUS_OK);

    assert_int_equal(scripted_grader_await_lost(bench->grader, &bench->lease), XQUEUE__V1__LOST_REASON__LOST_REASON_CANCELED);
    assert_int_equal(scripted_grader_complete(bench->grader, &bench->lease, "{}"), STALE);
    stands(bench, XQUEUE_MOCK_STATE_CANCELED, 0);
}

static void bounds_of_answers_are_kept(void **state)
{
    struct bench *bench = *state;
    bench->options.result_bytes_max = 2;
    (void)granted(state);

    assert_int_equal(scripted_grader_complete(bench->grader, &bench->lease, "{} "), INVALID);
    assert_int_equal(scripted_grader_fail(bench->grader, &bench->lease, XQUEUE__V1__FAIL_KIND__FAIL_KIND_UNSPECIFIED, ""),
                     INVALID);
    assert_int_equal(scripted_grader_fail(bench->grader, &bench->lease, XQUEUE__V1__FAIL_KIND__FAIL_KIND_UNGRADABLE, "no"), OK);

    stands(bench, XQUEUE_MOCK_STATE_UNGRADABLE, 0);
}

/* ---- the stream ---- */

static void a_grader_that_answers_no_ping_is_cut_off(void **state)
{
    struct bench *bench = *state;
    bench->options.ping_period_ms = SHORT_MS;
    starts(bench);
    scripted_grader_be_silent(bench->grader);

    assert_true(scripted_grader_hello(bench->grader, &(struct scripted_hello){.grader = "g", .queue = "calm"}));

    ends(bench, STATUS_TIMEOUT, "PING_LOST");
}

static void hello_comes_first_and_once(void **state)
{
    struct bench *bench = *state;
    starts(bench);
    assert_true(scripted_grader_credit(bench->grader, 1));
    ends(bench, STATUS_INVALID, "HELLO_MISSING");
    scripted_grader_close(bench->grader);

    bench->grader = scripted_grader_open(xqueue_mock_address(bench->mock), "grader");
    assert_true(scripted_grader_hello(bench->grader, &(struct scripted_hello){.grader = "", .queue = "calm"}));
    ends(bench, STATUS_INVALID, "HELLO_INVALID");
    scripted_grader_close(bench->grader);

    bench->grader = scripted_grader_open(xqueue_mock_address(bench->mock), "grader");
    assert_true(scripted_grader_hello(bench->grader, &(struct scripted_hello){.grader = "g", .queue = "calm"}));
    assert_true(scripted_grader_hello(bench->grader, &(struct scripted_hello){.grader = "g", .queue = "calm"}));
    ends(bench, STATUS_INVALID, "HELLO_AGAIN");
}

static void a_grader_that_drains_is_let_go_when_nothing_is_held(void **state)
{
    struct bench *bench = granted(state);
    assert_true(scripted_grader_drain(bench->grader));
    happens(bench, XQUEUE_MOCK_DRAINING, 1);
    assert_false(scripted_grader_is_over(bench->grader));

    assert_int_equal(scripted_grader_complete(bench->grader, &bench->lease, "{}"), OK);

    ends(bench, STATUS_OK, "");
}

/* ---- files ---- */

struct fetched {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t length;
    bool is_right; /* every byte was as it should be */
    bool is_over;
    enum status status;
};

static char byte_at(size_t place)
{
    return (char)(place % 251);
}

static void on_chunk(void *context, struct rpc_message *message)
{
    struct fetched *fetched = context;
    const Xqueue__V1__FetchResponse *part = (const Xqueue__V1__FetchResponse *)rpc_message_body(message);
    pthread_mutex_lock(&fetched->mutex);
    for (size_t i = 0; i < part->chunk.len; i++)
        fetched->is_right = fetched->is_right && (char)part->chunk.data[i] == byte_at(fetched->length + i);
    fetched->length += part->chunk.len;
    pthread_mutex_unlock(&fetched->mutex);
    rpc_message_free(message);
}

static void on_fetched(void *context, enum status status, const struct error *error)
{
    struct fetched *fetched = context;
    (void)error;
    pthread_mutex_lock(&fetched->mutex);
    fetched->status = status;
    fetched->is_over = true;
    pthread_cond_broadcast(&fetched->changed);
    pthread_mutex_unlock(&fetched->mutex);
}

static enum status fetch(struct core_caller *caller, const char *file_id, struct fetched *out_fetched)
{
    static const struct rpc_client_method method = {.path = "/xqueue.v1.Files/Fetch",
                                                    .reply = &xqueue__v1__fetch_response__descriptor};
    static const struct rpc_client_stream_events events = {.on_message = on_chunk, .on_close = on_fetched};
    struct rpc_client_stream *stream = NULL;
    Xqueue__V1__FetchRequest request = XQUEUE__V1__FETCH_REQUEST__INIT;
    request.file_id = (char *)(uintptr_t)file_id;
    *out_fetched = (struct fetched){.is_right = true};
    pthread_mutex_init(&out_fetched->mutex, NULL);
    clock_condition_init(&out_fetched->changed);
    assert_int_equal(rpc_client_stream_open(core_caller_channel(caller), &method,
                                            &(struct rpc_call_options){.wait_for_ready = 1, .timeout_ms = PATIENCE_MS}, &events,
                                            out_fetched, &stream),
                     STATUS_OK);
    assert_int_equal(rpc_client_stream_send(stream, &request.base), STATUS_OK);
    rpc_client_stream_half_close(stream);
    pthread_mutex_lock(&out_fetched->mutex);
    while (!out_fetched->is_over)
        (void)clock_wait_until(clock_system(), &out_fetched->changed, &out_fetched->mutex, CLOCK_NEVER);
    pthread_mutex_unlock(&out_fetched->mutex);
    rpc_client_stream_release(stream);
    pthread_cond_destroy(&out_fetched->changed);
    pthread_mutex_destroy(&out_fetched->mutex);
    return out_fetched->status;
}

static void a_file_is_fetched_as_the_grant_names_it(void **state)
{
    struct bench *bench = *state;
    struct fetched fetched;
    char *bytes = memory_allocate(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        bytes[i] = byte_at(i);
    starts(bench);
    struct core_caller *caller = core_caller_open(xqueue_mock_address(bench->mock), NULL);
    assert_true(scripted_grader_start(bench->grader, &(struct scripted_hello){.grader = "g", .queue = "calm"}, 1));
    (void)submits(bench, &(struct xqueue_mock_file){.name = "f", .filename = "a.bin", .bytes = bytes, .length = BIG_BYTES});

    struct rpc_message *message = scripted_grader_await(bench->grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT);
    assert_non_null(message);
    const Xqueue__V1__File *file = scripted_grader_read(message)->grant->submission->files[0];

    assert_string_equal(file->name, "f");
    assert_string_equal(file->filename, "a.bin");
    assert_int_equal(file->size_bytes, BIG_BYTES);
    assert_int_equal(file->sha256.len, 32);
    assert_int_equal(fetch(caller, file->file_id, &fetched), STATUS_OK);
    assert_int_equal(fetched.length, BIG_BYTES);
    assert_true(fetched.is_right);
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_FETCHED), 1);
    assert_int_equal(fetch(caller, "another", &fetched), STATUS_NOT_FOUND);
    rpc_message_free(message);
    core_caller_close(caller);
    memory_free(bytes);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_accepted_goes_back_uncounted),
        TEST(what_is_not_renewed_expires_and_counts),
        TEST(what_is_rejected_goes_back_and_takes_the_credit),
        TEST(credit_is_used_up),
        TEST(a_result_counts_once),
        TEST(what_nobody_wants_any_more_is_refused),
        TEST(bounds_of_answers_are_kept),
        TEST(a_grader_that_answers_no_ping_is_cut_off),
        TEST(hello_comes_first_and_once),
        TEST(a_grader_that_drains_is_let_go_when_nothing_is_held),
        TEST(a_file_is_fetched_as_the_grant_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
