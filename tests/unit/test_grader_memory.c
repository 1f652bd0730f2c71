/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_grader_core */
/*
 * The library without memory: the n-th allocation fails, for n = 1, 2, ... until all goes well. The allocator is glibc's,
 * behind functions of this program; builds with a sanitizer have an allocator of their own and leave these tests out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/secret.h"
#include "grader-sdk/include/xqueue/grader.h"
#include "grader-sdk/src/file_access.h"
#include "grader-sdk/src/file_sink.h"
#include "grader-sdk/src/inbox.h"
#include "grader-sdk/src/submission.h"
#include "grader-sdk/src/work_link_wire.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OWN_ALLOCATOR 0
#else
#define HAS_OWN_ALLOCATOR 1
#endif

enum { ALLOCATIONS_MAX = 1000 };

/* How many allocations of this thread still succeed; negative: all. */
static _Thread_local int allocations_left = -1;

#if HAS_OWN_ALLOCATOR
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);

static int may_allocate(void)
{
    if (allocations_left < 0)
        return 1;
    return allocations_left-- > 0 ? 1 : (allocations_left = 0);
}

void *malloc(size_t size)
{
    return may_allocate() ? __libc_malloc(size) : NULL;
}

void *calloc(size_t count, size_t size)
{
    return may_allocate() ? __libc_calloc(count, size) : NULL;
}
#endif

static void skip_without_allocator(void)
{
    if (!HAS_OWN_ALLOCATOR)
        skip();
}

static void handle(struct xqueue_submission *submission, void *context)
{
    (void)submission;
    (void)context;
}

/* Fails the n-th allocation until the grader is created, which is the caller's. */
static struct xqueue_grader *create_in_the_end(const struct xqueue_grader_options *options)
{
    struct xqueue_grader *grader = NULL;
    int failures = 0;
    enum xqueue_status status = XQUEUE_STATUS_NO_MEMORY;
    while (status == XQUEUE_STATUS_NO_MEMORY && failures < ALLOCATIONS_MAX) {
        struct xqueue_error error;
        allocations_left = failures;
        status = xqueue_grader_create(options, &grader, &error);
        allocations_left = -1;
        if (status == XQUEUE_STATUS_NO_MEMORY) {
            failures++;
            assert_null(grader);
            assert_int_equal(error.status, XQUEUE_STATUS_NO_MEMORY);
            assert_true(error.retriable);
        }
    }

    assert_int_equal(status, XQUEUE_STATUS_OK);
    assert_in_range(failures, 10, ALLOCATIONS_MAX);
    return grader;
}

static void creating_without_memory_says_so(void **state)
{
    static const char *const queues[] = {"a", "b"};
    static const struct xqueue_label labels[] = {{"language", "python"}, {"site", "x"}};
    static xqueue_handler *const modes[] = {handle, NULL};
    (void)state;
    skip_without_allocator();
    struct xqueue_grader_options options;
    xqueue_grader_options_init(&options);
    options.queues = queues;
    options.queue_count = 2;
    options.user = "user";
    options.password = "password";
    options.labels = labels;
    options.label_count = 2;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        options.handler = modes[i];
        xqueue_grader_destroy(create_in_the_end(&options));
    }
}

/* The link's side, done by hand. */
static struct xqueue_submission *given(struct handout *handout, struct inbox *inbox)
{
    struct xqueue_submission *submission = MEMORY_NEW(struct xqueue_submission);
    submission->inbox = inbox;
    handout_give(handout, submission);
    return submission;
}

static void taking_and_closing_need_no_memory(void **state)
{
    static const struct handout_options options = {.for_host = true, .tells_lost = true};
    (void)state;
    skip_without_allocator();
    struct inbox inbox;
    struct inbox_batch batch;
    struct handout handout = {0};
    assert_int_equal(inbox_init(&inbox), STATUS_OK);
    assert_int_equal(handout_init(&handout, &options), STATUS_OK);
    struct xqueue_submission *submission = given(&handout, &inbox);
    struct xqueue_submission *taken = NULL;
    struct xqueue_submission *lost = NULL;

    allocations_left = 0;
    enum handout_news first = handout_take(&handout, clock_system(), 0, &taken);
    handout_tell_lost(&handout, submission);
    enum handout_news second = handout_take(&handout, clock_system(), 0, &lost);
    enum handout_news third = handout_take(&handout, clock_system(), 0, &lost);
    xqueue_submission_close(submission);
    allocations_left = -1;

    assert_int_equal(first, HANDOUT_SUBMISSION);
    assert_ptr_equal(taken, submission);
    assert_int_equal(second, HANDOUT_LOST);
    assert_ptr_equal(lost, submission);
    assert_int_equal(third, HANDOUT_NOTHING);
    inbox_wait(&inbox, clock_system(), CLOCK_NEVER, &batch);
    assert_int_equal(batch.answered.count, 1);
    assert_int_equal(batch.returned.count, 1);
    assert_int_equal(submission->answer.kind, ANSWER_FAIL);
    submission_destroy(submission);
    handout_finish(&handout);
    inbox_finish(&inbox);
}

static void an_answer_without_memory_is_not_given_and_can_be_given_later(void **state)
{
    (void)state;
    skip_without_allocator();
    struct inbox inbox;
    assert_int_equal(inbox_init(&inbox), STATUS_OK);
    struct xqueue_submission *submission = MEMORY_NEW(struct xqueue_submission);
    submission->inbox = &inbox;

    allocations_left = 0;
    enum xqueue_status complete = xqueue_submission_complete(submission, "x", 1);
    enum xqueue_status fail = xqueue_submission_fail(submission, XQUEUE_FAIL_TRANSIENT, "x", 0);
    allocations_left = -1;

    assert_int_equal(complete, XQUEUE_STATUS_NO_MEMORY);
    assert_int_equal(fail, XQUEUE_STATUS_NO_MEMORY);
    assert_int_equal(xqueue_submission_complete(submission, "x", 1), XQUEUE_STATUS_OK);
    submission_destroy(submission);
    inbox_finish(&inbox);
}

