/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

/* ---- the programs ---- */

struct conversation *conversation_start_core(const struct running_service_options *options)
{
    struct conversation *talk = MEMORY_NEW(struct conversation);

    running_service_prepare(&talk->service, options);
    running_service_start_core(&talk->service);
    talk->lms = fake_lms_start(0);
    rest_client_init(&talk->client, talk->service.rest_port, "lms");
    talk->student = core_caller_open(talk->service.core, "lms");
    talk->admin = core_caller_open(talk->service.core, "admin");
    return talk;
}

struct conversation *conversation_start(const struct running_service_options *options)
{
    struct conversation *talk = conversation_start_core(options);

    running_service_start_rest(&talk->service);
    return talk;
}

bool conversation_finish(struct conversation *talk)
{
    if (talk == NULL) {
        return true;
    }
    core_caller_close(talk->admin);
    core_caller_close(talk->student);
    rest_client_finish(&talk->client);
    bool is_fine = running_service_finish(&talk->service);
    fake_lms_destroy(talk->lms);
    memory_free(talk);
    return is_fine;
}

int conversation_set_up(void **state)
{
    *state = conversation_start(NULL);
    return 0;
}

int conversation_set_up_core(void **state)
{
    *state = conversation_start_core(NULL);
    return 0;
}

int conversation_tear_down(void **state)
{
    return conversation_finish(*state) ? 0 : -1;
}

/* ---- the LMS and its students ---- */

void lms_submits(struct conversation *talk, const char *queue, const char *path, const char *body)
{
    char url[FAKE_LMS_URL_MAX];
    const struct rest_submission submission = {
        .queue = queue, .callback_url = fake_lms_url(talk->lms, path, url), .body = body};

    assert_int_equal(rest_client_submit(&talk->client, &submission), 200);
    if (talk->client.return_code != 0) {
        fail_msg("submit: %s", talk->client.content);
    }
}

const struct fake_lms_callback *server_hears(struct fake_lms *server, const char *path, size_t index)
{
    const struct fake_lms_callback *callback = NULL;
    size_t seen = 0;

    if (!fake_lms_wait_for_path(server, path, index + 1, CONVERSATION_PATIENCE_MS)) {
        fail_msg("nobody asked %zu times for %s", index + 1, path);
    }
    for (size_t i = 0; (callback = fake_lms_callback(server, i)) != NULL; i++) {
        if (strcmp(callback->path, path) == 0 && seen++ == index) {
            return callback;
        }
    }
    fail_msg("a request was lost");
    return NULL;
}

const struct fake_lms_callback *lms_hears(struct conversation *talk, const char *path, size_t index)
{
    return server_hears(talk->lms, path, index);
}

uint64_t student_submits(struct conversation *talk, const char *queue, const char *path, const char *body)
{
    char url[FAKE_LMS_URL_MAX];
    struct core_submission submission = {.queue = queue, .body = body, .header = "{\"header\": 1}"};
    uint64_t id = 0;

    if (path != NULL) {
        submission.callback_url = fake_lms_url(talk->lms, path, url);
    }
    assert_int_equal(core_submit(talk->student, &submission, &id, NULL), STATUS_OK);
    return id;
}

struct core_view admin_sees(struct conversation *talk, uint64_t id)
{
    struct core_view view;

    assert_int_equal(core_get(talk->admin, id, &view), STATUS_OK);
    return view;
}

/* ---- graders ---- */

struct scripted_grader *grader_connects(struct conversation *talk, const char *name, const char *queue, uint32_t credit)
{
    struct scripted_grader *grader = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = name, .queue = queue};

    assert_true(scripted_grader_start(grader, &hello, credit));
    assert_true(scripted_grader_ping(grader)); // the service has the credit: who comes first is not a race
    return grader;
}

struct core_lease grader_receives(struct scripted_grader *grader)
{
    struct core_lease lease = {.id = 0};

    assert_true(scripted_grader_await_grant(grader, &lease));
    assert_true(scripted_grader_accept(grader, &lease));
    assert_true(scripted_grader_ping(grader)); // so that the service knows, whoever speaks next
    return lease;
}

void grader_completes(struct scripted_grader *grader, const struct core_lease *lease, const char *result)
{
    assert_int_equal(scripted_grader_complete(grader, lease, result), XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
}

void grader_ends(struct running_program *grader, int number, int expected)
{
    running_program_signal(grader, number);
    const int outcome = running_program_wait(grader);
    const bool is_clean = running_program_is_clean(grader);

    if (outcome != expected) {
        running_program_dump(grader);
    }
    running_program_destroy(grader);
    assert_int_equal(outcome, expected);
    assert_true(is_clean);
}
