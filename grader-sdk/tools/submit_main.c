/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xqueue-submit: hands in from a shell, waits, and prints the result; one submission, or many.
 *
 *     xqueue-submit --queue cs101 solution.py
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "grader-sdk/tools/submit_batch.h"
#include "grader-sdk/tools/submit_results.h"
#include "grader-sdk/tools/submit_say.h"
#include "grader-sdk/tools/submit_single.h"

static int run_many(const struct submit_options *options)
{
    struct error error = {0};
    struct submit_paths listed = {.count = 0};
    struct submit_paths paths = {.paths = (char **)(uintptr_t)options->paths, .count = options->path_count};
    struct submit_run run;
    enum status status = STATUS_OK;
    if (options->from) {
        status = submit_paths_list(options->from, options->glob, &listed, &error);
        paths = listed;
    }
    if (status == STATUS_OK && options->results)
        status = submit_batch_check_names(&paths, &error);
    if (status == STATUS_OK && options->results)
        status = submit_results_prepare(options->results, &error);
    int exit_code = SUBMIT_EXIT_OK;
    if (status == STATUS_OK) {
        exit_code = submit_run_init(&run, options);
        if (exit_code == SUBMIT_EXIT_OK)
            exit_code = submit_batch_run(&run, &paths);
        submit_run_finish(&run);
    } else {
        exit_code = submit_fail(SUBMIT_EXIT_FAILED, "%s", error.text);
    }
    submit_paths_finish(&listed);
    return exit_code;
}

static int run_one(const struct submit_options *options)
{
    struct submit_run run;
    int exit_code = submit_run_init(&run, options);
    if (exit_code == SUBMIT_EXIT_OK)
        exit_code = submit_single_run(&run);
    submit_run_finish(&run);
    return exit_code;
}

int main(int argc, char **argv)
{
    static struct submit_options options;
    int exit_code = SUBMIT_EXIT_OK;
    // Failures are told in words of ours; what the libraries below log is about repeated tries.
    log_configure("xqueue-submit", LOG_ERROR, LOG_LOGFMT);
    json_object_seed(0);
    if (submit_options_read(&options, argc, argv, &exit_code))
        exit_code = submit_options_are_many(&options) ? run_many(&options) : run_one(&options);
    submit_options_finish(&options);
    // What did not reach its file is not printed.
    if (fflush(stdout) != 0 || ferror(stdout))
        exit_code = submit_fail(SUBMIT_EXIT_FAILED, "the output cannot be written: %s", strerrordesc_np(errno));
    return exit_code;
}
