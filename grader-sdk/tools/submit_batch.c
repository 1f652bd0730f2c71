/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_batch.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/tools/submit_results.h"
#include "grader-sdk/tools/submit_say.h"
#include "grader-sdk/tools/submit_screen.h"
#include "grader-sdk/tools/submit_summary.h"
#include "grader-sdk/tools/submit_task.h"

enum { NAME_BYTES_MAX = 512, LINE_BYTES_MAX = SUBMIT_OUTCOME_WORDS_MAX + NAME_BYTES_MAX };

/* What a worker is about. */
enum phase { PHASE_NONE, PHASE_SUBMITTING, PHASE_WAITING, PHASE_GRADING };

struct batch;

struct worker {
    struct batch *batch;
    pthread_t thread;
    enum phase phase; /* guarded by the batch's mutex */
};

struct batch {
    struct submit_run *run;
    const struct submit_paths *paths;
    struct submit_screen *screen; /* NULL: no terminal, or quiet */
    int64_t began_us;
    struct worker *workers; /* owned */
    size_t worker_count;
    pthread_mutex_t mutex;
    /* guarded by mutex */
    size_t next;
    struct submit_summary summary;
    bool lacks_results; /* one could not be written */
};

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum status submit_batch_check_names(const struct submit_paths *paths, struct error *error)
{
    enum status status = STATUS_OK;
    const char **names = memory_allocate_array(paths->count, sizeof *names);
    for (size_t at = 0; at < paths->count; at++)
        names[at] = base_of(paths->paths[at]);
    qsort(names, paths->count, sizeof *names, compare_names);
    for (size_t at = 1; at < paths->count && status == STATUS_OK; at++) {
        if (strcmp(names[at - 1], names[at]) == 0)
            status = error_set(error, STATUS_INVALID, NULL, "--results: two of the files are called %.100s", names[at]);
    }
    memory_free((void *)names);
    return status;
}

/* ---- one after the other ---- */

static void set_phase(struct worker *worker, enum phase phase)
{
    pthread_mutex_lock(&worker->batch->mutex);
    worker->phase = phase;
    pthread_mutex_unlock(&worker->batch->mutex);
}

static void on_change(void *context, const struct submit_view *view)
{
    bool is_grading = view->state == XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_LEASED;
    set_phase(context, view->id == 0 ? PHASE_SUBMITTING : is_grading ? PHASE_GRADING : PHASE_WAITING);
}

/* false: there are no more, or it makes no sense to go on. */
static bool take_next(struct batch *batch, size_t *out_index)
{
    bool is_over = connection_is_canceled(batch->run->connection) || submit_run_is_lost(batch->run);
    pthread_mutex_lock(&batch->mutex);
    bool is_taken = !is_over && batch->next < batch->summary.total;
    if (is_taken)
        *out_index = batch->next++;
    pthread_mutex_unlock(&batch->mutex);
    return is_taken;
}

/* "a.py", or "a.py.3" of several rounds. */
static void make_name(const struct batch *batch, size_t index, char out[NAME_BYTES_MAX])
{
    const char *base = base_of(batch->paths->paths[index % batch->paths->count]);
    if (batch->run->options->repeat > 1)
        (void)snprintf(out, NAME_BYTES_MAX, "%s.%zu", base, index / batch->paths->count + 1);
    else
        (void)snprintf(out, NAME_BYTES_MAX, "%s", base);
}

static bool tell(struct batch *batch, const struct submit_outcome *outcome, const char *name)
{
    const struct submit_options *options = batch->run->options;
    char words[SUBMIT_OUTCOME_WORDS_MAX];
    char line[LINE_BYTES_MAX];
    bool is_written = true;
    struct error error;
    json_t *document = submit_outcome_json(outcome, name);
    if (options->results && submit_results_write(options->results, name, document, &error) != STATUS_OK) {
        is_written = false;
        (void)snprintf(line, sizeof line, "xqueue-submit: %s\n", error.text);
        submit_screen_print(batch->screen, stderr, line);
    }
    if (options->output == SUBMIT_OUTPUT_JSON) {
        submit_results_print(batch->screen, document);
    } else if (!options->results || !submit_outcome_is_good(outcome, options->is_check)) {
        (void)snprintf(line, sizeof line - 1, "%s: %s", name, submit_outcome_words(outcome, words));
        text_make_printable(line);
        size_t length = strlen(line);
        line[length] = '\n';
        line[length + 1] = '\0';
        submit_screen_print(batch->screen, stdout, line);
    }
    json_decref(document);
    return is_written;
}

