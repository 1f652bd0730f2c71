/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest */
/* Push graders when programs are killed and stopped, when the core refuses them, and when there are many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/push_graders.h"
#include "tests/support/push_talk.h"

#define STATE(name_)    XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define DELIVERY(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_

static const struct fake_lms_script hangs = {.kind = FAKE_LMS_HANG};

/* A submission that hangs at the grader, as its next request for path. */
static uint64_t hanging(struct push_talk *push, const char *queue, const char *path, const char *callback)
{
    size_t before = fake_lms_count_path(push->grader, path);

    fake_lms_script_path(push->grader, path, &hangs);
    const uint64_t id = student_submits(push->talk, queue, callback, "b");
    server_hears(push->grader, path, before);
    return id;
}

static void grader_goes_on(struct push_talk *push, const char *path)
{
    fake_lms_script_path(push->grader, path, NULL);
    fake_lms_release(push->grader);
}

static void an_adapter_that_is_killed_while_grading_goes_on_when_it_is_back(void **state)
{
    struct push_talk *push = *state;

    const uint64_t id = hanging(push, "pushed", "/grade", "/killed");
    running_service_kill_rest(&push->talk->service);
    grader_goes_on(push, "/grade");
    const int64_t back_us = clock_monotonic_us();
    running_service_start_rest(&push->talk->service);

    assert_string_equal(lms_hears(push->talk, "/killed", 0)->result, "ok");
    assert_true(core_await_delivery(push->talk->admin, id, DELIVERY(DELIVERED)));
    assert_int_equal(admin_sees(push->talk, id).attempt, 2);
    assert_int_equal(fake_lms_count_path(push->talk->lms, "/killed"), 1);
    assert_true(clock_monotonic_us() - back_us < INT64_C(1000) * CONVERSATION_PATIENCE_MS); // far before the lease is over
}

static void what_an_adapter_held_that_stays_away_goes_to_somebody_else(void **state)
{
    struct push_talk *push = *state;

    const uint64_t id = hanging(push, "hasty-push", "/hasty", "/away");
    running_service_kill_rest(&push->talk->service);
    struct scripted_grader *grader = grader_connects(push->talk, "somebody", "hasty-push", 1);
    const struct core_lease lease = grader_receives(grader); // once the lease of a second is over
    grader_completes(grader, &lease, "by somebody");
    scripted_grader_close(grader);
    grader_goes_on(push, "/hasty");
    running_service_start_rest(&push->talk->service);

    assert_int_equal(lease.id, id);
    assert_string_equal(lms_hears(push->talk, "/away", 0)->result, "by somebody");
}

static void a_core_that_is_killed_meanwhile_gets_the_result_all_the_same(void **state)
{
    struct push_talk *push = *state;
    size_t before = fake_lms_count_path(push->grader, "/grade");

    const uint64_t id = hanging(push, "pushed", "/grade", "/core-killed");
    running_service_kill_core(&push->talk->service);
    grader_goes_on(push, "/grade"); // the answer comes while nobody can take it
    running_service_start_core(&push->talk->service);

    assert_string_equal(lms_hears(push->talk, "/core-killed", 0)->result, "ok");
    assert_int_equal(fake_lms_count_path(push->grader, "/grade"), before + 1);
    assert_int_equal(admin_sees(push->talk, id).attempt, 1);
}

static void a_stop_waits_for_answers(void **state)
{
    struct push_talk *push = *state;
    const struct fake_lms_script slow = {.delay_ms = 700, .reply = "slow", .reply_bytes = 4};
    size_t before = fake_lms_count_path(push->grader, "/grade");

    fake_lms_script_path(push->grader, "/grade", &slow);
    const uint64_t id = student_submits(push->talk, "pushed", "/drained", "b");
    server_hears(push->grader, "/grade", before);
    running_service_stop_rest(&push->talk->service);

    const struct core_view view = admin_sees(push->talk, id);
    assert_int_equal(view.state, STATE(GRADED));
    assert_int_equal(view.attempt, 1);
    running_service_start_rest(&push->talk->service);
    assert_string_equal(lms_hears(push->talk, "/drained", 0)->result, "slow");
    fake_lms_script_path(push->grader, "/grade", NULL);
}

