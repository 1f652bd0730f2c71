/* SPDX-License-Identifier: Apache-2.0 */
/* xqueuectl: the command line of those who look after xqueued. Its commands stand in commands.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/client/connection.h"
#include "base/log.h"
#include "service/ctl/arguments.h"
#include "service/ctl/command.h"

static int run(struct arguments *arguments)
{
    struct command_call *call = &arguments->call;
    struct error error = {0};
    if (!call->command->is_offline) {
        enum status status = connect_open(&arguments->connect, &call->connection, &error);
        if (status != STATUS_OK)
            return command_fail_status(status, &error);
    }
    int exit_code = call->command->run(call);
    connection_close(call->connection);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    int exit_code = COMMAND_EXIT_OK;
    // Failures are told in words of ours; what the libraries below log is about repeated tries.
    log_configure("xqueuectl", LOG_ERROR, LOG_LOGFMT);
    if (arguments_read(&arguments, argc, argv, &exit_code))
        exit_code = run(&arguments);
    arguments_finish(&arguments);
    // Data that did not reach its file is not printed.
    if (fflush(stdout) != 0 || ferror(stdout))
        exit_code = command_fail(COMMAND_EXIT_FAILED, "the output cannot be written: %s", strerror(errno));
    return exit_code;
}
