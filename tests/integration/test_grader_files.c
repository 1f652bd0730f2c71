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

/* Submits with these further words, and waits for a result that has part. */
static void result_says(struct conversation *talk, const char *part, const char *first, const char *second)
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
    if (command.exit_code != 0 || strstr(command.out, part) == NULL) {
        fail_msg("exit code %d: '%s' has no '%s'\n%s", command.exit_code, command.out, part, command.err);
    }
    run_command_finish(&command);
}

static void files_come_to_the_grader_whatever_their_size(void **state)
{
    struct conversation *talk = *state;
    char small[RUNNING_SERVICE_TEXT_MAX];
    char large[RUNNING_SERVICE_TEXT_MAX];
    char words[2][WORD_BYTES_MAX];
    write_file(talk, "small", SMALL_BYTES, small);
    write_file(talk, "large", LARGE_BYTES, large);
    (void)snprintf(words[0], sizeof(words[0]), "notes=%s", small);
    (void)snprintf(words[1], sizeof(words[1]), "data=%s", large);
    struct running_program *grader = grader_starts(talk);

    result_says(talk, "<p>0 files, 0 bytes</p>", NULL, NULL);
    result_says(talk, "<p>1 files, 1000 bytes</p>", words[0], NULL);
    result_says(talk, "<p>2 files, 5001000 bytes</p>", words[0], words[1]);

    grader_ends(grader, SIGTERM, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(files_come_to_the_grader_whatever_their_size,
                                                                       conversation_set_up_core, conversation_tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
