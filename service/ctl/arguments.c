/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/arguments.h"

#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/ctl/commands.h"
#include "service/ctl/help.h"

#define CONFIG_FILE_DEFAULT "/etc/xqueue/xqueue.yml"

enum {
    CODE_CONFIG = 'c',
    CODE_OTHER = 1000, /* of the options without a letter, which all commands have */
    CODE_TIMEOUT,
    CODE_JSON,
    CODE_HELP,
    CODE_VERSION,
    CODE_OF_CONNECTION = 1500, /* and the index in arguments_common */
    CODE_OF_COMMAND = 2000,    /* and the index in the command's options */
    MS_PER_SECOND = 1000,
    TIMEOUT_MS_MIN = 100,
    TIMEOUT_MS_MAX = 3600000,
};

const struct command_option arguments_common[] = {
    {.name = "config",
     .value = "FILE",
     .letter = 'c',
     .kind = COMMAND_OPTION_TEXT,
     .help = "find xqueued and a user with the role admin there; else $XQUEUE_CONFIG, else " CONFIG_FILE_DEFAULT},
    {.name = "address",
     .value = "ADDRESS",
     .kind = COMMAND_OPTION_TEXT,
     .help = "where xqueued is: HOST:PORT, tls://HOST:PORT or unix:/path; else $XQUEUE_ADDRESS"},
    {.name = "user", .value = "NAME", .kind = COMMAND_OPTION_TEXT, .help = "who logs in; else $XQUEUE_USER"},
    {.name = "password-file",
     .value = "FILE",
     .kind = COMMAND_OPTION_TEXT,
     .help = "the password is its first line; else $XQUEUE_PASSWORD, else $XQUEUE_PASSWORD_FILE"},
    {.name = "token-file",
     .value = "FILE",
     .kind = COMMAND_OPTION_TEXT,
     .help = "instead of user and password: a token is its first line; else $XQUEUE_TOKEN, else $XQUEUE_TOKEN_FILE"},
    {.name = "ca-file",
     .value = "FILE",
     .kind = COMMAND_OPTION_TEXT,
     .help = "for tls://: the authorities to trust; else $XQUEUE_CA_FILE, else the system's"},
    {.name = "certificate-file",
     .value = "FILE",
     .kind = COMMAND_OPTION_TEXT,
     .help = "for tls://: a certificate to show; else $XQUEUE_CERTIFICATE_FILE"},
    {.name = "key-file", .value = "FILE", .kind = COMMAND_OPTION_TEXT, .help = "its private key; else $XQUEUE_KEY_FILE"},
    {.name = "server-name",
     .value = "NAME",
     .kind = COMMAND_OPTION_TEXT,
     .help = "for tls://: whose certificate xqueued has; else $XQUEUE_SERVER_NAME, else the host of the address"},
    {.name = "timeout", .value = "SECONDS", .kind = COMMAND_OPTION_SECONDS, .help = "for one call to xqueued; 60"},
    {.name = "json", .help = "print data as one JSON document"},
    {.name = "help", .help = "print this and exit"},
    {.name = "version", .help = "print the version and exit"},
    {0},
};
/* What getopt answers for those of them that do not say how to connect, by name. */
static const struct {
    const char *name;
    int code;
} other_codes[] = {
    {"config", CODE_CONFIG}, {"timeout", CODE_TIMEOUT}, {"json", CODE_JSON}, {"help", CODE_HELP}, {"version", CODE_VERSION}};
enum {
    COMMON_COUNT = sizeof arguments_common / sizeof *arguments_common - 1,
    OTHER_COUNT = sizeof other_codes / sizeof *other_codes,
    LETTERS_MAX = 4 + 2 * COMMAND_OPTIONS_MAX,
};

static int common_code(size_t at)
{
    for (size_t other = 0; other < OTHER_COUNT; other++) {
        if (strcmp(other_codes[other].name, arguments_common[at].name) == 0)
            return other_codes[other].code;
    }
    return CODE_OF_CONNECTION + (int)at;
}

/* What getopt_long is told. */
struct syntax {
    struct option options[COMMON_COUNT + COMMAND_OPTIONS_MAX + 1];
    char letters[LETTERS_MAX];
};