static void what_hangs_at_the_end_of_a_stop_is_handed_back_uncounted(void **state)
{
    struct push_talk *push = *state;
    struct config *config = NULL;
    struct push_graders *graders = NULL;
    struct error error = {0};

    running_service_stop_rest(&push->talk->service);
    assert_int_equal(config_load(push->talk->service.config, &config, &error), STATUS_OK);
    assert_int_equal(push_graders_create(config, NULL, &graders, &error), STATUS_OK);
    const uint64_t id = hanging(push, "pushed", "/grade", "/handed-back");
    const int64_t started_us = clock_monotonic_us();
    push_graders_drain(graders);
    push_graders_stop(graders, 100);
    const int64_t took_us = clock_monotonic_us() - started_us;
    push_graders_destroy(graders);
    config_destroy(config);

    assert_in_range(took_us, 100000, INT64_C(1000) * (100 + PUSH_GRADERS_GIVE_BACK_MS));
    struct core_view view = admin_sees(push->talk, id);
    assert_int_equal(view.state, STATE(READY));
    assert_int_equal(view.failures, 0);
    grader_goes_on(push, "/grade");
    running_service_start_rest(&push->talk->service);
    assert_string_equal(lms_hears(push->talk, "/handed-back", 0)->result, "ok");
}

/* The file gets a queue that the core, which runs, does not know yet. */
static void add_queue(struct push_talk *push, const char *queue)
{
    static char before[65536];
    FILE *file = fopen(push->talk->service.config, "re");

    assert_non_null(file);
    size_t length = fread(before, 1, sizeof(before) - 1, file);
    before[length] = '\0';
    assert_int_equal(fclose(file), 0);
    char *queues = strstr(before, "queues:\n");
    assert_non_null(queues);
    queues += strlen("queues:\n");
    file = fopen(push->talk->service.config, "we");
    assert_non_null(file);
    (void)fprintf(file, "%.*s%s%s", (int)(queues - before), before, queue, queues);
    assert_int_equal(fclose(file), 0);
}

static void a_core_that_does_not_know_the_queue_yet_is_asked_again(void **state)
{
    struct push_talk *push = *state;
    char queue[256];

    running_service_stop_rest(&push->talk->service);
    (void)snprintf(queue, sizeof(queue), "  late:\n    push_url: \"http://127.0.0.1:%d/late\"\n", fake_lms_port(push->grader));
    add_queue(push, queue);
    running_service_start_rest(&push->talk->service);
    assert_true(running_program_await(push->talk->service.rest, "event=push_refused queue=late", 1));
    running_service_stop_core(&push->talk->service);
    running_service_start_core(&push->talk->service);
    student_submits(push->talk, "late", "/late", "b");

    assert_string_equal(lms_hears(push->talk, "/late", 0)->result, "ok");
    assert_int_equal(running_program_count(push->talk->service.rest, "event=push_refused queue=late"), 1);
}

enum { MANY = 120, SECTION_BYTES_MAX = 65536 };

static void more_than_a_hundred_queues_are_pushed(void **state)
{
    struct fake_lms *grader = fake_lms_start(0);
    struct text section;
    char name[32];
    (void)state;
    text_init(&section, SECTION_BYTES_MAX);
    for (int i = 0; i < MANY; i++)
        text_append_format(&section, "  many-%d:\n    push_parallel_max: 1\n    push_url: \"http://127.0.0.1:%d/many/%d\"\n", i,
                           fake_lms_port(grader), i);

    struct push_talk *push = push_talk_start(section.bytes);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "many-%d", i);
        student_submits(push->talk, name, "/many", "b");
    }

    lms_hears(push->talk, "/many", MANY - 1);
    assert_int_equal(fake_lms_count(grader), MANY);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "/many/%d", i);
        assert_int_equal(fake_lms_count_path(grader, name), 1);
    }
    assert_true(push_talk_finish(push));
    fake_lms_destroy(grader);
    text_finish(&section);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_adapter_that_is_killed_while_grading_goes_on_when_it_is_back),
        cmocka_unit_test(what_an_adapter_held_that_stays_away_goes_to_somebody_else),
        cmocka_unit_test(a_core_that_is_killed_meanwhile_gets_the_result_all_the_same),
        cmocka_unit_test(a_stop_waits_for_answers),
        cmocka_unit_test(what_hangs_at_the_end_of_a_stop_is_handed_back_uncounted),
        cmocka_unit_test(a_core_that_does_not_know_the_queue_yet_is_asked_again),
    };
    const struct CMUnitTest alone[] = {cmocka_unit_test(more_than_a_hundred_queues_are_pushed)};
    return cmocka_run_group_tests(tests, push_talk_set_up, push_talk_tear_down) + cmocka_run_group_tests(alone, NULL, NULL);
}
