/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grader that really grades: runs the student's program against the tests of the problem, in a child process with limits.
 *
 *     course_grader --queue demo --course grader-sdk/examples/course [--address 127.0.0.1:8041] [--slots 2] [--time-limit 5]
 *
 * User and password come from XQUEUE_USER and XQUEUE_PASSWORD or XQUEUE_PASSWORD_FILE. SIGTERM and SIGINT drain; a second one
 * hands back what is running.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xqueue/grader.h>

#include "grader-sdk/examples/course_child.h"
#include "grader-sdk/examples/course_grade.h"

enum {
    TIME_LIMIT_S_DEFAULT = 5,
    TIME_LIMIT_S_MAX = 600,
    MS_PER_SECOND = 1000,
    DECIMAL = 10,
};

static struct xqueue_grader *running_grader;

static void on_signal(int number)
{
    (void)number;
    xqueue_grader_stop(running_grader);
}

static void on_log(void *context, enum xqueue_log_level level, const char *text)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    (void)context;
    (void)fprintf(stderr, "course_grader: %s: %s\n", names[level], text);
}

static int usage(const char *wrong)
{
    (void)fprintf(
        stderr,
        "%s\nusage: course_grader --course DIR [--queue NAME] [--address ADDRESS] [--slots N] [--time-limit SECONDS]\n"
        "User and password: XQUEUE_USER, XQUEUE_PASSWORD or XQUEUE_PASSWORD_FILE.\n",
        wrong);
    return EXIT_FAILURE;
}

/* A whole decimal number from 1 to max; 0 otherwise. */
static long read_number(const char *text, long max)
{
    char *end = NULL;
    long number = strtol(text, &end, DECIMAL);
    return *text && !*end && number >= 1 && number <= max ? number : 0;
}

struct arguments {
    struct xqueue_grader_options options;
    struct course course;
    const char *queue;
};

/* NULL, or what is wrong. */
static const char *read_arguments(struct arguments *arguments, int argc, char **argv)
{
    static const struct option known[] = {
        {"address", required_argument, NULL, 'a'},    {"course", required_argument, NULL, 'c'},
        {"queue", required_argument, NULL, 'q'},      {"slots", required_argument, NULL, 's'},
        {"time-limit", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) { // NOLINT(concurrency-mt-unsafe): before any thread
        switch (option) {
        case 'a':
            arguments->options.address = optarg;
            break;
        case 'c':
            arguments->course.folder = optarg;
            break;
        case 'q':
            arguments->queue = optarg;
            arguments->options.queues = &arguments->queue;
            arguments->options.queue_count = 1;
            break;
        case 's':
            arguments->options.slots = (unsigned)read_number(optarg, XQUEUE_SLOTS_MAX);
            if (arguments->options.slots == 0)
                return "--slots must be 1 to 1000";
            break;
        case 't':
            arguments->course.time_limit_ms = read_number(optarg, TIME_LIMIT_S_MAX) * MS_PER_SECOND;
            if (arguments->course.time_limit_ms == 0)
                return "--time-limit must be 1 to 600";
            break;
        default:
            return "unknown option";
        }
    }
    if (!arguments->course.folder)
        return "--course is missing";
    return optind < argc ? "too many arguments" : NULL;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], CHILD_OPTION) == 0)
        return child_main(argc, argv);
    static struct arguments arguments = {.course.time_limit_ms = (int64_t)TIME_LIMIT_S_DEFAULT * MS_PER_SECOND};
    xqueue_grader_options_init(&arguments.options);
    const char *wrong = read_arguments(&arguments, argc, argv);
    if (wrong)
        return usage(wrong);
    arguments.options.handler = course_grade;
    arguments.options.context = &arguments.course;
    arguments.options.log = on_log;

    struct xqueue_error error;
    if (xqueue_grader_create(&arguments.options, &running_grader, &error) != XQUEUE_STATUS_OK)
        return usage(error.text);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    enum xqueue_status status = xqueue_grader_run(running_grader, &error);
    // From here on a signal ends the program as usual: the grader is about to be gone.
    action.sa_handler = SIG_DFL;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    xqueue_grader_destroy(running_grader);
    return status == XQUEUE_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