/* is_first: options before the command, which end at the first operand. */
static void make_syntax(struct syntax *syntax, const struct command *command)
{
    size_t count = 0;
    char *letter = syntax->letters;
    *syntax = (struct syntax){.letters = ""};
    if (!command)
        *letter++ = '+';
    *letter++ = CODE_CONFIG;
    *letter++ = ':';
    for (; count < COMMON_COUNT; count++)
        syntax->options[count] =
            (struct option){arguments_common[count].name, arguments_common[count].value ? required_argument : no_argument, NULL,
                            common_code(count)};
    for (size_t at = 0; command && at < command->option_count; at++) {
        const struct command_option *option = &command->options[at];
        int has_argument = option->kind == COMMAND_OPTION_FLAG ? no_argument : required_argument;
        syntax->options[count++] =
            (struct option){option->name, has_argument, NULL, option->letter ? option->letter : CODE_OF_COMMAND + (int)at};
        if (!option->letter)
            continue;
        *letter++ = option->letter;
        if (has_argument == required_argument)
            *letter++ = ':';
    }
}

static const char *config_variable(void)
{
    const char *value = getenv("XQUEUE_CONFIG"); // NOLINT(concurrency-mt-unsafe): before other threads start
    return value && *value != '\0' ? value : NULL;
}

static int usage(const struct command *command)
{
    (void)fprintf(stderr, "Try 'xqueuectl help%s%s'.\n", command ? " " : "", command ? command->name : "");
    return COMMAND_EXIT_USAGE;
}

/* 0, or what to exit with. scale: of the decimal number to the unit of the bounds. */
static int read_number(const char *name, const char *text, bool is_seconds, const struct command_option *bounds, int64_t *out)
{
    int64_t number = 0;
    enum status status = is_seconds ? text_to_scaled(text, MS_PER_SECOND, INT64_MIN, INT64_MAX, &number)
                                    : text_to_int64(text, INT64_MIN, INT64_MAX, &number);
    if (status != STATUS_OK)
        return command_fail(COMMAND_EXIT_USAGE, "--%s: '%s' is not a %s", name, text,
                            is_seconds ? "number of seconds" : "whole number");
    if (number >= bounds->min && number <= bounds->max) {
        *out = number;
        return 0;
    }
    if (is_seconds)
        return command_fail(COMMAND_EXIT_FAILED, "--%s: %s is not between %g and %g", name, text,
                            (double)bounds->min / MS_PER_SECOND, (double)bounds->max / MS_PER_SECOND);
    return command_fail(COMMAND_EXIT_FAILED, "--%s: %s is not between %" PRId64 " and %" PRId64, name, text, bounds->min,
                        bounds->max);
}

/* Takes an option of the command's own. */
static int take_own(struct command_call *call, size_t at)
{
    const struct command_option *option = &call->command->options[at];
    struct command_value *value = &call->values[at];
    value->given = true;
    switch (option->kind) {
    case COMMAND_OPTION_FLAG:
        return 0;
    case COMMAND_OPTION_NUMBER:
    case COMMAND_OPTION_SECONDS:
        return read_number(option->name, optarg, option->kind == COMMAND_OPTION_SECONDS, option, &value->number);
    case COMMAND_OPTION_TEXT:
    case COMMAND_OPTION_TEXTS:
        break;
    }
    if (value->count == COMMAND_TEXTS_MAX)
        return command_fail(COMMAND_EXIT_USAGE, "--%s: given more than %d times", option->name, COMMAND_TEXTS_MAX);
    value->texts = memory_resize(value->texts, (value->count + 1) * sizeof *value->texts);
    value->texts[value->count++] = optarg;
    return 0;
}

/* Takes an option. false: exit with *out_exit_code. */
static bool take(struct arguments *arguments, int code, int *out_exit_code)
{
    static const struct command_option timeout = {.min = TIMEOUT_MS_MIN, .max = TIMEOUT_MS_MAX};
    struct command_call *call = &arguments->call;
    *out_exit_code = 0;
    if (code >= CODE_OF_CONNECTION && code < CODE_OF_COMMAND) {
        *connection_options_field(&arguments->connect.given, arguments_common[code - CODE_OF_CONNECTION].name) = optarg;
        return true;
    }
    switch (code) {
    case CODE_CONFIG:
        call->config_file = optarg;
        call->config_is_given = true;
        return true;
    case CODE_TIMEOUT:
        *out_exit_code = read_number("timeout", optarg, true, &timeout, &arguments->connect.given.timeout_ms);
        return *out_exit_code == 0;
    case CODE_JSON:
        call->json = true;
        return true;
    case CODE_HELP:
        if (call->command)
            help_print_command(stdout, call->command);
        else
            help_print_all(stdout);
        return false;
    case CODE_VERSION:
        (void)printf("xqueuectl %s\n", XQUEUE_VERSION);
        return false;
    case '?': // getopt_long has said what is wrong
        *out_exit_code = usage(call->command);
        return false;
    default:
        break;
    }
    size_t at = code >= CODE_OF_COMMAND ? (size_t)(code - CODE_OF_COMMAND) : 0;
    while (code < CODE_OF_COMMAND && call->command->options[at].letter != code)
        at++;
    *out_exit_code = take_own(call, at);
    return *out_exit_code == 0;
}

