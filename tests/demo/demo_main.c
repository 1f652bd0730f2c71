/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xqueue-demo: starts a whole installation on this machine and sends three submissions on their way, or (--serve) leaves it
 * running. The programs are those beside this one.
 */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rpc/rpc_event.h"
#include "base/text.h"
#include "tests/demo/installation.h"
#include "tests/demo/journey.h"
#include "tests/demo/paint.h"
#include "tests/demo/serve.h"

enum {
    REST_PORT_DEFAULT = 8040,
    CORE_PORT_DEFAULT = 8041,
    LMS_PORT_DEFAULT = 8042,
    PORT_MAX = 65535,
    DEMO_SLOTS = 3,        // so that the three submissions need not wait for each other
    DEMO_TIME_LIMIT_S = 2, // for a test
    SERVE_SLOTS = 4,
    SERVE_TIME_LIMIT_S = 5,
    OPEN_FOLDERS_MAX = 16,
};

struct demo {
    bool serve;
    bool keep;
    int64_t rest_port;
    int64_t core_port;
    int64_t lms_port;
    const char *course;
    const char *data;
    int stop_descriptor;
    struct paint paint;
};

static void print_usage(FILE *stream)
{
    (void)fprintf(
        stream,
        "usage: xqueue-demo [OPTION...]\n"
        "Starts xqueued, xqueue-rest and an example grader, plays an LMS that hands in a right, a wrong and a hanging\n"
        "solution, prints the journey of each, stops everything. Exits 0 only if all came back as they should.\n\n"
        "  --keep           keep the temporary folder with database and logs\n"
        "  --course DIR     problems of the grader (%s)\n"
        "  --serve          leave it running instead, until Ctrl-C\n"
        "with --serve:\n"
        "  --data DIR       where everything is kept between runs (./run)\n"
        "  --rest-port N    %d\n"
        "  --core-port N    %d\n"
        "  --lms-port N     where callbacks are listened for; %d\n",
        XQUEUE_COURSE_FOLDER, REST_PORT_DEFAULT, CORE_PORT_DEFAULT, LMS_PORT_DEFAULT);
}

static bool read_port(const char *name, const char *text, int64_t *out_port)
{
    if (text_to_int64(text, 1, PORT_MAX, out_port) != STATUS_OK) {
        (void)fprintf(stderr, "xqueue-demo: --%s is a number from 1 to %d\n", name, PORT_MAX);
        return false;
    }
    return true;
}

