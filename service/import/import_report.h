/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a move from an original's database did, or would do: counts for each queue, and what has to be said beside.
 *
 * Threading: immutable once the move has ended.
 */
#ifndef SERVICE_IMPORT_IMPORT_REPORT_H
#define SERVICE_IMPORT_IMPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What becomes of a submission of the original. */
enum import_fate {
    IMPORT_WAITING,       /* READY */
    IMPORT_LEASED,        /* a grader has it, and may still answer with the key that it got */
    IMPORT_GRADED,        /* its result is there and waits for the LMS; it is never graded again */
    IMPORT_SUPERSEDED,    /* a newer one with the same callback URL came, too */
    IMPORT_DEAD,          /* its callback URL cannot be used: nobody could ever be told the grade */
    IMPORT_ALREADY,       /* came with an earlier move, whatever has become of it since */
    IMPORT_RETIRED,       /* over in the original: not taken along */
    IMPORT_TOO_LARGE,     /* more than the service takes of anybody: left out */
    IMPORT_UNKNOWN_QUEUE, /* in a queue that the configuration does not name: left out */
    IMPORT_FATE_COUNT
};

/* What becomes of a user of the original. */
enum import_user_fate {
    IMPORT_USER_TAKEN,
    IMPORT_USER_ALREADY,    /* came with an earlier move, whatever has become of it since */
    IMPORT_USER_CONFIGURED, /* of the configuration: left as it is there */
    IMPORT_USER_EXISTS,     /* an administrator made one of that name: left as it is */
    IMPORT_USER_INACTIVE,   /* may not log in there either: left out */
    IMPORT_USER_UNUSABLE,   /* no password, or hashed in a way that we cannot check: left out */
    IMPORT_USER_FATE_COUNT
};

/* "waiting", "already_there" ...; static; also the keys of the JSON form. */
const char *import_fate_name(enum import_fate fate);
const char *import_user_fate_name(enum import_user_fate fate);

enum { IMPORT_NAMES_MAX = 100 }; /* said one by one; more are only counted */

/* Names that somebody has to look at, each once. Zeroed is empty. */
struct import_names {
    char **items; /* owned */
    int64_t *counts;
    size_t count;
    int64_t more; /* how often a name came that found no room */
};
void import_names_add(struct import_names *names, const char *name);
void import_names_finish(struct import_names *names);

struct import_queue_report {
    const char *name; /* borrowed from the configuration */
    int64_t counts[IMPORT_FATE_COUNT];
};

struct import_report {
    struct import_queue_report *queues; /* owned; as the configuration orders them */
    size_t queue_count;
    int64_t totals[IMPORT_FATE_COUNT];
    struct import_names unknown_queues; /* of submissions that are not over */
    struct import_names too_large;      /* ids of submissions */
    int64_t external_files;             /* of those that come: their list of files lies elsewhere, its URL is handed on */
    int64_t unreadable_files;           /* of those that come: without their files, whose list makes no sense */
    int64_t unusable_keys;              /* of those that come: a key that cannot be one; a grader that holds it is refused */
    bool has_users;                     /* the source has a table of users */
    int64_t users[IMPORT_USER_FATE_COUNT];
    struct import_names unusable_users;
    struct import_names inactive_users;
    int64_t last_id;  /* the original's largest: ours are larger */
    bool is_dry_run;  /* nothing was written */
    bool has_changed; /* something was */
};

void import_report_finish(struct import_report *report);

#endif
