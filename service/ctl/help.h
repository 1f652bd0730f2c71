/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What xqueuectl says about itself, made of the rows of its commands.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_HELP_H
#define SERVICE_CTL_HELP_H

#include <stdio.h>

#include "service/ctl/command.h"

void help_print_all(FILE *stream);
void help_print_command(FILE *stream, const struct command *command);

#endif
