/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/help.h"

#include <inttypes.h>
#include <string.h>

#include "service/ctl/arguments.h"
#include "service/ctl/commands.h"

enum { HEAD_BYTES_MAX = 128, HEAD_WIDTH = 28 };

static void print_row(FILE *stream, const char *head, const char *help)
{
    if (strlen(head) < HEAD_WIDTH)
        (void)fprintf(stream, "  %-*s%s\n", HEAD_WIDTH, head, help);
    else
        (void)fprintf(stream, "  %s\n  %-*s%s\n", head, HEAD_WIDTH, "", help);
}

/* "-f, --force", "--days-old DAYS" */
static void option_head(const struct command_option *option, char out[HEAD_BYTES_MAX])
{
    char letter[] = "-x, ";
    letter[1] = option->letter;
    (void)snprintf(out, HEAD_BYTES_MAX, "%s--%s%s%s", option->letter ? letter : "", option->name, option->value ? " " : "",
                   option->value ? option->value : "");
}

void help_print_all(FILE *stream)
{
    (void)fputs("xqueuectl - looks after xqueued, over gRPC as a user with the role admin\n"
                "\n"
                "Usage: xqueuectl [OPTION...] COMMAND [ARGUMENT...]\n"
                "\n"
                "Commands (in brackets: the management command of the original that it stands for):\n",
                stream);
    for (size_t at = 0; commands[at]; at++) {
        const struct command *command = commands[at];
        char help[2 * HEAD_BYTES_MAX];
        (void)snprintf(help, sizeof help, "%s%s%s%s", command->help, command->old_name ? " [" : "",
                       command->old_name ? command->old_name : "", command->old_name ? "]" : "");
        print_row(stream, command->name, help);
    }
    print_row(stream, "help [COMMAND]", "this, or all about one command");
    (void)fputs("\nOptions of every command:\n", stream);
    for (size_t at = 0; arguments_common[at].name; at++) {
        char head[HEAD_BYTES_MAX];
        option_head(&arguments_common[at], head);
        print_row(stream, head, arguments_common[at].help);
    }
    (void)fputs("\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 xqueued cannot be reached, 4 refused (password, role),\n"
                "130 interrupted.\n",
                stream);
}

void help_print_command(FILE *stream, const struct command *command)
{
    (void)fprintf(stream, "xqueuectl %s - %s\n\nUsage: xqueuectl %s%s%s%s\n", command->name, command->help, command->name,
                  command->option_count > 0 ? " [OPTION...]" : "", *command->operands ? " " : "", command->operands);
    if (command->old_name)
        (void)fprintf(stream, "Stands for: %s\n", command->old_name);
    if (command->details)
        (void)fprintf(stream, "\n%s\n", command->details);
    if (command->option_count > 0)
        (void)fputs("\nOptions:\n", stream);
    for (size_t at = 0; at < command->option_count; at++) {
        char head[HEAD_BYTES_MAX];
        option_head(&command->options[at], head);
        print_row(stream, head, command->options[at].help);
    }
    (void)fprintf(stream, "\n%s`xqueuectl help` lists the options that every command has.\n",
                  command->is_offline ? "Works without xqueued. " : "");
}
