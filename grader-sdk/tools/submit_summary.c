/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_summary.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum {
    CAPACITY_FIRST = 64,
    TEXT_BYTES_MAX = 4096,
    BAR_WIDTH = 20,
    US_PER_MS = 1000,
    US_PER_SECOND = 1000000,
    PERCENT_ALL = 100,
    MEDIAN = 50,
    ALMOST_ALL = 99,
    SECONDS_PER_MINUTE = 60,
};

static const struct {
    enum submit_end end;
    const char *words, *key;
} kinds[] = {
    {SUBMIT_END_SUBMITTED, "submitted", "submitted"},
    {SUBMIT_END_UNGRADABLE, "not gradable", "ungradable"},
    {SUBMIT_END_DEAD, "given up", "dead"},
    {SUBMIT_END_CANCELED, "canceled", "canceled"},
    {SUBMIT_END_SUPERSEDED, "superseded", "superseded"},
    {SUBMIT_END_TIMEOUT, "without a result in time", "timeout"},
    {SUBMIT_END_INTERRUPTED, "interrupted", "interrupted"},
    {SUBMIT_END_FAILED, "failed", "failed"},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

void submit_summary_finish(struct submit_summary *summary)
{
    memory_free(summary->took_us);
    summary->took_us = NULL;
}

void submit_summary_add(struct submit_summary *summary, const struct submit_outcome *outcome, bool is_check)
{
    summary->done++;
    summary->ends[outcome->end]++;
    summary->bad += !submit_outcome_is_good(outcome, is_check);
    if (outcome->end != SUBMIT_END_GRADED)
        return;
    summary->correct += outcome->grade.is_known && outcome->grade.is_correct;
    summary->not_correct += outcome->grade.is_known && !outcome->grade.is_correct;
    if (summary->took_count == summary->took_capacity) {
        summary->took_capacity = summary->took_capacity > 0 ? summary->took_capacity * 2 : CAPACITY_FIRST;
        summary->took_us = memory_resize(summary->took_us, summary->took_capacity * sizeof *summary->took_us);
    }
    summary->took_us[summary->took_count++] = outcome->took_us;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t submit_summary_percentile_us(struct submit_summary *summary, unsigned percent)
{
    assert(percent >= 1 && percent <= PERCENT_ALL);
    if (summary->took_count == 0)
        return 0;
    qsort(summary->took_us, summary->took_count, sizeof *summary->took_us, compare);
    size_t rank = (summary->took_count * percent + PERCENT_ALL - 1) / PERCENT_ALL;
    return summary->took_us[rank - 1];
}

static double rate_of(size_t done, int64_t elapsed_us)
{
    return elapsed_us > 0 ? (double)done * US_PER_SECOND / (double)elapsed_us : 0;
}

static double percentile_ms(struct submit_summary *summary, unsigned percent)
{
    return (double)submit_summary_percentile_us(summary, percent) / US_PER_MS;
}

char *submit_summary_text(struct submit_summary *summary, int64_t elapsed_us)
{
    struct text text;
    size_t graded = summary->ends[SUBMIT_END_GRADED];
    text_init(&text, TEXT_BYTES_MAX);
    text_append_format(&text, "%zu of %zu in %.1f s, %.1f/s", summary->done, summary->total, (double)elapsed_us / US_PER_SECOND,
                       rate_of(summary->done, elapsed_us));
    const char *separator = ": ";
    if (graded > 0) {
        text_append_format(&text, "%s%zu graded", separator, graded);
        if (summary->correct + summary->not_correct > 0)
            text_append_format(&text, " (%zu correct, %zu not correct)", summary->correct, summary->not_correct);
        separator = ", ";
    }
    for (size_t at = 0; at < KIND_COUNT; at++) {
        if (summary->ends[kinds[at].end] == 0)
            continue;
        text_append_format(&text, "%s%zu %s", separator, summary->ends[kinds[at].end], kinds[at].words);
        separator = ", ";
    }
    text_append_char(&text, '\n');
    if (graded > 0)
        text_append_format(&text, "time to the result: p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n",
                           percentile_ms(summary, MEDIAN), percentile_ms(summary, ALMOST_ALL),
                           percentile_ms(summary, PERCENT_ALL));
    char *taken = text_take(&text, NULL);
    text_finish(&text); // which has new memory then
    return taken;
}

json_t *submit_summary_json(struct submit_summary *summary, int64_t elapsed_us)
{
    json_t *document = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I}", "total", (json_int_t)summary->total,
                                 "done", (json_int_t)summary->done, "graded", (json_int_t)summary->ends[SUBMIT_END_GRADED],
                                 "correct", (json_int_t)summary->correct, "not_correct", (json_int_t)summary->not_correct,
                                 "elapsed_us", (json_int_t)elapsed_us, "per_second", rate_of(summary->done, elapsed_us),
                                 "p50_us", (json_int_t)submit_summary_percentile_us(summary, MEDIAN), "p99_us",
                                 (json_int_t)submit_summary_percentile_us(summary, ALMOST_ALL), "longest_us",
                                 (json_int_t)submit_summary_percentile_us(summary, PERCENT_ALL));
    assert(document);
    for (size_t at = 0; at < KIND_COUNT; at++)
        (void)json_object_set_new(document, kinds[at].key, json_integer((json_int_t)summary->ends[kinds[at].end]));
    return document;
}

/* ---- while it goes on ---- */

static void append_count(struct text *text, size_t count, const char *words, const char **separator)
{
    if (count == 0)
        return;
    text_append_format(text, "%s%zu %s", *separator, count, words);
    *separator = ", ";
}

const char *submit_bar_text(const struct submit_bar *bar, char out[SUBMIT_BAR_TEXT_MAX])
{
    struct text text;
    size_t filled = bar->total > 0 ? bar->done * BAR_WIDTH / bar->total : 0;
    double rate = rate_of(bar->done, bar->elapsed_us);
    const char *separator = "  ";
    text_init(&text, TEXT_BYTES_MAX);
    text_append_char(&text, '[');
    for (size_t at = 0; at < BAR_WIDTH; at++)
        text_append_char(&text, at < filled ? '=' : at == filled ? '>' : ' ');
    text_append_format(&text, "] %zu/%zu", bar->done, bar->total);
    append_count(&text, bar->submitting, "being submitted", &separator);
    append_count(&text, bar->waiting, "waiting", &separator);
    append_count(&text, bar->grading, "being graded", &separator);
    separator = "  ";
    append_count(&text, bar->bad, "failed", &separator);
    if (bar->done > 0) {
        int64_t left_s = rate > 0 ? (int64_t)((double)(bar->total - bar->done) / rate) + 1 : 0;
        text_append_format(&text, "  %.1f/s", rate);
        if (bar->done < bar->total)
            text_append_format(&text, "  %" PRId64 ":%02" PRId64 " left", left_s / SECONDS_PER_MINUTE,
                               left_s % SECONDS_PER_MINUTE);
    }
    (void)text_copy(out, SUBMIT_BAR_TEXT_MAX, text.bytes);
    text_finish(&text);
    return out;
}
