/* SPDX-License-Identifier: Apache-2.0 */
/* xqueue-simulate: runs seeds, each in a process of its own; shows what a failing one did, and how little of it is enough. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/simulation/actors.h"

enum { EXIT_USAGE = 2, EXIT_BROKEN = 3, EXIT_ABORTED = EXIT_BROKEN + PROMISE_END };

struct arguments {
    struct simulation_options options;
    uint64_t seeds;
    bool prove;
    bool quiet;
    bool shrink;
};

static void usage(FILE *stream)
{
    fprintf(stream,
            "usage: xqueue-simulate [--seed S] [--seeds N] [--steps N] [--first STEP] [--without KIND]... [--sweep STEPS]\n"
            "                       [--trace] [--no-shrink] [--sabotage NAME] [--prove]\n"
            "\n"
            "  --seed S       begin with this seed (1)\n"
            "  --seeds N      so many seeds, one after the other (1)\n"
            "  --steps N      steps of each (1000000)\n"
            "  --first STEP   begin with this step, with an empty service (0)\n"
            "  --without KIND leave these steps out\n"
            "  --sweep STEPS  compare everything after so many steps (1000)\n"
            "  --trace        print everything that happens\n"
            "  --no-shrink    do not look for a smaller part of the run that fails, too\n"
            "  --sabotage NAME  break the service on purpose\n"
            "  --prove        break it in every way, one after the other, and see that each is noticed\n"
            "\nkinds of steps:");
    for (size_t kind = 0; kind < simulation_kind_count(); kind++)
        fprintf(stream, " %s", simulation_kind_name(kind));
    fprintf(stream, "\nsabotage:");
    for (int kind = SABOTAGE_NONE + 1; kind < SABOTAGE_END; kind++)
        fprintf(stream, " %s", sabotage_name((enum sabotage)kind));
    fprintf(stream, "\n");
}

/* ---- one run ---- */

static void report(const struct simulation *simulation)
{
    const struct model *model = &simulation->model;
    const struct world *world = &simulation->world;
    printf("seed %" PRIu64 ": %" PRIu64 " submitted, %" PRIu64 " granted, %" PRIu64 " graded, %" PRIu64 " delivered, %" PRIu64
           " superseded, %" PRIu64 " purged, %" PRIu64 " stale, %" PRIu64 " turns, %" PRIu64 " rolled back, %" PRIu64
           " starts (%" PRIu64 " after failures), %" PRIu64 " settled\n",
           simulation->options.seed, model->submitted, model->granted, model->graded, model->delivered, model->superseded,
           model->purged, model->stale, world->turns, world->rollbacks, simulation->restarts, world->storage_failures,
           simulation->settlings);
}

static void report_breach(const struct simulation *simulation, const char *what)
{
    if (!simulation->options.trace)
        trace_print(&simulation->trace, stdout);
    printf("seed %" PRIu64 " broke a promise (%s) at step %" PRIu64 ": %s\n", simulation->options.seed, what,
           simulation->trace.step, simulation->trace.breach);
}

static int run_here(struct simulation *simulation, const struct simulation_options *options, bool quiet)
{
    int nowhere = open("/dev/null", O_WRONLY);
    log_redirect(nowhere); /* the trace says more */
    if (quiet)
        (void)dup2(nowhere, STDERR_FILENO);
    bool kept = simulation_run(simulation, options);
    if (kept && !quiet)
        report(simulation);
    if (!kept && !quiet)
        report_breach(simulation, promise_name(simulation->trace.broken));
    int code = kept ? 0 : EXIT_BROKEN + (int)simulation->trace.broken;
    simulation_finish(simulation);
    fflush(stdout);
    return code;
}

/*
 * 0: kept; EXIT_BROKEN + promise. A process of its own: a disk that fails is one of the process's, and when an assertion of the
 * service ends it, what led to it is read from the memory that both share.
 */
static int run_apart(const struct simulation_options *options, bool quiet)
{
    struct simulation *simulation = mmap(NULL, sizeof *simulation, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int code = EXIT_ABORTED;
    int status = 0;
    if (simulation == MAP_FAILED)
        return code;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(run_here(simulation, options, quiet));
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child > 0 && WIFEXITED(status)) {
        code = WEXITSTATUS(status);
    } else if (child > 0) {
        world_clear(&simulation->world);
        if (!quiet)
            report_breach(simulation, "the service aborted");
    }
    (void)munmap(simulation, sizeof *simulation);
    return code;
}

/* ---- the smallest part that fails in the same way ---- */

static bool fails_alike(const struct simulation_options *options, int code)
{
    return run_apart(options, true) == code;
}

static void print_replay(const struct simulation_options *options, bool whole)
{
    printf("%s: xqueue-simulate --seed %" PRIu64 " --first %" PRIu64 " --steps %" PRIu64, whole ? "replay" : "shrunk",
           options->seed, options->first, options->steps);
    for (size_t kind = 0; kind < simulation_kind_count(); kind++) {
        if (options->left_out >> kind & 1)
            printf(" --without %s", simulation_kind_name(kind));
    }
    if (options->sabotage != SABOTAGE_NONE)
        printf(" --sabotage %s", sabotage_name(options->sabotage));
    printf(" --sweep %" PRIu64 " --trace\n", options->sweep);
}

