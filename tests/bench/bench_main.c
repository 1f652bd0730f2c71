/* SPDX-License-Identifier: Apache-2.0 */
/* xqueue-bench: how fast the service is on this machine, beside what the machine's disk allows. See README.md. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_event.h"
#include "base/text.h"
#include "tests/bench/bench_idle.h"
#include "tests/bench/bench_report.h"

enum {
    SECONDS_DEFAULT = 8,
    SECONDS_MAX = 3600,
    ROUNDS_DEFAULT = 3,
    TRIES_DEFAULT = 2000,
    TRIES_MAX = 1000000,
    IDLE_GRADERS_DEFAULT = 10000,
};

struct bench {
    int64_t seconds; /* of a load over TCP; everything else takes half as long */
    int64_t rounds;
    int64_t tries;
    int64_t idle_graders;
    bool json;
    char folder[CHILD_PATH_MAX]; /* for the databases */
    struct bench_report report;
};

/* Each number's option, with its range. */
struct number_option {
    const char *name;
    size_t offset;
    int64_t min;
    int64_t max;
};

static const struct number_option number_options[] = {
    {"seconds", offsetof(struct bench, seconds), 1, SECONDS_MAX},
    {"rounds", offsetof(struct bench, rounds), 1, BENCH_ROUNDS_MAX},
    {"tries", offsetof(struct bench, tries), 1, TRIES_MAX},
    {"idle-graders", offsetof(struct bench, idle_graders), 1, BENCH_IDLE_GRADERS_MAX},
};

enum { NUMBER_OPTIONS = sizeof number_options / sizeof number_options[0] };

static void print_usage(FILE *stream)
{
    (void)fprintf(stream,
                  "usage: xqueue-bench [OPTION...]\n"
                  "Measures xqueued on this machine. Takes about three minutes; exits 0 whatever it finds.\n\n"
                  "  --seconds N       of each load over TCP; the others take half as long (%d)\n"
                  "  --rounds N        of everything; the median is shown (%d)\n"
                  "  --tries N         single submissions at an idle service (%d)\n"
                  "  --idle-graders N  streams that wait, each on a connection of its own, up to %d (%d)\n"
                  "  --folder DIR      where the databases are made, on the disk to be measured (the programs' own folder)\n"
                  "  --json            one JSON object on standard output\n"
                  "  --help            this text\n",
                  SECONDS_DEFAULT, ROUNDS_DEFAULT, TRIES_DEFAULT, BENCH_IDLE_GRADERS_MAX, IDLE_GRADERS_DEFAULT);
}

static bool set_number(struct bench *bench, const char *name, const char *value)
{
    for (size_t i = 0; i < NUMBER_OPTIONS; i++) {
        const struct number_option *option = &number_options[i];
        int64_t *number = (int64_t *)(void *)((char *)bench + option->offset);
        if (strcmp(option->name, name) == 0) {
            if (text_to_int64(value, option->min, option->max, number) == STATUS_OK) {
                return true;
            }
            (void)fprintf(stderr, "xqueue-bench: --%s is a number from %lld to %lld\n", name, (long long)option->min,
                          (long long)option->max);
        }
    }
    return false;
}

/* true: run. Else exit with *out_exit_code. */
static bool read_options(struct bench *bench, int argc, char **argv, int *out_exit_code)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 'n'},
                                            {"rounds", required_argument, NULL, 'n'},
                                            {"tries", required_argument, NULL, 'n'},
                                            {"folder", required_argument, NULL, 'f'},
                                            {"idle-graders", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option = 0;
    int index = 0;
    bool fine = true;
    while (fine && (option = getopt_long(argc, argv, "h", options, &index)) != -1) {
        switch (option) {
        case 'n':
            fine = set_number(bench, options[index].name, optarg);
            break;
        case 'f':
            fine = text_copy(bench->folder, sizeof bench->folder, optarg);
            break;
        case 'j':
            bench->json = true;
            break;
        case 'h':
            print_usage(stdout);
            *out_exit_code = EXIT_SUCCESS;
            return false;
        default:
            fine = false;
        }
    }
    if (!fine || optind < argc) {
        print_usage(stderr);
        *out_exit_code = EXIT_FAILURE;
        return false;
    }
    return true;
}

/* To people while they wait; never into the JSON. */
static void say(const char *text)
{
    (void)fprintf(stderr, "  %s ...\n", text);
}

static enum status run_loads(struct bench *bench, struct bench_round *round, struct error *error)
{
    struct bench_core core;
    struct bench_core_usage usage = {0};
    enum status status = bench_core_start(&core, bench->folder, error);
    if (status == STATUS_OK) {
        say("xqueued over TCP");
        status = bench_load_run(&core, false, (double)bench->seconds, &round->tcp, error);
    }
    if (status == STATUS_OK) {
        say("xqueued over a unix socket");
        status = bench_load_run(&core, true, (double)bench->seconds / 2, &round->unix_socket, error);
    }
    if (status == STATUS_OK) {
        status = bench_core_usage(&core, &usage);
        round->resident_bytes_after = usage.resident_bytes;
        round->resident_bytes_peak = usage.resident_bytes_peak;
    }
    if (!bench_core_stop(&core) && status == STATUS_OK) {
        status = error_set(error, STATUS_INTERNAL, NULL, "xqueued did not stop in order");
    }
    return status;
}

