/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole installation in one folder: configuration, passwords, database, files, logs, and the three running programs: xqueued,
 * xqueue-rest and the course's grader. One queue, three users.
 *
 *     FOLDER/xqueue.yml  passwords/{lms,grader,courier}  xqueue.db  files/  logs/PROGRAM.log
 *
 * Threading: one thread; it must live as long as the programs run (see child.h).
 */
#ifndef TESTS_DEMO_INSTALLATION_H
#define TESTS_DEMO_INSTALLATION_H

#include <stdbool.h>
#include <stdio.h>

#include "base/secret.h"
#include "base/status.h"
#include "tests/demo/child.h"

#define INSTALLATION_QUEUE    "cs101"
#define INSTALLATION_LMS_USER "lms"

enum {
    INSTALLATION_FOLDER_MAX = 3072, /* bytes of the folder's path including the final NUL: leaves room for file names */
    INSTALLATION_ADDRESS_MAX = 128,
    INSTALLATION_START_MS = 60000, /* for each step of a start; sanitizers are slow */
    INSTALLATION_STOP_MS = 60000,  /* for each program */
};

enum installation_program { INSTALLATION_CORE, INSTALLATION_REST, INSTALLATION_GRADER, INSTALLATION_PROGRAMS };

struct installation_options {
    const char *folder;      /* absolute; made if it is not there */
    const char *course;      /* folder of the grader's problems */
    int rest_port;           /* 0: a free one */
    int core_port;           /* 0: a free one; then the programs meet on a unix socket, and folder must be short */
    int grader_slots;        /* how many are graded at one time */
    int grader_time_limit_s; /* for one test of one submission */
    int stop_descriptor;     /* the start ends early when this is readable; -1: none */
};

struct installation {
    char folder[INSTALLATION_FOLDER_MAX];
    struct child *programs[INSTALLATION_PROGRAMS]; /* NULL: not started */
    char rest_address[INSTALLATION_ADDRESS_MAX];   /* "127.0.0.1:8040" */
    char core_address[INSTALLATION_ADDRESS_MAX];
    char lms_password[SECRET_KEY_TEXT_MAX];
};

/*
 * Writes the configuration (passwords are kept if they are there), starts everything and waits until a grader is connected.
 * Call installation_stop also after a failure. STATUS_CANCELED: the stop descriptor; text in error.
 */
enum status installation_start(struct installation *installation, const struct installation_options *options,
                               struct error *error) STATUS_CHECKED;

/* Stops grader, adapter and core, in this order, and tells on stream how each ended. false: one did not end with 0 in time. */
bool installation_stop(struct installation *installation, FILE *stream);

/* The last lines of each log; also after installation_stop. */
void installation_print_logs(const struct installation *installation, FILE *stream);

/* Frees. A zeroed one is fine. */
void installation_destroy(struct installation *installation);

#endif
