/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/ctl_operator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { OUTPUT_BYTES_MAX = 65536 };

void operator_starts(struct conversation *talk, struct run_command *command, const char *const *words)
{
    static char program[RUNNING_SERVICE_TEXT_MAX];
    const char *arguments[CTL_WORDS_MAX] = {running_service_program("xqueuectl", program)};
    char config[RUNNING_SERVICE_TEXT_MAX + 32];
    size_t count = 1;
    for (; words[count - 1] && count < CTL_WORDS_MAX - 1; count++)
        arguments[count] = words[count - 1];
    (void)snprintf(config, sizeof config, "XQUEUE_CONFIG=%s", talk->service.config);
    const char *const environment[] = {config, NULL};
    run_command_start(command, arguments, environment, NULL);
}

static void ends(struct run_command *command, int exit_code, const char *const *words)
{
    run_command_wait(command);
    if (command->exit_code != exit_code)
        fail_msg("%s: exit code %d instead of %d\n%s%s", words[0], command->exit_code, exit_code, command->out, command->err);
}

const char *operator_runs(struct conversation *talk, int exit_code, const char *const *words)
{
    static char output[OUTPUT_BYTES_MAX];
    struct run_command command;
    operator_starts(talk, &command, words);
    ends(&command, exit_code, words);
    (void)snprintf(output, sizeof output, "%s", command.out);
    size_t length = strlen(output);
    if (length > 0 && output[length - 1] == '\n')
        output[length - 1] = '\0';
    run_command_finish(&command);
    return output;
}

void operator_fails(struct conversation *talk, int exit_code, const char *part, const char *const *words)
{
    struct run_command command;
    operator_starts(talk, &command, words);
    ends(&command, exit_code, words);
    if (!strstr(command.err, part))
        fail_msg("'%s' does not contain '%s'", command.err, part);
    run_command_finish(&command);
}

json_t *operator_reads(struct conversation *talk, const char *const *words)
{
    const char *text = operator_runs(talk, 0, words);
    json_t *document = json_loads(text, 0, NULL);
    if (!document)
        fail_msg("no JSON: %s", text);
    return document;
}
