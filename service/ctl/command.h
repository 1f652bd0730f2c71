/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command of xqueuectl is: a row with its name, options and help, and a function that does it. The rows stand in
 * commands.c, each is defined in the file of its function.
 *
 * A command prints data on standard output (one JSON document with --json) and, when it fails, one line on standard error
 * (command_fail). It returns what the program exits with.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_COMMAND_H
#define SERVICE_CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/status.h"

struct connection;

enum command_exit {
    COMMAND_EXIT_OK = 0,
    COMMAND_EXIT_FAILED = 1,       /* asked for something that cannot be done, or not all of it was done */
    COMMAND_EXIT_USAGE = 2,        /* no such command or option, or an operand too few or too many */
    COMMAND_EXIT_UNREACHABLE = 3,  /* xqueued is not there, or did not answer in time */
    COMMAND_EXIT_REFUSED = 4,      /* wrong password, or the user lacks the role */
    COMMAND_EXIT_INTERRUPTED = 130 /* by a signal; what was done until then is done */
};

enum {
    COMMAND_OPTIONS_MAX = 16,
    COMMAND_TEXTS_MAX = 1000, /* how often a repeatable option may be given */
};

enum command_option_kind {
    COMMAND_OPTION_FLAG,
    COMMAND_OPTION_NUMBER,  /* a whole number; what is none is wrong usage, what is out of range a failure */
    COMMAND_OPTION_SECONDS, /* a decimal number of seconds, kept in ms; min, max and fallback are ms */
    COMMAND_OPTION_TEXT,    /* the last one counts */
    COMMAND_OPTION_TEXTS,   /* may be repeated */
};

struct command_option {
    const char *name;  /* without the dashes */
    const char *value; /* how help calls the value; NULL for a flag */
    const char *help;
    enum command_option_kind kind;
    char letter; /* short form, or 0 */
    int64_t min, max, fallback;
};

/* An option as it was given. */
struct command_value {
    bool given;
    int64_t number;     /* NUMBER, SECONDS; the fallback unless given */
    const char **texts; /* owned by the call; the texts are borrowed from argv */
    size_t count;
};

/* A command as it was called. */
struct command_call {
    const struct command *command;
    struct command_value values[COMMAND_OPTIONS_MAX]; /* in the order of command->options */
    const char *const *operands;                      /* borrowed from argv */
    size_t operand_count;
    bool json;
    const char *config_file;       /* --config, $XQUEUE_CONFIG, or the default */
    bool config_is_given;          /* --config or $XQUEUE_CONFIG */
    struct connection *connection; /* logged in; NULL for offline commands */
};

typedef int command_run(struct command_call *call);

struct command {
    const char *name;     /* one word, or two ("users list") */
    const char *operands; /* for help: "QUEUE..."; "" = none */
    const char *old_name; /* of the original's management command that this stands for, or NULL */
    const char *help;     /* one line */
    const char *details;  /* more for `xqueuectl help NAME`, lines of at most 100 characters; or NULL */
    const struct command_option *options;
    size_t option_count; /* up to COMMAND_OPTIONS_MAX */
    size_t operands_min, operands_max;
    bool is_offline; /* needs no xqueued */
    command_run *run;
};

#define COMMAND_OPTIONS(options_) .options = (options_), .option_count = sizeof(options_) / sizeof *(options_)

/* The value of an option that the command's row has (asserted). */
const struct command_value *command_option(const struct command_call *call, const char *name);
bool command_flag(const struct command_call *call, const char *name);
int64_t command_number(const struct command_call *call, const char *name);
const char *command_text(const struct command_call *call, const char *name); /* NULL: not given */

/* Prints "xqueuectl: text" on standard error and returns exit_code, so that failing is one line. */
int command_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for an answer of xqueued or of a library of ours: the text of error, and the code that belongs to status. */
int command_fail_status(enum status status, const struct error *error);

#endif
