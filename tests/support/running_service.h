/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real programs around one temporary folder: xqueued, and xqueue-rest before it, with a configuration made for tests.
 *
 * Queues: "calm" has leases that no test outlives; "hasty" has a lease of a second, an accept window of 300 ms, two attempts
 * and pauses of some 10 ms; "small" takes two submissions of 1,000 bytes. Users lms, grader, courier, admin, everybody have
 * the role of their name (everybody: all four) and their name as password.
 *
 * It is no part of the product; it fails the running test (cmocka) when a program does not start.
 *
 * Threading: the test's main thread.
 */
#ifndef TESTS_SUPPORT_RUNNING_SERVICE_H
#define TESTS_SUPPORT_RUNNING_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/running_program.h"

enum { RUNNING_SERVICE_TEXT_MAX = 256, HASTY_LEASE_MS = 1000, HASTY_ACCEPT_MS = 300, HASTY_ATTEMPTS_MAX = 2 };

/* More lines for a section of the configuration, each indented and with its line end ("  drain_ms: 100\n"), or NULL. Borrowed
 * during the start. */
struct running_service_options {
    const char *user; /* as whom xqueue-rest works; NULL: courier */
    const char *service;
    const char *delivery;
    const char *rest;
    const char *callbacks;
    const char *queues;
    bool over_tcp; /* everybody reaches the core over TCP instead of its unix socket */
};

struct running_service {
    char folder[64];
    char config[RUNNING_SERVICE_TEXT_MAX]; /* path of the configuration */
    char core[RUNNING_SERVICE_TEXT_MAX];   /* where clients find xqueued: "unix:/..." or "127.0.0.1:port" */
    int core_port;                         /* it listens there, too */
    int rest_port;
    struct running_program *xqueued; /* NULL: does not run */
    struct running_program *rest;    /* likewise */
    /* For the next start of xqueued: all but the arguments count. */
    struct running_program_options xqueued_options;
    struct running_program_options rest_options; /* likewise, of xqueue-rest */
};

/* The folder and the configuration; nothing runs yet. */
void running_service_prepare(struct running_service *service, const struct running_service_options *options);
/* Starts it on the same ports and data as before, and waits until it is ready. */
void running_service_start_core(struct running_service *service);
void running_service_start_rest(struct running_service *service);
/* All three; options may be NULL. */
void running_service_start(struct running_service *service, const struct running_service_options *options);

/* kill -9, and waits for the end. */
void running_service_kill_core(struct running_service *service);
void running_service_kill_rest(struct running_service *service);

/* SIGTERM, waits for the end, which must be exit code 0. */
void running_service_stop_core(struct running_service *service);
void running_service_stop_rest(struct running_service *service);

/*
 * For teardown: stops what runs and removes the folder. false, with the logs printed: something did not stop with exit code 0,
 * or a sanitizer complained.
 */
bool running_service_finish(struct running_service *service);

/* "FOLDER/name" in out. */
const char *running_service_path(const struct running_service *service, const char *name, char out[RUNNING_SERVICE_TEXT_MAX]);

/* A program of the build's bin folder. */
const char *running_service_program(const char *name, char out[RUNNING_SERVICE_TEXT_MAX]);

/* A port of this machine that nobody listens on, outside of the range that connections are given. */
int running_service_free_port(void);

#endif