/* Takes all options of this part of the command line; *out_used of its words are done then. */
static bool take_all(struct arguments *arguments, int argc, char **argv, int *out_used, int *out_exit_code)
{
    struct syntax syntax;
    make_syntax(&syntax, arguments->call.command);
    optind = 0; // starts anew
    for (;;) {
        int code = getopt_long(argc, argv, syntax.letters, syntax.options, NULL); // NOLINT(concurrency-mt-unsafe)
        if (code == -1)
            break;
        if (!take(arguments, code, out_exit_code))
            return false;
    }
    *out_used = optind;
    return true;
}

/* `help`, `help NAME`. */
static int help(const char *const *words, size_t count)
{
    size_t used = 0;
    const struct command *command = count > 0 ? commands_find(words, count, &used) : NULL;
    if (count > used) {
        command_fail(COMMAND_EXIT_USAGE, "there is no command '%s%s%s'", words[0], count > 1 ? " " : "",
                     count > 1 ? words[1] : "");
        return usage(NULL);
    }
    if (command)
        help_print_command(stdout, command);
    else
        help_print_all(stdout);
    return COMMAND_EXIT_OK;
}

static bool find_command(struct arguments *arguments, const char *const *words, size_t count, size_t *out_used,
                         int *out_exit_code)
{
    if (count == 0) {
        help_print_all(stderr);
        *out_exit_code = COMMAND_EXIT_USAGE;
        return false;
    }
    if (strcmp(words[0], "help") == 0) {
        *out_exit_code = help(words + 1, count - 1);
        return false;
    }
    arguments->call.command = commands_find(words, count, out_used);
    if (arguments->call.command)
        return true;
    command_fail(COMMAND_EXIT_USAGE, "there is no command '%s%s%s'", words[0], count > 1 ? " " : "", count > 1 ? words[1] : "");
    *out_exit_code = usage(NULL);
    return false;
}

static bool check_operands(struct command_call *call, int *out_exit_code)
{
    const struct command *command = call->command;
    if (call->operand_count >= command->operands_min && call->operand_count <= command->operands_max)
        return true;
    if (call->operand_count < command->operands_min)
        command_fail(COMMAND_EXIT_USAGE, "%s: needs %s", command->name, command->operands);
    else
        command_fail(COMMAND_EXIT_USAGE, "%s: unexpected argument '%s'", command->name, call->operands[command->operands_max]);
    *out_exit_code = usage(command);
    return false;
}

bool arguments_read(struct arguments *arguments, int argc, char **argv, int *out_exit_code)
{
    const char *config = config_variable();
    *arguments = (struct arguments){
        .call = {.config_file = config ? config : CONFIG_FILE_DEFAULT, .config_is_given = config != NULL},
    };
    connection_options_init(&arguments->connect.given, "xqueuectl");
    struct command_call *call = &arguments->call;
    int used = 0;
    if (!take_all(arguments, argc, argv, &used, out_exit_code))
        return false;
    size_t words_used = 0;
    if (!find_command(arguments, (const char *const *)argv + used, (size_t)(argc - used), &words_used, out_exit_code))
        return false;
    for (size_t at = 0; at < call->command->option_count; at++)
        call->values[at].number = call->command->options[at].fallback;
    // getopt takes the word before the options for the program's name.
    used += (int)words_used - 1;
    argv[used] = argv[0];
    argv += used;
    argc -= used;
    if (!take_all(arguments, argc, argv, &used, out_exit_code))
        return false;
    call->operands = (const char *const *)argv + used;
    call->operand_count = (size_t)(argc - used);
    arguments->connect.config_file = call->config_file;
    arguments->connect.config_is_given = call->config_is_given;
    connection_options_settle(&arguments->connect.given);
    return check_operands(call, out_exit_code);
}

void arguments_finish(struct arguments *arguments)
{
    for (size_t at = 0; at < COMMAND_OPTIONS_MAX; at++)
        memory_free(arguments->call.values[at].texts);
}
