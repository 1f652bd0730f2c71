/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_submission.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grader-sdk/tools/grade_files.h"
#include "grader-sdk/tools/grade_folder.h"
#include "grader-sdk/tools/grade_format.h"
#include "grader-sdk/tools/grade_run.h"

enum { VARIABLES_MAX = 64, VARIABLE_MAX = 4096, FILES_MAX = 1024 };

#define BYTES_PER_MIB UINT64_C(1048576)

struct job {
    struct xqueue_submission *submission;
    const struct grade_settings *settings;
    char folder[GRADE_FOLDER_PATH_MAX];
    char input[PATH_MAX];
};

void grade_log(enum xqueue_log_level level, const char *text)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    (void)fprintf(stderr, "xqueue-grade: %s: %s\n", names[level], text);
}

__attribute__((format(printf, 2, 3))) static void say(const struct job *job, const char *format, ...)
{
    char what[GRADE_FORMAT_MESSAGE_MAX];
    char line[GRADE_FORMAT_MESSAGE_MAX + VARIABLES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    (void)snprintf(line, sizeof(line), "submission %" PRIu64 ": %s", xqueue_submission_id(job->submission), what);
    grade_log(XQUEUE_LOG_WARN, line);
}

/* ---- the answer ---- */

static void answer(const struct job *job, enum xqueue_status status)
{
    if (status != XQUEUE_STATUS_OK)
        say(job, "the answer was not taken: %s", xqueue_status_name(status));
}

static void fail(const struct job *job, enum xqueue_fail kind, const char *message)
{
    say(job, "%s: %s", kind == XQUEUE_FAIL_UNGRADABLE ? "not gradable" : "could not grade", message);
    answer(job, xqueue_submission_fail(job->submission, kind, message, 0));
}

/* At a limit. what: "used more time than it may". */
static void at_limit(const struct job *job, const char *what)
{
    char message[GRADE_FORMAT_MESSAGE_MAX];
    enum grade_at_limit then = job->settings->at_limit;
    if (then != GRADE_AT_LIMIT_WRONG) {
        (void)snprintf(message, sizeof(message), "The program that grades %s.", what);
        fail(job, then == GRADE_AT_LIMIT_RETRY ? XQUEUE_FAIL_TRANSIENT : XQUEUE_FAIL_UNGRADABLE, message);
        return;
    }
    (void)snprintf(message, sizeof(message), "<p>Your submission was stopped: it %s.</p>", what);
    char *result = grade_format_wrong_answer(message);
    say(job, "stopped: it %s", what);
    answer(job, result ? xqueue_submission_complete(job->submission, result, strlen(result)) : XQUEUE_STATUS_NO_MEMORY);
    free(result);
}

static void complete(const struct job *job, const struct grade_run *run)
{
    char wrong[GRADE_FORMAT_MESSAGE_MAX];
    if (job->settings->output == GRADE_OUTPUT_RAW) {
        answer(job, xqueue_submission_complete(job->submission, run->output ? run->output : "", run->output_length));
        return;
    }
    char *result = grade_format_result(run->output, run->output_length, wrong);
    if (result)
        answer(job, xqueue_submission_complete(job->submission, result, strlen(result)));
    else
        fail(job, XQUEUE_FAIL_TRANSIENT, wrong);
    free(result);
}

static void on_exit_code(const struct job *job, const struct grade_run *run)
{
    char text[GRADE_FORMAT_MESSAGE_MAX];
    char message[GRADE_FORMAT_MESSAGE_MAX + VARIABLES_MAX];
    switch (run->exit_code) {
    case EXIT_SUCCESS:
        complete(job, run);
        break;
    case GRADE_SUBMISSION_UNGRADABLE:
        grade_format_text(run->output ? run->output : "", run->output_length, text, sizeof(text));
        fail(job, XQUEUE_FAIL_UNGRADABLE, text);
        break;
    case GRADE_SUBMISSION_RETRY:
        grade_format_text(run->complaint, run->complaint_length, text, sizeof(text));
        fail(job, XQUEUE_FAIL_TRANSIENT, text);
        break;
    default:
        grade_format_text(run->complaint, run->complaint_length, text, sizeof(text));
        (void)snprintf(message, sizeof(message), "exit code %d: %s", run->exit_code, text);
        fail(job, XQUEUE_FAIL_TRANSIENT, message);
        break;
    }
}

static void on_outcome(const struct job *job, const struct grade_run *run, enum grade_run_outcome outcome)
{
    char message[GRADE_FORMAT_MESSAGE_MAX];
    switch (outcome) {
    case GRADE_RUN_ENDED:
        on_exit_code(job, run);
        break;
    case GRADE_RUN_KILLED:
        (void)snprintf(message, sizeof(message), "was ended by a signal (%s)", strsignal(run->signal));
        at_limit(job, message);
        break;
    case GRADE_RUN_OUT_OF_TIME:
        (void)snprintf(message, sizeof(message), "took more than %" PRIu64 " s", job->settings->limits.value[GRADE_LIMIT_WALL]);
        at_limit(job, message);
        break;
    case GRADE_RUN_TOO_MUCH_OUTPUT:
        (void)snprintf(message, sizeof(message), "wrote more than %" PRIu64 " KiB",
                       job->settings->limits.value[GRADE_LIMIT_OUTPUT]);
        at_limit(job, message);
        break;
    case GRADE_RUN_OVER:
        (void)snprintf(message, sizeof(message), "used more than %" PRIu64 " %s", job->settings->limits.value[run->limit],
                       grade_limit_kinds[run->limit].unit);
        at_limit(job, message);
        break;
    case GRADE_RUN_STOPPED:
        break; // the lease is lost: nobody waits for an answer
    case GRADE_RUN_BROKEN:
        grade_format_text(run->complaint, run->complaint_length, message, sizeof(message));
        fail(job, XQUEUE_FAIL_TRANSIENT, message);
        break;
    }
}

/* ---- while it runs ---- */

static bool is_lost(void *context)
{
    const struct job *job = context;
    return xqueue_submission_is_lost(job->submission);
}

static void on_progress(void *context, const char *line)
{
    const struct job *job = context;
    struct grade_format_progress progress;
    // What is no progress is dropped: a program may write many lines.
    if (grade_format_progress(line, &progress))
        answer(job, xqueue_submission_progress(job->submission, progress.phase, progress.percent, progress.note));
}

/* ---- what the program gets ---- */

struct variables {
    char *pointers[VARIABLES_MAX + 1];
    char texts[VARIABLES_MAX][VARIABLE_MAX];
    size_t count;
};

static void add_variable(struct variables *variables, const char *name, const char *value)
{
    size_t at = variables->count;
    if (!value || at == VARIABLES_MAX)
        return;
    int length = snprintf(variables->texts[at], VARIABLE_MAX, "%s=%s", name, value);
    if (length < VARIABLE_MAX) {
        variables->pointers[at] = variables->texts[at];
        variables->count++;
    }
}

/* In a sandbox the folder stands where the outer one is. */
static const char *place_of(const struct grade_settings *settings, const char *folder)
{
    return settings->is_sandboxed ? settings->outer : folder;
}

/* NULL: no memory. Free it. */
static struct variables *make_variables(const struct grade_settings *settings, const char *folder)
{
    struct variables *variables = calloc(1, sizeof(*variables));
    if (!variables)
        return NULL;
    add_variable(variables, "PATH", "/usr/local/bin:/usr/bin:/bin");
    add_variable(variables, "LANG", "C.UTF-8");
    add_variable(variables, "HOME", place_of(settings, folder));
    add_variable(variables, "TMPDIR", place_of(settings, folder));
    for (size_t i = 0; i < settings->passed_on_count; i++)
        add_variable(variables, settings->passed_on[i],
                     getenv(settings->passed_on[i])); // NOLINT(concurrency-mt-unsafe): nobody sets
    return variables;
}

static struct grade_format_submission view(const struct job *job, const struct xqueue_file **files)
{
    struct xqueue_submission *submission = job->submission;
    struct grade_format_submission seen = {.id = xqueue_submission_id(submission),
                                           .queue = xqueue_submission_queue(submission),
                                           .attempt = xqueue_submission_attempt(submission),
                                           .submitted_at_ms = xqueue_submission_submitted_at_ms(submission),
                                           .files = files};
    seen.header = xqueue_submission_header(submission, &seen.header_length);
    seen.body = xqueue_submission_body(submission, &seen.body_length);
    seen.file_count = xqueue_submission_file_count(submission);
    seen.file_count = seen.file_count < FILES_MAX ? seen.file_count : FILES_MAX;
    for (size_t i = 0; i < seen.file_count; i++)
        files[i] = xqueue_submission_file(submission, i);
    return seen;
}

static bool write_text(const struct job *job, const char *name, const char *text)
{
    return !text || grade_folder_write(job->folder, name, text, strlen(text));
}

/* False: errno. */
static bool write_files(struct job *job, const struct grade_format_submission *seen, const struct grade_format_input *input)
{
    static const char *const names[] = {
        [GRADE_INPUT_JSON] = "submission.json", [GRADE_INPUT_RAW] = "body", [GRADE_INPUT_FILES] = NULL};
    const char *name = names[job->settings->input];
    if (!grade_folder_make(job->settings->outer, job->folder)) {
        job->folder[0] = '\0';
        return false;
    }
    if (name)
        (void)snprintf(job->input, sizeof(job->input), "%s/%s", job->folder, name);
    else
        (void)snprintf(job->input, sizeof(job->input), "/dev/null");
    return write_text(job, "submission.json", input->text) && write_text(job, "student_response", input->response) &&
           write_text(job, "grader_payload", input->payload) &&
           grade_folder_write(job->folder, "body", seen->body, seen->body_length);
}

/* False: it is answered, or nobody waits for an answer. */
static bool fetch_files(const struct job *job)
{
    char message[GRADE_FORMAT_MESSAGE_MAX];
    struct xqueue_error error;
    uint64_t mib_max = job->settings->limits.value[GRADE_LIMIT_DISK] / 2; // the program needs room, too
    switch (grade_files_fetch(job->submission, job->folder, mib_max * BYTES_PER_MIB, &error)) {
    case XQUEUE_STATUS_OK:
        return true;
    case XQUEUE_STATUS_LOST:
        break;
    case XQUEUE_STATUS_FULL:
        (void)snprintf(message, sizeof(message), "The files of the submission have more than %" PRIu64 " MiB.", mib_max);
        fail(job, XQUEUE_FAIL_UNGRADABLE, message);
        break;
    default:
        (void)snprintf(message, sizeof(message), "a file cannot be fetched: %s", error.text);
        fail(job, XQUEUE_FAIL_TRANSIENT, message);
        break;
    }
    return false;
}

static void fail_without_folder(const struct job *job)
{
    char message[GRADE_FORMAT_MESSAGE_MAX];
    (void)snprintf(message, sizeof(message), "cannot make the scratch folder: %s", strerrordesc_np(errno));
    fail(job, XQUEUE_FAIL_TRANSIENT, message);
}

/* All that the program gets. False: there is nothing to run any more. */
static bool fill_folder(struct job *job, const struct grade_format_submission *seen, const struct grade_format_input *input)
{
    if (!write_files(job, seen, input)) {
        fail_without_folder(job);
        return false;
    }
    if (!fetch_files(job))
        return false;
    bool is_given = grade_folder_give(job->folder);
    if (!is_given)
        fail_without_folder(job);
    return is_given;
}

static struct grade_child_plan plan_of(const struct grade_settings *settings, const char *folder,
                                       const struct variables *variables)
{
    struct grade_child_plan plan = {.is_sandboxed = settings->is_sandboxed,
                                    .has_network = settings->has_network,
                                    .has_namespaces = settings->has_namespaces,
                                    .folder = folder,
                                    .place = place_of(settings, folder),
                                    .limits = settings->limits,
                                    .command = settings->command,
                                    .environment = variables->pointers};
    for (size_t i = 0; i < GRADE_CHILD_HIDDEN_MAX; i++)
        plan.hidden[i] = settings->hidden[i];
    return plan;
}

static void run_in_folder(struct job *job)
{
    struct variables *variables = make_variables(job->settings, job->folder);
    if (!variables) {
        fail(job, XQUEUE_FAIL_TRANSIENT, "no memory");
        return;
    }
    struct grade_run run = {.plan = plan_of(job->settings, job->folder, variables),
                            .input = job->input,
                            .must_stop = is_lost,
                            .on_progress = on_progress,
                            .context = job};
    enum grade_run_outcome outcome = grade_run(&run);
    on_outcome(job, &run, outcome);
    free(run.output);
    free(variables);
}

void grade_submission(struct xqueue_submission *submission, void *context)
{
    struct job job = {.submission = submission, .settings = context};
    const struct xqueue_file *files[FILES_MAX];
    struct grade_format_submission seen = view(&job, files);
    struct grade_format_input input;
    bool is_readable = grade_format_input_init(&input, &seen);
    if (!is_readable && job.settings->input == GRADE_INPUT_JSON)
        fail(&job, XQUEUE_FAIL_UNGRADABLE, "The submission is not text.");
    else if (fill_folder(&job, &seen, &input))
        run_in_folder(&job);
    grade_format_input_finish(&input);
    if (job.folder[0] && !grade_folder_remove(job.folder))
        say(&job, "cannot remove %s", job.folder);
}

/* ---- a trial ---- */

static bool never(void *context)
{
    (void)context;
    return false;
}

static void ignore(void *context, const char *line)
{
    (void)context;
    (void)line;
}

bool grade_submission_try(const struct grade_settings *settings, char *out_why)
{
    static char *const nothing[] = {NULL};
    static const struct variables none;
    char folder[GRADE_FOLDER_PATH_MAX];
    if (!grade_folder_make(settings->outer, folder)) {
        (void)snprintf(out_why, XQUEUE_ERROR_TEXT_MAX, "cannot make a folder: %s", strerrordesc_np(errno));
        return false;
    }
    struct grade_run run = {
        .plan = plan_of(settings, folder, &none), .input = "/dev/null", .must_stop = never, .on_progress = ignore};
    run.plan.command = nothing;
    bool is_given = grade_folder_give(folder);
    enum grade_run_outcome outcome = is_given ? grade_run(&run) : GRADE_RUN_BROKEN;
    (void)snprintf(out_why, XQUEUE_ERROR_TEXT_MAX, "%.200s", is_given ? run.complaint : "cannot give a folder away");
    free(run.output);
    (void)grade_folder_remove(folder);
    return outcome == GRADE_RUN_ENDED && run.exit_code == EXIT_SUCCESS;
}
