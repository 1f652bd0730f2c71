/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Files on their whole way: attached with xqueue-submit, kept by the real xqueued, fetched by a grader of the SDK. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"
#include "tests/support/grade_talk.h"
#include "tests/support/run_command.h"

enum { SMALL_BYTES = 1000, LARGE_BYTES = 5000000, WORD_BYTES_MAX = RUNNING_SERVICE_TEXT_MAX + 32 };

static void write_file(struct conversation *talk, const char *name, size_t bytes, char path[RUNNING_SERVICE_TEXT_MAX])
{
    FILE *file = fopen(running_service_path(&talk->service, name, path), "we");

    assert_non_null(file);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_not_equal(fputc((int)(i * 7 % 251), file), EOF);
    }
    assert_int_equal(fclose(file), 0);
}

/* NAME=PATH of two files, as xqueue-submit takes them. */
struct attached {
    char small[WORD_BYTES_MAX];
    char large[WORD_BYTES_MAX];
};

static void attach(struct conversation *talk, struct attached *attached)
{
    char path[RUNNING_SERVICE_TEXT_MAX];

    write_file(talk, "small", SMALL_BYTES, path);
    (void)snprintf(attached->small, sizeof(attached->small), "../../notes=%s", path);
    write_file(talk, "large", LARGE_BYTES, path);
    (void)snprintf(attached->large, sizeof(attached->large), "data=%s", path);
}

static struct running_program *grader_starts(struct conversation *talk)
{
    char program[RUNNING_SERVICE_TEXT_MAX];
    char address[WORD_BYTES_MAX];
    char folder[WORD_BYTES_MAX];
    const char *const arguments[] = {running_service_program("files_grader", program), NULL};
    const char *const environment[] = {
        "XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", "XQUEUE_QUEUES=calm", address, folder, NULL};
    const struct running_program_options options = {.arguments = arguments, .environment = environment};

    (void)snprintf(address, sizeof(address), "XQUEUE_ADDRESS=%s", talk->service.core);
    (void)snprintf(folder, sizeof(folder), "TMPDIR=%s", talk->service.folder);
    return running_program_start(&options);
}

/* Submits with up to two files, and waits: what is printed has part. */
static void submitter_hears(struct conversation *talk, int exit_code, const char *part, const char *first, const char *second)
{
    char program[RUNNING_SERVICE_TEXT_MAX];
    char address[WORD_BYTES_MAX];
    const char *const arguments[] = {running_service_program("xqueue-submit", program),
                                     "--queue",
                                     "calm",
                                     "--output",
                                     "raw",
                                     "-",
                                     first != NULL ? "--file" : NULL,
                                     first,
                                     second != NULL ? "--file" : NULL,
                                     second,
                                     NULL};
    const char *const environment[] = {address, "XQUEUE_USER=lms", "XQUEUE_PASSWORD=lms", NULL};
    struct run_command command;

    (void)snprintf(address, sizeof(address), "XQUEUE_ADDRESS=%s", talk->service.core);
    run_command_start(&command, arguments, environment, "print(1)");
    run_command_wait(&command);
    if (command.exit_code != exit_code || (strstr(command.out, part) == NULL && strstr(command.err, part) == NULL)) {
        fail_msg("exit code %d: no '%s' in\n%s\n%s", command.exit_code, part, command.out, command.err);
    }
    run_command_finish(&command);
}

static void files_come_to_the_grader_whatever_their_size(void **state)
{
    struct conversation *talk = *state;
    struct attached attached;
    attach(talk, &attached);
    struct running_program *grader = grader_starts(talk);

    submitter_hears(talk, 0, "<p>0 files, 0 bytes</p>", NULL, NULL);
    submitter_hears(talk, 0, "<p>1 files, 1000 bytes</p>", attached.small, NULL);
    submitter_hears(talk, 0, "<p>2 files, 5001000 bytes</p>", attached.small, attached.large);

    grader_ends(grader, SIGTERM, 0);
}

static void files_are_in_the_scratch_folder_when_the_program_starts(void **state)
{
    static const char *const program[] = {
        "/bin/sh", "-c",
        "grep -q '\"path\": *\"attached-1\"' && printf '{\"correct\": true, \"msg\": \"%d\"}' $(cat attached-* | wc -c)", NULL};
    static const char *const options[] = {"--disk-mb", "4", NULL};
    struct conversation *talk = *state;
    struct attached attached;
    attach(talk, &attached);
    struct running_program *grader = grade_starts(talk, "with-files", "calm", options, program);

    submitter_hears(talk, 0, "\"2000\"", attached.small, attached.small);
    submitter_hears(talk, 5, "have more than 2 MiB", attached.small, attached.large);

    grader_ends(grader, SIGTERM, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_come_to_the_grader_whatever_their_size, conversation_set_up_core,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(files_are_in_the_scratch_folder_when_the_program_starts, conversation_set_up_core,
                                        conversation_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