static void a_missing_answer_is_given_even_without_memory(void **state)
{
    (void)state;
    skip_without_allocator();
    struct inbox inbox;
    assert_int_equal(inbox_init(&inbox), STATUS_OK);
    struct xqueue_submission *submission = MEMORY_NEW(struct xqueue_submission);
    submission->inbox = &inbox;

    allocations_left = 0;
    submission_answer_missing(submission);
    allocations_left = -1;

    assert_true(submission->answered);
    assert_int_equal(submission->answer.kind, ANSWER_FAIL);
    assert_int_equal(submission->answer.length, 0);
    submission_destroy(submission);
    inbox_finish(&inbox);
}

static void a_message_without_memory_is_told_as_an_overflow(void **state)
{
    (void)state;
    skip_without_allocator();
    struct inbox inbox;
    struct inbox_batch batch;
    assert_int_equal(inbox_init(&inbox), STATUS_OK);

    allocations_left = 0;
    inbox_post_message(&inbox, NULL);
    inbox_wait(&inbox, clock_system(), CLOCK_NEVER, &batch);
    allocations_left = -1;

    assert_true(batch.overflowed);
    assert_true(list_is_empty(&batch.messages));
    inbox_finish(&inbox);
}

static void a_grant_without_memory_is_not_opened(void **state)
{
    (void)state;
    skip_without_allocator();
    char key[] = "0123456789abcdef0123456789abcdef";
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;
    Xqueue__V1__Submission from = XQUEUE__V1__SUBMISSION__INIT;
    Xqueue__V1__Grant grant = XQUEUE__V1__GRANT__INIT;
    lease.lease_key = key;
    grant.lease = &lease;
    grant.submission = &from;
    struct xqueue_submission *submission = NULL;
    enum status status = STATUS_NO_MEMORY;
    int failures = 0;

    while (status == STATUS_NO_MEMORY && failures < ALLOCATIONS_MAX) {
        allocations_left = failures++;
        status = wire_grant_open(&grant, NULL, NULL, clock_system(), &submission);
        allocations_left = -1;
    }

    assert_int_equal(status, STATUS_OK);
    assert_int_equal(failures, 4);
    submission_destroy(submission);
}

static void a_digest_without_memory_is_none(void **state)
{
    (void)state;
    skip_without_allocator();
    struct secret_digest_stream *digest = NULL;
    int failures = 0;

    while (!digest && failures < ALLOCATIONS_MAX) {
        allocations_left = failures++;
        digest = secret_digest_stream_try_create();
        allocations_left = -1;
    }

    assert_int_equal(failures, 2);
    secret_digest_stream_destroy(digest);
}

/* No call is ever made: gRPC itself does not survive without memory. */
static void a_fetch_without_memory_says_so(void **state)
{
    (void)state;
    skip_without_allocator();
    char file_id[] = "0011";
    struct work_link_options with = {.clock = clock_system(), .timing = work_link_timing_default()};
    struct file_access access;
    struct inbox inbox;
    struct xqueue_file file = {.file_id = file_id, .url = ""};
    struct xqueue_submission submission = {.inbox = &inbox, .access = &access, .files = &file, .file_count = 1};
    struct xqueue_error error;
    void *bytes = NULL;
    size_t length = 0;
    assert_int_equal(inbox_init(&inbox), STATUS_OK);
    file_access_init(&access, &with);

    for (int i = 0; i < 2; i++) { // that of the digest, and that of the stream
        allocations_left = i;
        enum xqueue_status status = xqueue_submission_fetch_memory(&submission, 0, NULL, &bytes, &length, &error);
        allocations_left = -1;
        assert_int_equal(status, XQUEUE_STATUS_NO_MEMORY);
        assert_int_equal(error.status, XQUEUE_STATUS_NO_MEMORY);
        assert_null(bytes);
    }

    file_access_finish(&access);
    inbox_finish(&inbox);
}

static void a_file_for_which_there_is_no_memory_is_not_begun(void **state)
{
    (void)state;
    skip_without_allocator();
    struct file_sink sink;
    struct xqueue_error error;
    file_sink_open_memory(&sink);

    allocations_left = 0;
    enum xqueue_status status = file_sink_begin(&sink, 1000, &error);
    allocations_left = -1;

    assert_int_equal(status, XQUEUE_STATUS_NO_MEMORY);
    assert_int_equal(error.status, XQUEUE_STATUS_NO_MEMORY);
    assert_int_equal(file_sink_begin(&sink, UINT64_C(1) << 60, &error), XQUEUE_STATUS_NO_MEMORY);
    file_sink_abandon(&sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creating_without_memory_says_so),
        cmocka_unit_test(taking_and_closing_need_no_memory),
        cmocka_unit_test(an_answer_without_memory_is_not_given_and_can_be_given_later),
        cmocka_unit_test(a_missing_answer_is_given_even_without_memory),
        cmocka_unit_test(a_message_without_memory_is_told_as_an_overflow),
        cmocka_unit_test(a_grant_without_memory_is_not_opened),
        cmocka_unit_test(a_digest_without_memory_is_none),
        cmocka_unit_test(a_fetch_without_memory_says_so),
        cmocka_unit_test(a_file_for_which_there_is_no_memory_is_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
