/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_VARIABLE     "XQUEUE_CONFIG"
#define CONFIG_FILE_DEFAULT "/etc/xqueue/xqueue.yml"

enum {
    EXIT_USAGE = 2, /* wrong arguments, or a wrong configuration */
};

enum option_code {
    OPTION_CONFIG = 'c',
    OPTION_CHECK = 1000,
    OPTION_DESCRIBE,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_LEVEL,
    OPTION_FORMAT
};

struct arguments {
    const char *program;
    const char *purpose;
    const char *file;
    bool check_only;
    int level;  /* of enum log_level; -1: as configured */
    int format; /* of enum log_format; -1: as configured */
};

static void print_help(FILE *stream, const struct arguments *arguments)
{
    fprintf(stream,
            "%s - %s\n"
            "\n"
            "Usage: %s [OPTION]...\n"
            "\n"
            "  -c, --config FILE      the configuration; else $" CONFIG_VARIABLE ", else " CONFIG_FILE_DEFAULT "\n"
            "      --check-config     check the configuration and exit: 0 when it is right, 2 when not\n"
            "      --describe-config  print every key of the configuration as Markdown and exit\n"
            "      --log-level LEVEL  debug, info, warn or error, whatever the configuration says\n"
            "      --log-format FORM  logfmt or json, whatever the configuration says\n"
            "      --help             print this and exit\n"
            "      --version          print the version and exit\n"
            "\n"
            "Documentation: the folder docs/ of the sources, share/doc/xqueue when installed; deploy/xqueue.yml is a\n"
            "commented sample of the configuration.\n",
            arguments->program, arguments->purpose, arguments->program);
}

/* The index of word in words (ends with NULL), or -1. */
static int find_word(const char *const *words, const char *word)
{
    for (int at = 0; words[at]; at++) {
        if (strcmp(words[at], word) == 0)
            return at;
    }
    return -1;
}

/* Takes one option. Returns false when the program is done, with *out_exit_code. */
static bool take_option(struct arguments *arguments, int code, int *out_exit_code)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL}; // by enum log_level
    static const char *const formats[] = {"logfmt", "json", NULL};                // by enum log_format
    *out_exit_code = 0;
    switch (code) {
    case OPTION_CONFIG:
        arguments->file = optarg;
        return true;
    case OPTION_CHECK:
        arguments->check_only = true;
        return true;
    case OPTION_DESCRIBE:
        config_describe(stdout);
        return false;
    case OPTION_HELP:
        print_help(stdout, arguments);
        return false;
    case OPTION_VERSION:
        printf("%s %s\n", arguments->program, XQUEUE_VERSION);
        return false;
    case OPTION_LEVEL:
        arguments->level = find_word(levels, optarg);
        break;
    case OPTION_FORMAT:
        arguments->format = find_word(formats, optarg);
        break;
    default: // getopt_long has said what is wrong
        *out_exit_code = EXIT_USAGE;
        return false;
    }
    if ((code == OPTION_LEVEL ? arguments->level : arguments->format) >= 0)
        return true;
    fprintf(stderr, "%s: '%s' is not a log %s\n", arguments->program, optarg, code == OPTION_LEVEL ? "level" : "format");
    *out_exit_code = EXIT_USAGE;
    return false;
}

static bool take_options(int argc, char **argv, struct arguments *arguments, int *out_exit_code)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},      {"check-config", no_argument, NULL, OPTION_CHECK},
        {"describe-config", no_argument, NULL, OPTION_DESCRIBE}, {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},          {"log-level", required_argument, NULL, OPTION_LEVEL},
        {"log-format", required_argument, NULL, OPTION_FORMAT},  {NULL, 0, NULL, 0},
    };
    optind = 0; // starts anew, also for the second call in one process
    for (;;) {
        int code = getopt_long(argc, argv, "c:", options, NULL);
        if (code == -1)
            break;
        if (!take_option(arguments, code, out_exit_code))
            return false;
    }
    if (optind == argc)
        return true;
    fprintf(stderr, "%s: unexpected argument '%s'\n", arguments->program, argv[optind]);
    *out_exit_code = EXIT_USAGE;
    return false;
}

bool config_from_arguments(int argc, char **argv, const char *program, const char *purpose, struct config **out_config,
                           int *out_exit_code)
{
    const char *variable = getenv(CONFIG_VARIABLE);
    struct arguments arguments = {.program = program,
                                  .purpose = purpose,
                                  .file = variable && *variable != '\0' ? variable : CONFIG_FILE_DEFAULT,
                                  .level = -1,
                                  .format = -1};
    struct config *config = NULL;
    struct error error;
    if (!take_options(argc, argv, &arguments, out_exit_code)) {
        if (*out_exit_code != 0)
            fprintf(stderr, "Try '%s --help'.\n", program);
        return false;
    }
    // Loading may warn already.
    log_configure(program, arguments.level >= 0 ? (enum log_level)arguments.level : LOG_INFO,
                  arguments.format >= 0 ? (enum log_format)arguments.format : LOG_LOGFMT);
    if (config_load(arguments.file, &config, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        *out_exit_code = EXIT_USAGE;
        return false;
    }
    if (arguments.check_only) {
        printf("%s: ok: %zu queues, %zu users\n", arguments.file, config->queue_count, config->user_count);
        config_destroy(config);
        *out_exit_code = 0;
        return false;
    }
    log_configure(program, arguments.level >= 0 ? (enum log_level)arguments.level : config->log.level,
                  arguments.format >= 0 ? (enum log_format)arguments.format : config->log.format);
    *out_config = config;
    return true;
}
