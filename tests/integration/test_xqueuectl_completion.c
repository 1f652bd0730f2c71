/* SPDX-License-Identifier: Apache-2.0 */
/* The completion that xqueuectl prints, in a real bash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/run_command.h"
#include "tests/support/running_service.h"

enum { SCRIPT_BYTES_MAX = 2048 };

/* What bash offers for the last word of a command line; "" = files. Valid until the next call. */
static const char *offers(const char *line)
{
    static char found[16384];
    char program[RUNNING_SERVICE_TEXT_MAX];
    char script[SCRIPT_BYTES_MAX];
    struct run_command command;
    running_service_program("xqueuectl", program);
    (void)snprintf(script, sizeof script,
                   "source <('%s' completion bash) && IFS=' ' read -ra COMP_WORDS <<< '%s' && "
                   "if [[ '%s' == *' ' ]]; then COMP_WORDS+=(''); fi && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && "
                   "_xqueuectl && echo \" ${COMPREPLY[*]} \"",
                   program, line, line);
    const char *const arguments[] = {"/bin/bash", "-c", script, NULL};
    run_command_start(&command, arguments, NULL, NULL);
    run_command_wait(&command);
    if (command.exit_code != 0 || command.err[0] != '\0')
        fail_msg("%s: exit code %d\n%s", line, command.exit_code, command.err);
    (void)snprintf(found, sizeof found, "%s", command.out);
    run_command_finish(&command);
    return found;
}

static void must_offer(const char *line, const char *word)
{
    const char *found = offers(line);
    if (!strstr(found, word))
        fail_msg("'%s' offers '%s', not '%s'", line, found, word);
}

static void commands_are_offered_word_by_word(void **state)
{
    (void)state;
    assert_string_equal(offers("xqueuectl qu"), " queues \n");
    must_offer("xqueuectl ", " users ");
    must_offer("xqueuectl ", " help ");
    must_offer("xqueuectl queues ", " create ");
    assert_string_equal(offers("xqueuectl queues cr"), " create \n");
    assert_string_equal(offers("xqueuectl help queues dr"), " drain \n");
}

static void options_are_those_of_the_command(void **state)
{
    (void)state;
    assert_string_equal(offers("xqueuectl queues create x --lea"), " --lease-ms \n");
    assert_string_equal(offers("xqueuectl --user admin statistics --foll"), " --follow \n");
    must_offer("xqueuectl regrade --", " --dry-run ");
    must_offer("xqueuectl regrade --", " --json ");
    assert_null(strstr(offers("xqueuectl regrade --"), "--lease-ms"));
}

static void the_value_of_an_option_is_a_file(void **state)
{
    (void)state;
    assert_string_equal(offers("xqueuectl --config "), "  \n");
    assert_string_equal(offers("xqueuectl search --queue "), "  \n");
}

static void other_shells_are_told(void **state)
{
    (void)state;
    char program[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {running_service_program("xqueuectl", program), "completion", "fish", NULL};
    struct run_command command;
    run_command_start(&command, arguments, NULL, NULL);
    run_command_wait(&command);
    assert_int_equal(command.exit_code, 2);
    assert_non_null(strstr(command.err, "only for bash"));
    run_command_finish(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_offered_word_by_word),
        cmocka_unit_test(options_are_those_of_the_command),
        cmocka_unit_test(the_value_of_an_option_is_a_file),
        cmocka_unit_test(other_shells_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
