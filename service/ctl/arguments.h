/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of xqueuectl: options that every command has, the command, its own options and operands.
 *
 * Threading: main thread only (getopt).
 */
#ifndef SERVICE_CTL_ARGUMENTS_H
#define SERVICE_CTL_ARGUMENTS_H

#include <stdbool.h>

#include "service/ctl/command.h"
#include "service/ctl/connect.h"

struct arguments {
    struct command_call call;       /* all but the connection */
    struct connect_options connect; /* as given, and by the environment */
};

/* The options of every command; ends with a row without a name. */
extern const struct command_option arguments_common[];

/*
 * Reads argv (its order may change). true: arguments->call is to be run. false: exit with *out_exit_code, everything is said.
 * To be finished in both cases.
 */
bool arguments_read(struct arguments *arguments, int argc, char **argv, int *out_exit_code);
void arguments_finish(struct arguments *arguments);

#endif
