/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_single.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "grader-sdk/tools/submit_say.h"
#include "grader-sdk/tools/submit_screen.h"
#include "grader-sdk/tools/submit_task.h"

enum { US_PER_SECOND = 1000000, SECONDS_PER_MINUTE = 60, WAIT_TEXT_MAX = 512 };

struct single {
    struct submit_screen *screen; /* NULL: lines that stay */
    bool is_quiet;
    int64_t began_us;
    pthread_mutex_t mutex;
    /* guarded by mutex */
    struct submit_view view;
    char wait[WAIT_TEXT_MAX]; /* why a call is made again; "": it works */
};

static void on_change(void *context, const struct submit_view *view)
{
    struct single *single = context;
    char text[SUBMIT_VIEW_TEXT_MAX];
    pthread_mutex_lock(&single->mutex);
    bool is_news = submit_view_is_news(&single->view, view);
    single->view = *view;
    single->wait[0] = '\0';
    pthread_mutex_unlock(&single->mutex);
    if (!single->screen && !single->is_quiet && is_news)
        submit_say("%s", submit_view_text(view, text));
}

static void on_wait(void *context, const char *text)
{
    struct single *single = context;
    pthread_mutex_lock(&single->mutex);
    bool is_news = single->wait[0] == '\0';
    (void)text_copy(single->wait, sizeof single->wait, text);
    text_make_printable(single->wait);
    pthread_mutex_unlock(&single->mutex);
    if (!single->screen && !single->is_quiet && is_news)
        submit_say("%s; trying again", text);
}

/* "submission 7: waiting, 3 before it  0:12" */
static void render(void *context, char out[SUBMIT_SCREEN_LINE_MAX])
{
    struct single *single = context;
    char text[SUBMIT_VIEW_TEXT_MAX];
    int64_t seconds = (clock_monotonic_us() - single->began_us) / US_PER_SECOND;
    pthread_mutex_lock(&single->mutex);
    (void)snprintf(out, SUBMIT_SCREEN_LINE_MAX, "%" PRId64 ":%02" PRId64 "  %s%s%s", seconds / SECONDS_PER_MINUTE,
                   seconds % SECONDS_PER_MINUTE, submit_view_text(&single->view, text), single->wait[0] ? "; " : "",
                   single->wait);
    pthread_mutex_unlock(&single->mutex);
}

static void print_graded(const struct submit_outcome *outcome, enum submit_output output)
{
    char words[SUBMIT_OUTCOME_WORDS_MAX];
    if (output == SUBMIT_OUTPUT_RAW) {
        (void)fwrite(outcome->result ? outcome->result : "", 1, outcome->result_length, stdout);
        return;
    }
    (void)printf("%s\n", submit_outcome_words(outcome, words));
    if (outcome->grade.message)
        submit_print_lines(stdout, outcome->grade.message);
    else if (!outcome->grade.is_known && outcome->result &&
             memchr(outcome->result, '\0', outcome->result_length + 1) == outcome->result + outcome->result_length)
        submit_print_lines(stdout, outcome->result);
}

static void print(const struct submit_run *run, const struct submit_outcome *outcome)
{
    const struct submit_options *options = run->options;
    char words[SUBMIT_OUTCOME_WORDS_MAX];
    if (options->output == SUBMIT_OUTPUT_JSON) {
        json_t *document = submit_outcome_json(outcome, options->path_count > 0 ? options->paths[0] : NULL);
        (void)json_dumpf(document, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
        json_decref(document);
    } else if (outcome->end == SUBMIT_END_GRADED) {
        print_graded(outcome, options->output);
    } else if (outcome->end == SUBMIT_END_SUBMITTED) {
        (void)printf("%" PRIu64 "\n", outcome->id);
    }
    if (outcome->end == SUBMIT_END_GRADED || outcome->end == SUBMIT_END_SUBMITTED)
        return;
    if (outcome->id > 0)
        submit_say("submission %" PRIu64 ": %s", outcome->id, submit_outcome_words(outcome, words));
    else
        submit_say("%s", submit_outcome_words(outcome, words));
}

int submit_single_run(struct submit_run *run)
{
    const struct submit_options *options = run->options;
    struct single single = {.is_quiet = options->is_quiet || options->no_wait, .began_us = clock_monotonic_us()};
    struct submit_outcome outcome;
    const struct submit_task task = {.run = run,
                                     .path = options->path_count > 0 ? options->paths[0] : NULL,
                                     .request_id = options->request_id,
                                     .id = (uint64_t)options->watch_id,
                                     .on_change = on_change,
                                     .on_wait = on_wait,
                                     .context = &single};
    (void)pthread_mutex_init(&single.mutex, NULL);
    single.view.id = task.id;
    if (!single.is_quiet)
        single.screen = submit_screen_start(render, &single);
    submit_task_run(&task, &outcome);
    submit_screen_stop(single.screen);
    (void)pthread_mutex_destroy(&single.mutex);
    print(run, &outcome);
    int exit_code = submit_outcome_exit(&outcome, options->is_check);
    submit_outcome_finish(&outcome);
    return exit_code;
}
