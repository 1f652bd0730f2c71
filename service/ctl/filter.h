/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which submissions a command means: the options that all such commands have, and what they ask xqueued for.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_FILTER_H
#define SERVICE_CTL_FILTER_H

#include "service/ctl/command.h"
#include "xqueue/v1/admin.pb-c.h"

enum { FILTER_IDS_MAX = 1000, FILTER_STATES_MAX = 16 }; /* ids: by the contract */

/* Rows for the options of a command. */
#define FILTER_OPTIONS                                                                                                     \
    {.name = "queue", .value = "QUEUE", .help = "of this queue", .kind = COMMAND_OPTION_TEXT, .letter = 'q'},              \
        {.name = "id", .value = "ID", .help = "this submission; may be repeated", .kind = COMMAND_OPTION_TEXTS},           \
        {.name = "state",                                                                                                  \
         .value = "STATE",                                                                                                 \
         .help = "ready, leased, delayed, graded, dead, canceled, superseded, ungradable; may be repeated",                \
         .kind = COMMAND_OPTION_TEXTS},                                                                                    \
        {.name = "delivery",                                                                                               \
         .value = "STATE",                                                                                                 \
         .help = "whose delivery is none, pending, in-flight, delivered, undeliverable; may be repeated",                  \
         .kind = COMMAND_OPTION_TEXTS},                                                                                    \
        {.name = "since", .value = "DATETIME", .help = "submitted then or later (UTC)", .kind = COMMAND_OPTION_TEXT},      \
        {.name = "until", .value = "DATETIME", .help = "submitted then or earlier (UTC)", .kind = COMMAND_OPTION_TEXT},    \
        {.name = "grader", .value = "NAME", .help = "who has it, or had it last", .kind = COMMAND_OPTION_TEXT},            \
        {.name = "fairness-key", .value = "KEY", .help = "of this student", .kind = COMMAND_OPTION_TEXT},                  \
        {.name = "message", .value = "TEXT", .help = "whose message holds this text", .kind = COMMAND_OPTION_TEXT},        \
    {                                                                                                                      \
        .name = "failures", .value = "N", .help = "with at least so many counted failures", .kind = COMMAND_OPTION_NUMBER, \
        .max = 1000000                                                                                                     \
    }

struct filter {
    Xqueue__V1__SubmissionFilter message; /* borrows from the rest and from the call */
    uint64_t ids[FILTER_IDS_MAX];
    Xqueue__V1__SubmissionState states[FILTER_STATES_MAX];
    Xqueue__V1__DeliveryState deliveries[FILTER_STATES_MAX];
    bool is_empty; /* nothing was given: everything is meant */
};

/* Reads the options of the call. 0, or what to exit with: everything is said. */
int filter_read(const struct command_call *call, struct filter *out_filter);

/* "READY", "IN_FLIGHT": the contract's names without their beginning. Static. */
const char *filter_state_name(Xqueue__V1__SubmissionState state);
const char *filter_delivery_name(Xqueue__V1__DeliveryState state);

#endif