/* The fewest steps after which it fails: by halves, since what has failed stays failed. */
static void shrink_end(struct simulation_options *options, int code)
{
    uint64_t too_few = 0;
    while (options->steps - too_few > 1) {
        struct simulation_options fewer = *options;
        fewer.steps = too_few + (options->steps - too_few) / 2;
        if (fails_alike(&fewer, code))
            *options = fewer;
        else
            too_few = fewer.steps;
    }
}

/* Does a part that begins later fail, too? */
static void shrink_beginning(struct simulation_options *options, int code)
{
    for (uint64_t steps = 25; steps < options->steps; steps *= 2) {
        struct simulation_options later = *options;
        later.first = options->first + options->steps - steps;
        later.steps = steps;
        if (fails_alike(&later, code)) {
            *options = later;
            return;
        }
    }
}

static void shrink_kinds(struct simulation_options *options, int code)
{
    for (size_t kind = 0; kind < simulation_kind_count(); kind++) {
        struct simulation_options without = *options;
        without.left_out |= UINT64_C(1) << kind;
        if (fails_alike(&without, code))
            *options = without;
    }
}

static void shrink(const struct simulation_options *failed, int code)
{
    struct simulation_options options = *failed;
    options.trace = false;
    shrink_end(&options, code);
    print_replay(&options, true);
    fflush(stdout);
    shrink_beginning(&options, code);
    shrink_kinds(&options, code);
    shrink_end(&options, code);
    print_replay(&options, false);
}

/* ---- all of them ---- */

static int run_seeds(const struct arguments *arguments)
{
    int worst = 0;
    for (uint64_t at = 0; at < arguments->seeds; at++) {
        struct simulation_options options = arguments->options;
        options.seed += at;
        int code = run_apart(&options, false);
        if (code != 0 && arguments->shrink)
            shrink(&options, code);
        worst = code != 0 ? EXIT_BROKEN : worst;
    }
    return worst;
}

/* A check that never fails is worth nothing: each kind of damage is done, and has to be noticed as what it is. */
static int prove(const struct arguments *arguments)
{
    int wrong = 0;
    for (int kind = SABOTAGE_NONE + 1; kind < SABOTAGE_END; kind++) {
        struct simulation_options options = arguments->options;
        options.sabotage = (enum sabotage)kind;
        int expected = EXIT_BROKEN + (int)sabotage_breaks(options.sabotage);
        int code = run_apart(&options, true);
        bool right = code == expected;
        const char *noticed = code == 0              ? "nothing"
                              : code >= EXIT_ABORTED ? "an abort"
                                                     : promise_name((enum promise)(code - EXIT_BROKEN));
        printf("%-28s is noticed as %s%s\n", sabotage_name(options.sabotage), noticed, right ? "" : ": WRONG");
        wrong += !right;
    }
    return wrong > 0 ? EXIT_BROKEN : 0;
}

static bool read_number(const char *text, uint64_t *out_number)
{
    char *end = NULL;
    errno = 0;
    *out_number = text ? strtoull(text, &end, 10) : 0;
    return text && end != text && *end == '\0' && errno == 0;
}

static bool read_kind(const char *text, uint64_t *left_out)
{
    for (size_t kind = 0; text && kind < simulation_kind_count(); kind++) {
        if (strcmp(text, simulation_kind_name(kind)) == 0) {
            *left_out |= UINT64_C(1) << kind;
            return true;
        }
    }
    return false;
}

static bool read_sabotage(const char *text, enum sabotage *out_sabotage)
{
    for (int kind = SABOTAGE_NONE; text && kind < SABOTAGE_END; kind++) {
        *out_sabotage = (enum sabotage)kind;
        if (strcmp(text, sabotage_name(*out_sabotage)) == 0)
            return true;
    }
    return false;
}

static bool read_flag(const char *name, struct arguments *arguments)
{
    if (strcmp(name, "--trace") == 0)
        arguments->options.trace = true;
    else if (strcmp(name, "--no-shrink") == 0)
        arguments->shrink = false;
    else if (strcmp(name, "--prove") == 0)
        arguments->prove = true;
    else
        return false;
    return true;
}

static bool read_option(const char *name, const char *value, struct arguments *arguments)
{
    const struct {
        const char *name;
        uint64_t *number;
    } numbers[] = {
        {"--seed", &arguments->options.seed},   {"--seeds", &arguments->seeds},         {"--steps", &arguments->options.steps},
        {"--first", &arguments->options.first}, {"--sweep", &arguments->options.sweep},
    };
    for (size_t at = 0; at < sizeof numbers / sizeof numbers[0]; at++) {
        if (strcmp(name, numbers[at].name) == 0)
            return read_number(value, numbers[at].number);
    }
    if (strcmp(name, "--without") == 0)
        return read_kind(value, &arguments->options.left_out);
    return strcmp(name, "--sabotage") == 0 && read_sabotage(value, &arguments->options.sabotage);
}

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    for (int at = 1; at < argc; at++) {
        if (read_flag(argv[at], arguments))
            continue;
        const char *value = at + 1 < argc ? argv[at + 1] : NULL;
        if (!read_option(argv[at], value, arguments)) {
            fprintf(stderr, "xqueue-simulate: %s %s?\n", argv[at], value ? value : "");
            return false;
        }
        at++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .options = {.seed = 1, .steps = 1000000, .sweep = SIMULATION_SWEEP_STEPS}, .seeds = 1, .shrink = true};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return 0;
    }
    if (!read_arguments(argc, argv, &arguments)) {
        usage(stderr);
        return EXIT_USAGE;
    }
    return arguments.prove ? prove(&arguments) : run_seeds(&arguments);
}
