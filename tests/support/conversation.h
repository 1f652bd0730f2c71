/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words in which integration tests talk: the running programs, an LMS that listens for callbacks, and what students and
 * graders do, each in a line that fails the running test (cmocka) when it does not happen.
 *
 * Threading: the test's main thread.
 */
#ifndef TESTS_SUPPORT_CONVERSATION_H
#define TESTS_SUPPORT_CONVERSATION_H

#include "tests/support/core_caller.h"
#include "tests/support/fake_lms.h"
#include "tests/support/rest_client.h"
#include "tests/support/running_service.h"
#include "tests/support/scripted_grader.h"

enum { CONVERSATION_PATIENCE_MS = 20000 };

struct conversation {
    struct running_service service;
    struct fake_lms *lms;
    struct rest_client client;   /* the LMS's, over REST */
    struct core_caller *student; /* the same user over gRPC */
    struct core_caller *admin;
};

/* Everything runs. options may be NULL. Free with conversation_finish. */
struct conversation *conversation_start(const struct running_service_options *options);
/* Only the core runs. */
struct conversation *conversation_start_core(const struct running_service_options *options);
/* false: a program did not end well. NULL is fine. */
bool conversation_finish(struct conversation *talk);

/* For cmocka's groups and tests: conversation_start(NULL) in *state; and its end. */
int conversation_set_up(void **state);
int conversation_set_up_core(void **state);
int conversation_tear_down(void **state);

/* Over REST; the outcome goes to path. */
void lms_submits(struct conversation *talk, const char *queue, const char *path, const char *body);
/* The index-th request for path from 0 that this server got; waits for it. */
const struct fake_lms_callback *server_hears(struct fake_lms *server, const char *path, size_t index);
/* The same of the LMS. */
const struct fake_lms_callback *lms_hears(struct conversation *talk, const char *path, size_t index);

/* Over gRPC. path NULL: no callback. Returns the submission's id. */
uint64_t student_submits(struct conversation *talk, const char *queue, const char *path, const char *body);
struct core_view admin_sees(struct conversation *talk, uint64_t id);

/* Hello has been answered, credit is given. */
struct scripted_grader *grader_connects(struct conversation *talk, const char *name, const char *queue, uint32_t credit);
/* A grant, accepted. */
struct core_lease grader_receives(struct scripted_grader *grader);
void grader_completes(struct scripted_grader *grader, const struct core_lease *lease, const char *result);
/* A grader that is a program ends by this signal, with this exit code (or minus the signal), and no sanitizer complains. Frees
 * it. */
void grader_ends(struct running_program *grader, int number, int expected);

#endif
