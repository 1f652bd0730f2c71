/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl completion bash`: what a shell needs to complete our command lines, made of the commands' own rows. */
#include <stdio.h>
#include <string.h>

#include "service/ctl/arguments.h"
#include "service/ctl/commands.h"

/* Options that take a value: the word behind is none of the command's. */
static void print_valued_options(void)
{
    const char *separator = "";
    for (size_t at = 0; arguments_common[at].name; at++) {
        const struct command_option *option = &arguments_common[at];
        if (option->value) {
            (void)printf("%s--%s", separator, option->name);
            separator = "|";
        }
        if (option->value && option->letter)
            (void)printf("|-%c", option->letter);
    }
    for (size_t at = 0; commands[at]; at++) {
        for (size_t own = 0; own < commands[at]->option_count; own++) {
            const struct command_option *option = &commands[at]->options[own];
            if (option->kind != COMMAND_OPTION_FLAG)
                (void)printf("|--%s", option->name);
            if (option->kind != COMMAND_OPTION_FLAG && option->letter)
                (void)printf("|-%c", option->letter);
        }
    }
}

static void print_common_options(void)
{
    for (size_t at = 0; arguments_common[at].name; at++)
        (void)printf(" --%s", arguments_common[at].name);
}

/* Has the first word of this command stood in the list before? */
static bool is_first_of_its_word(size_t at)
{
    size_t length = strcspn(commands[at]->name, " ");
    for (size_t before = 0; before < at; before++) {
        if (strcspn(commands[before]->name, " ") == length && memcmp(commands[before]->name, commands[at]->name, length) == 0)
            return false;
    }
    return true;
}

static void print_first_words(void)
{
    for (size_t at = 0; commands[at]; at++) {
        if (is_first_of_its_word(at))
            (void)printf("%.*s ", (int)strcspn(commands[at]->name, " "), commands[at]->name);
    }
    (void)printf("help");
}

/* 'users') words="list add ...";; for each first word of two. */
static void print_second_words(void)
{
    for (size_t at = 0; commands[at]; at++) {
        size_t length = strcspn(commands[at]->name, " ");
        if (commands[at]->name[length] == '\0' || !is_first_of_its_word(at))
            continue;
        (void)printf("    '%.*s'|'help %.*s') words=\"", (int)length, commands[at]->name, (int)length, commands[at]->name);
        const char *separator = "";
        for (size_t other = at; commands[other]; other++) {
            const char *name = commands[other]->name;
            if (strncmp(name, commands[at]->name, length + 1) == 0) {
                (void)printf("%s%s", separator, name + length + 1);
                separator = " ";
            }
        }
        (void)printf("\" ;;\n");
    }
}

static void print_options_of_commands(void)
{
    for (size_t at = 0; commands[at]; at++) {
        const struct command *command = commands[at];
        (void)printf("    '%s'|'%s '*) words=\"", command->name, command->name);
        for (size_t own = 0; own < command->option_count; own++)
            (void)printf("--%s ", command->options[own].name);
        (void)printf("$common\" ;;\n");
    }
}

static void print_bash(void)
{
    (void)printf("# bash completion for xqueuectl, made by `xqueuectl completion bash`\n"
                 "_xqueuectl()\n"
                 "{\n"
                 "    local current=${COMP_WORDS[COMP_CWORD]} command= words= at\n"
                 "    local common=\"");
    print_common_options();
    (void)printf("\"\n"
                 "    COMPREPLY=()\n"
                 "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
                 "        case ${COMP_WORDS[at]} in\n"
                 "        ");
    print_valued_options();
    (void)printf(")\n"
                 "            ((at++))\n"
                 "            # Its value is being typed: files, by default.\n"
                 "            if ((at == COMP_CWORD)); then return; fi\n"
                 "            ;;\n"
                 "        -*) ;;\n"
                 "        *) command=\"${command:+$command }${COMP_WORDS[at]}\" ;;\n"
                 "        esac\n"
                 "    done\n"
                 "    case $command in\n"
                 "    '') words=\"");
    print_first_words();
    (void)printf(" $common\" ;;\n"
                 "    'help') words=\"");
    print_first_words();
    (void)printf("\" ;;\n");
    print_second_words();
    print_options_of_commands();
    (void)printf("    esac\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
                 "}\n"
                 "complete -o default -F _xqueuectl xqueuectl\n");
}

static int run(struct command_call *call)
{
    if (strcmp(call->operands[0], "bash") != 0)
        return command_fail(COMMAND_EXIT_USAGE, "completion: there is none for '%s', only for bash", call->operands[0]);
    print_bash();
    return COMMAND_EXIT_OK;
}

const struct command command_completion = {
    .name = "completion",
    .operands = "SHELL",
    .help = "prints what a shell (bash) needs to complete these command lines",
    .details = "Packages install it. By hand: source <(xqueuectl completion bash)",
    .operands_min = 1,
    .operands_max = 1,
    .is_offline = true,
    .run = run,
};