static void run_one(struct worker *worker, size_t index)
{
    struct batch *batch = worker->batch;
    const struct submit_options *options = batch->run->options;
    char name[NAME_BYTES_MAX];
    char request_id[SUBMIT_REQUEST_ID_BYTES_MAX + 1];
    struct submit_outcome outcome;
    struct submit_task task = {
        .run = batch->run, .path = batch->paths->paths[index % batch->paths->count], .on_change = on_change, .context = worker};
    make_name(batch, index, name);
    if (options->request_id) {
        submit_results_request_id(options->request_id, name, request_id);
        task.request_id = request_id;
    }
    set_phase(worker, PHASE_SUBMITTING);
    submit_task_run(&task, &outcome);
    bool is_written = tell(batch, &outcome, name);
    pthread_mutex_lock(&batch->mutex);
    worker->phase = PHASE_NONE;
    submit_summary_add(&batch->summary, &outcome, options->is_check);
    batch->lacks_results = batch->lacks_results || !is_written;
    pthread_mutex_unlock(&batch->mutex);
    submit_outcome_finish(&outcome);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    size_t index = 0;
    while (take_next(worker->batch, &index))
        run_one(worker, index);
    return NULL;
}

/* ---- all ---- */

static void render(void *context, char out[SUBMIT_SCREEN_LINE_MAX])
{
    struct batch *batch = context;
    char text[SUBMIT_BAR_TEXT_MAX];
    struct submit_bar bar = {.elapsed_us = clock_monotonic_us() - batch->began_us};
    pthread_mutex_lock(&batch->mutex);
    bar.total = batch->summary.total;
    bar.done = batch->summary.done;
    bar.bad = batch->summary.bad;
    for (size_t at = 0; at < batch->worker_count; at++) {
        enum phase phase = batch->workers[at].phase;
        bar.submitting += phase == PHASE_SUBMITTING;
        bar.waiting += phase == PHASE_WAITING;
        bar.grading += phase == PHASE_GRADING;
    }
    pthread_mutex_unlock(&batch->mutex);
    (void)snprintf(out, SUBMIT_SCREEN_LINE_MAX, "%s", submit_bar_text(&bar, text));
}

static bool run_workers(struct batch *batch)
{
    size_t started = 0;
    for (; started < batch->worker_count; started++) {
        batch->workers[started].batch = batch;
        if (pthread_create(&batch->workers[started].thread, NULL, worker_main, &batch->workers[started]) != 0)
            break;
    }
    if (started > 0 && started < batch->worker_count)
        submit_say("only %zu can be open at one time: there are no more threads", started);
    for (size_t at = 0; at < started; at++)
        (void)pthread_join(batch->workers[at].thread, NULL);
    return started > 0;
}

static void print_summary(struct batch *batch)
{
    const struct submit_options *options = batch->run->options;
    int64_t elapsed_us = clock_monotonic_us() - batch->began_us;
    if (options->output == SUBMIT_OUTPUT_JSON) {
        json_t *document = json_pack("{s:o}", "summary", submit_summary_json(&batch->summary, elapsed_us));
        submit_results_print(NULL, document);
        json_decref(document);
    }
    if (options->is_quiet)
        return;
    char *text = submit_summary_text(&batch->summary, elapsed_us);
    (void)fputs(text, stderr);
    memory_free(text);
}

static int exit_code_of(const struct batch *batch)
{
    if (connection_is_canceled(batch->run->connection))
        return SUBMIT_EXIT_INTERRUPTED;
    if (submit_run_is_lost(batch->run))
        return SUBMIT_EXIT_UNREACHABLE;
    bool is_all_good = batch->summary.done == batch->summary.total && batch->summary.bad == 0 && !batch->lacks_results;
    return is_all_good ? SUBMIT_EXIT_OK : SUBMIT_EXIT_FAILED;
}

int submit_batch_run(struct submit_run *run, const struct submit_paths *paths)
{
    const struct submit_options *options = run->options;
    struct batch batch = {.run = run, .paths = paths, .began_us = clock_monotonic_us()};
    if (paths->count > (size_t)(SUBMIT_ITEMS_MAX / options->repeat))
        return submit_fail(SUBMIT_EXIT_FAILED, "%zu files, %" PRId64 " times each: more than %d submissions", paths->count,
                           options->repeat, SUBMIT_ITEMS_MAX);
    batch.summary.total = paths->count * (size_t)options->repeat;
    batch.worker_count = batch.summary.total < (size_t)options->parallel ? batch.summary.total : (size_t)options->parallel;
    batch.workers = memory_allocate_array(batch.worker_count, sizeof *batch.workers);
    (void)pthread_mutex_init(&batch.mutex, NULL);
    if (!options->is_quiet)
        batch.screen = submit_screen_start(render, &batch);
    bool could_start = run_workers(&batch);
    submit_screen_stop(batch.screen);
    if (could_start)
        print_summary(&batch);
    int exit_code = could_start ? exit_code_of(&batch) : submit_fail(SUBMIT_EXIT_FAILED, "no thread can be started");
    (void)pthread_mutex_destroy(&batch.mutex);
    submit_summary_finish(&batch.summary);
    memory_free(batch.workers);
    return exit_code;
}
