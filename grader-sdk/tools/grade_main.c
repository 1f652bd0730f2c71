/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xqueue-grade: makes a grader of any program.
 *
 *     xqueue-grade --queue cs101 --slots 4 -- ./grade.py
 *
 * Ends with 0 (stopped, all answers confirmed), 1 (the service refused it, or another one took its name), 2 (called wrongly),
 * 3 (no sandbox, although one is required, or no program can be run at all), 4 (stopped at once: some submissions were handed
 * back).
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <jansson.h>
#include <xqueue/grader.h>

#include "grader-sdk/tools/grade_child.h"
#include "grader-sdk/tools/grade_folder.h"
#include "grader-sdk/tools/grade_options.h"
#include "grader-sdk/tools/grade_submission.h"

enum { CODE_ENDED = 1, CODE_USAGE = 2, CODE_NO_SANDBOX = 3, CODE_CANCELED = 4, LINE_MAX_BYTES = 1024 };

static struct xqueue_grader *running_grader;

static void on_signal(int number)
{
    (void)number;
    xqueue_grader_stop(running_grader);
}

static void on_log(void *context, enum xqueue_log_level level, const char *text)
{
    (void)context;
    grade_log(level, text);
}

static void catch_signals(void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
}

/* Tries with a sandbox, then without, and says which it got. False: it may not go on, or could not run anything. */
static bool choose_sandbox(struct grade_settings *settings)
{
    char why[XQUEUE_ERROR_TEXT_MAX] = "not wanted";
    char line[LINE_MAX_BYTES];
    settings->is_sandboxed = settings->sandbox != GRADE_SANDBOX_NONE;
    if (settings->is_sandboxed && grade_submission_try(settings, why)) {
        (void)snprintf(line, sizeof(line), "sandbox: namespaces; %s, file system read-only, own processes",
                       settings->has_network ? "with the network" : "no network");
        grade_log(XQUEUE_LOG_INFO, line);
        return true;
    }
    settings->is_sandboxed = false;
    (void)snprintf(line, sizeof(line), "sandbox: none (%s); limits only, programs are not shut in", why);
    grade_log(settings->sandbox == GRADE_SANDBOX_REQUIRE ? XQUEUE_LOG_ERROR : XQUEUE_LOG_WARN, line);
    if (settings->sandbox == GRADE_SANDBOX_REQUIRE)
        return false;
    if (grade_submission_try(settings, why))
        return true;
    (void)snprintf(line, sizeof(line), "programs cannot be run: %s", why);
    grade_log(XQUEUE_LOG_ERROR, line);
    return false;
}

static int run_grader(struct grade_options *options)
{
    struct xqueue_error error;
    if (xqueue_grader_create(&options->grader, &running_grader, &error) != XQUEUE_STATUS_OK) {
        grade_log(XQUEUE_LOG_ERROR, error.text);
        return CODE_USAGE;
    }
    if (!choose_sandbox(&options->settings)) {
        xqueue_grader_destroy(running_grader);
        return CODE_NO_SANDBOX;
    }
    if (geteuid() == 0)
        grade_log(XQUEUE_LOG_INFO, "running as root: programs run as user 65534");
    catch_signals(on_signal);
    enum xqueue_status status = xqueue_grader_run(running_grader, &error);
    // From here on a signal does nothing: the grader is about to be gone, and so is the scratch folder.
    catch_signals(SIG_IGN);
    xqueue_grader_destroy(running_grader);
    if (status == XQUEUE_STATUS_OK)
        return EXIT_SUCCESS;
    grade_log(XQUEUE_LOG_ERROR, error.text);
    return status == XQUEUE_STATUS_CANCELED ? CODE_CANCELED : CODE_ENDED;
}

/* By what this grader shows who it is, programs may not pass for it. False: a path is too long. */
static bool hide_secrets(struct grade_options *options)
{
    static const char *const names[GRADE_CHILD_HIDDEN_MAX] = {"XQUEUE_PASSWORD_FILE", "XQUEUE_TOKEN_FILE", "XQUEUE_KEY_FILE",
                                                              "XQUEUE_CERTIFICATE_FILE"};
    for (size_t i = 0; i < GRADE_CHILD_HIDDEN_MAX; i++) {
        char absolute[PATH_MAX];
        const char *file = getenv(names[i]); // NOLINT(concurrency-mt-unsafe): before any thread
        if (i == 0 && options->grader.password_file)
            file = options->grader.password_file;
        if (!file || !file[0] || !realpath(file, absolute))
            continue; // a file that is not there is the SDK's to complain of
        if ((size_t)snprintf(options->settings.hidden[i], GRADE_FOLDER_PATH_MAX, "%s", absolute) >= GRADE_FOLDER_PATH_MAX)
            return false;
    }
    return true;
}

static int run(struct grade_options *options)
{
    // A program of the same user may not read the password in our environment.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        (void)fprintf(stderr, "xqueue-grade: cannot close itself to other programs: %s\n", strerrordesc_np(errno));
        return CODE_USAGE;
    }
    const char *usual = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe): before any thread
    const char *parent = options->parent ? options->parent : usual && usual[0] ? usual : "/tmp";
    options->grader.handler = grade_submission;
    options->grader.context = &options->settings;
    options->grader.log = on_log;
    if (!hide_secrets(options)) {
        (void)fprintf(stderr, "xqueue-grade: the path of a file with a secret is too long\n");
        return CODE_USAGE;
    }
    json_object_seed(0);
    if (!grade_folder_make_outer(parent, options->settings.outer)) {
        (void)fprintf(stderr, "xqueue-grade: cannot make a folder in %s: %s\n", parent, strerrordesc_np(errno));
        return CODE_USAGE;
    }
    int code = run_grader(options);
    if (!grade_folder_remove(options->settings.outer))
        (void)fprintf(stderr, "xqueue-grade: cannot remove %s\n", options->settings.outer);
    return code;
}

int main(int argc, char **argv, char **environment)
{
    if (argc > 1 && strcmp(argv[1], GRADE_CHILD_OPTION) == 0)
        return grade_child_main(argc, argv, environment);
    static struct grade_options options;
    switch (grade_options_read(&options, argc, argv)) {
    case GRADE_OPTIONS_HELP:
        grade_options_explain();
        return EXIT_SUCCESS;
    case GRADE_OPTIONS_VERSION:
        (void)printf("xqueue-grade %s\n", xqueue_version());
        return EXIT_SUCCESS;
    case GRADE_OPTIONS_RUN:
        return run(&options);
    default:
        (void)fprintf(stderr, "xqueue-grade: %s\n", options.wrong);
        return CODE_USAGE;
    }
}