static enum status run_round(struct bench *bench, struct bench_round *round, struct error *error)
{
    double seconds = (double)bench->seconds / 2;
    say("raw SQLite");
    enum status status = bench_sqlite_run(bench->folder, seconds, &round->raw);
    if (status == STATUS_OK) {
        say("our store");
        status = bench_sqlite_run_store(bench->folder, seconds, &round->store);
    }
    if (status != STATUS_OK) {
        return error_set(error, status, NULL, "no database in %s", bench->folder);
    }
    return run_loads(bench, round, error);
}

/* The same beside many who wait. */
static enum status run_crowd(struct bench *bench, struct bench_core *core, struct error *error)
{
    struct bench_idle idle;
    struct bench_core_usage before = {0};
    struct bench_core_usage after = {0};
    say("idle graders");
    enum status status = bench_core_usage(core, &before);
    int64_t began_ms = clock_now_ms(clock_system());
    if (status == STATUS_OK) {
        status = bench_idle_start(&idle, core, bench->idle_graders, error);
        bench->report.idle = (struct bench_idle_result){
            .graders = idle.graders, .connections = idle.connections, .gather_ms = clock_now_ms(clock_system()) - began_ms};
        if (status == STATUS_OK) {
            say("single submissions beside them");
            status = bench_dispatch_run(core, bench->tries, &bench->report.idle.dispatch, error);
        }
        if (status == STATUS_OK) {
            status = bench_core_usage(core, &after);
        }
        if (!bench_idle_stop(&idle) && status == STATUS_OK) {
            status = error_set(error, STATUS_INTERNAL, NULL, "idle graders were sent away");
        }
    }
    bench->report.idle.resident_bytes_before = before.resident_bytes;
    bench->report.idle.resident_bytes_after = after.resident_bytes;
    return status;
}

static enum status run_idle(struct bench *bench, struct error *error)
{
    struct bench_core core;
    struct bench_core_usage usage = {0};
    enum status status = bench_core_start(&core, bench->folder, error);
    if (status == STATUS_OK) {
        status = bench_core_usage(&core, &usage);
        bench->report.resident_bytes_start = usage.resident_bytes;
    }
    if (status == STATUS_OK) {
        say("single submissions");
        status = bench_dispatch_run(&core, bench->tries, &bench->report.dispatch, error);
    }
    if (status == STATUS_OK) {
        status = run_crowd(bench, &core, error);
    }
    if (!bench_core_stop(&core) && status == STATUS_OK) {
        status = error_set(error, STATUS_INTERNAL, NULL, "xqueued did not stop in order");
    }
    return status;
}

static enum status run(struct bench *bench, struct error *error)
{
    enum status status = STATUS_OK;
    for (int64_t i = 0; status == STATUS_OK && i < bench->rounds; i++) {
        (void)fprintf(stderr, "round %lld of %lld\n", (long long)i + 1, (long long)bench->rounds);
        status = run_round(bench, &bench->report.rounds[i], error);
        bench->report.round_count++;
    }
    return status == STATUS_OK ? run_idle(bench, error) : status;
}

/* The folder for the databases: beside the programs, unless told otherwise. */
static bool find_folder(struct bench *bench)
{
    char resolved[CHILD_PATH_MAX];
    if (bench->folder[0] == '\0' && !child_path_beside(".", bench->folder)) {
        return false;
    }
    return realpath(bench->folder, resolved) && text_copy(bench->folder, sizeof bench->folder, resolved);
}

int main(int argc, char **argv)
{
    static struct bench bench = {
        .seconds = SECONDS_DEFAULT, .rounds = ROUNDS_DEFAULT, .tries = TRIES_DEFAULT, .idle_graders = IDLE_GRADERS_DEFAULT};
    struct error error = {0};
    int exit_code = EXIT_FAILURE;
    if (!read_options(&bench, argc, argv, &exit_code)) {
        return exit_code;
    }
    log_configure("xqueue-bench", LOG_WARN, LOG_LOGFMT);
    (void)signal(SIGPIPE, SIG_IGN);
    rpc_log_install();
    if (!find_folder(&bench)) {
        (void)fprintf(stderr, "xqueue-bench: no folder %s: %s\n", bench.folder, strerror(errno));
        return EXIT_FAILURE;
    }
    if (run(&bench, &error) != STATUS_OK) {
        (void)fprintf(stderr, "xqueue-bench: %s\n", error.text);
        return EXIT_FAILURE;
    }
    if (bench.json) {
        return bench_report_print_json(&bench.report, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    bench_report_print(&bench.report, stdout);
    return EXIT_SUCCESS;
}
