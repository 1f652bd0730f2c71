/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of xqueue-submit.
 *
 * Threading: read on the main thread (getopt); immutable after that.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_OPTIONS_H
#define GRADER_SDK_TOOLS_SUBMIT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/client/connection_options.h"
#include "base/status.h"

/* The contract's bounds, and ours. */
enum {
    SUBMIT_BODY_BYTES_MAX = 3145728,
    SUBMIT_HEADER_BYTES_MAX = 65536,
    SUBMIT_QUEUE_BYTES_MAX = 128,
    SUBMIT_REQUEST_ID_BYTES_MAX = 128,
    SUBMIT_REPLACE_KEY_BYTES_MAX = 64,
    SUBMIT_FAIRNESS_KEY_BYTES_MAX = 128,
    SUBMIT_FILES_MAX = 100,
    SUBMIT_FILE_NAME_BYTES_MAX = 255,
    SUBMIT_LABELS_MAX = 16,
    SUBMIT_LABEL_BYTES_MAX = 64,
    SUBMIT_PARALLEL_MAX = 1000,
    SUBMIT_ITEMS_MAX = 1000000, /* submissions of one call: files times --repeat */
    SUBMIT_RECONNECT_MS_DEFAULT = 60000,
    SUBMIT_PARALLEL_DEFAULT = 4,
};

enum submit_exit {
    SUBMIT_EXIT_OK = 0,
    SUBMIT_EXIT_FAILED = 1,      /* refused, not readable, or one of many did not end well */
    SUBMIT_EXIT_USAGE = 2,       /* called wrongly */
    SUBMIT_EXIT_UNREACHABLE = 3, /* xqueued is not there, or did not answer in time */
    SUBMIT_EXIT_REFUSED = 4,     /* wrong password, or the user lacks the role */
    SUBMIT_EXIT_UNGRADABLE = 5,
    SUBMIT_EXIT_DEAD = 6,        /* given up: attempts used up, or expired */
    SUBMIT_EXIT_TAKEN_BACK = 7,  /* canceled or superseded */
    SUBMIT_EXIT_TIMEOUT = 8,     /* --timeout, and no result yet */
    SUBMIT_EXIT_NOT_CORRECT = 9, /* with --check */
    SUBMIT_EXIT_INTERRUPTED = 130,
};

enum submit_output { SUBMIT_OUTPUT_SCORE, SUBMIT_OUTPUT_RAW, SUBMIT_OUTPUT_JSON };

/* "NAME=PATH" or "KEY=VALUE", cut in two. */
struct submit_pair {
    char *name;        /* owned */
    const char *value; /* borrowed from argv */
};

/* Texts are borrowed from argv; NULL: not given. */
struct submit_options {
    struct connection_options connect;
    const char *queue;
    const char *const *paths; /* what is handed in; "-" is standard input */
    size_t path_count;
    const char *from, *glob;
    const char *header, *payload, *student;
    const char *replace_key, *fairness_key, *request_id;
    const char *results; /* folder */
    struct submit_pair files[SUBMIT_FILES_MAX];
    size_t file_count;
    struct submit_pair labels[SUBMIT_LABELS_MAX];
    size_t label_count;
    uint32_t priority; /* as the contract has it */
    enum submit_output output;
    int64_t watch_id; /* 0: not given */
    int64_t not_before_ms, expire_after_ms;
    int64_t timeout_ms; /* 0: none */
    int64_t reconnect_ms;
    int64_t parallel, repeat;
    bool is_raw, no_wait, is_check, is_quiet, cancel_on_interrupt;
};

/* true: to be run. false: exit with *out_exit_code, everything is said. To be finished in both cases. */
bool submit_options_read(struct submit_options *options, int argc, char **argv, int *out_exit_code);
void submit_options_finish(struct submit_options *options);

/* Are there many to be submitted, so that they are counted instead of shown? */
bool submit_options_are_many(const struct submit_options *options);

/* ---- for help and completion ---- */

enum submit_kind {
    SUBMIT_KIND_TEXT,
    SUBMIT_KIND_CONNECT, /* a text of connection_options_field */
    SUBMIT_KIND_FLAG,
    SUBMIT_KIND_NUMBER,
    SUBMIT_KIND_SECONDS,
    SUBMIT_KIND_SPECIAL,
};

enum submit_special {
    SUBMIT_SPECIAL_FILE,
    SUBMIT_SPECIAL_LABEL,
    SUBMIT_SPECIAL_PRIORITY,
    SUBMIT_SPECIAL_OUTPUT,
    SUBMIT_SPECIAL_JSON,
    SUBMIT_SPECIAL_COMPLETION,
    SUBMIT_SPECIAL_HELP,
    SUBMIT_SPECIAL_VERSION,
};

struct submit_option {
    const char *name, *value, *help; /* value NULL: takes none */
    enum submit_kind kind;
    size_t offset;    /* of its field in struct submit_options; SPECIAL: its enum submit_special */
    int64_t min, max; /* NUMBER; SECONDS in ms */
    char letter;      /* or 0 */
};

enum { SUBMIT_OPTION_COUNT = 38 };
extern const struct submit_option submit_option_table[SUBMIT_OPTION_COUNT];

#endif