/* true: run. Else exit with *out_exit_code. */
static bool read_options(struct demo *demo, int argc, char **argv, int *out_exit_code)
{
    static const struct option options[] = {{"keep", no_argument, NULL, 'k'},
                                            {"course", required_argument, NULL, 'c'},
                                            {"serve", no_argument, NULL, 's'},
                                            {"data", required_argument, NULL, 'd'},
                                            {"rest-port", required_argument, NULL, 'r'},
                                            {"core-port", required_argument, NULL, 'g'},
                                            {"lms-port", required_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option = 0;
    bool fine = true;
    while (fine && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'k':
            demo->keep = true;
            break;
        case 'c':
            demo->course = optarg;
            break;
        case 's':
            demo->serve = true;
            break;
        case 'd':
            demo->data = optarg;
            break;
        case 'r':
            fine = read_port("rest-port", optarg, &demo->rest_port);
            break;
        case 'g':
            fine = read_port("core-port", optarg, &demo->core_port);
            break;
        case 'l':
            fine = read_port("lms-port", optarg, &demo->lms_port);
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

/* ---- the journey ---- */

static int remove_entry(const char *path, const struct stat *about, int flag, struct FTW *where)
{
    (void)about;
    (void)flag;
    (void)where;
    return remove(path);
}

static enum status start(struct installation *installation, const struct installation_options *options, const struct demo *demo,
                         struct error *error)
{
    int64_t from_us = clock_monotonic_us();
    enum status status = installation_start(installation, options, error);
    if (status == STATUS_OK) {
        printf("%sstarted%s in %lld ms: xqueued on %s, xqueue-rest on %s, course_grader with %d slots and %d s for a test\n",
               demo->paint.bold, demo->paint.off, (long long)((clock_monotonic_us() - from_us) / 1000),
               installation->core_address, installation->rest_address, options->grader_slots, options->grader_time_limit_s);
        (void)fflush(stdout);
    }
    return status;
}

/* Says how it went, and everything that helps to find out why it went wrong. */
static bool conclude(const struct demo *demo, struct installation *installation, enum status status, const struct error *error)
{
    bool in_order = installation_stop(installation, stdout);
    (void)fflush(stdout);
    bool is_fine = status == STATUS_OK && in_order;
    if (!is_fine && status != STATUS_CANCELED) {
        installation_print_logs(installation, stderr);
    }
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%sxqueue-demo: %s%s\n", demo->paint.bad, error->text, demo->paint.off);
    } else if (!in_order) {
        (void)fprintf(stderr, "%sxqueue-demo: not every program ended in order%s\n", demo->paint.bad, demo->paint.off);
    }
    return is_fine;
}

static int run_journey(const struct demo *demo)
{
    char folder[] = "/tmp/xqueue-demo-XXXXXX";
    struct installation installation = {0};
    struct error error = {0};
    bool as_expected = false;
    if (!mkdtemp(folder)) {
        (void)fprintf(stderr, "xqueue-demo: no folder in /tmp: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    const struct installation_options options = {.folder = folder,
                                                 .course = demo->course,
                                                 .grader_slots = DEMO_SLOTS,
                                                 .grader_time_limit_s = DEMO_TIME_LIMIT_S,
                                                 .stop_descriptor = demo->stop_descriptor};
    enum status status = start(&installation, &options, demo, &error);
    if (status == STATUS_OK) {
        status = journey_make(&installation, &demo->paint, demo->stop_descriptor, &as_expected, &error);
    }
    if (status == STATUS_OK && !as_expected) {
        status = error_set(&error, STATUS_WRONG_STATE, NULL, "not every result came back as it should");
    }
    bool is_fine = conclude(demo, &installation, status, &error);
    installation_destroy(&installation);
    if (is_fine) {
        printf("%sAll three results came back as they should.%s\n", demo->paint.good, demo->paint.off);
    }
    if (demo->keep || (!is_fine && status != STATUS_CANCELED)) {
        printf("kept: %s\n", folder);
    } else {
        (void)nftw(folder, remove_entry, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
    }
    return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- serving ---- */

static int run_service(const struct demo *demo)
{
    char folder[PATH_MAX];
    struct installation installation = {0};
    struct error error = {0};
    if ((mkdir(demo->data, 0700) != 0 && errno != EEXIST) || !realpath(demo->data, folder)) {
        (void)fprintf(stderr, "xqueue-demo: the folder %s: %s\n", demo->data, strerror(errno));
        return EXIT_FAILURE;
    }
    const struct installation_options options = {.folder = folder,
                                                 .course = demo->course,
                                                 .rest_port = (int)demo->rest_port,
                                                 .core_port = (int)demo->core_port,
                                                 .grader_slots = SERVE_SLOTS,
                                                 .grader_time_limit_s = SERVE_TIME_LIMIT_S,
                                                 .stop_descriptor = demo->stop_descriptor};
    enum status status = start(&installation, &options, demo, &error);
    if (status == STATUS_OK) {
        status = serve(&installation, &demo->paint, (int)demo->lms_port, demo->stop_descriptor, &error);
    }
    // Being told to stop is how this ends well.
    bool is_fine = conclude(demo, &installation, status == STATUS_CANCELED ? STATUS_OK : status, &error);
    installation_destroy(&installation);
    return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* From now on SIGINT and SIGTERM only make this readable, on every thread. */
static int open_stop_descriptor(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct demo demo = {.rest_port = REST_PORT_DEFAULT,
                        .core_port = CORE_PORT_DEFAULT,
                        .lms_port = LMS_PORT_DEFAULT,
                        .course = XQUEUE_COURSE_FOLDER,
                        .data = "run",
                        .paint = paint_init()};
    int exit_code = EXIT_FAILURE;
    if (!read_options(&demo, argc, argv, &exit_code)) {
        return exit_code;
    }
    log_configure("xqueue-demo", LOG_WARN, LOG_LOGFMT);
    demo.stop_descriptor = open_stop_descriptor();
    if (demo.stop_descriptor < 0) {
        (void)fprintf(stderr, "xqueue-demo: signalfd: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    rpc_log_install();
    return demo.serve ? run_service(&demo) : run_journey(&demo);
}
