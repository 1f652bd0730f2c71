/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_outcome.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/tools/submit_say.h"

static const char *const names[SUBMIT_END_COUNT] = {
    [SUBMIT_END_FAILED] = "FAILED",         [SUBMIT_END_SUBMITTED] = "SUBMITTED", [SUBMIT_END_GRADED] = "GRADED",
    [SUBMIT_END_UNGRADABLE] = "UNGRADABLE", [SUBMIT_END_DEAD] = "DEAD",           [SUBMIT_END_CANCELED] = "CANCELED",
    [SUBMIT_END_SUPERSEDED] = "SUPERSEDED", [SUBMIT_END_TIMEOUT] = "TIMEOUT",     [SUBMIT_END_INTERRUPTED] = "INTERRUPTED",
};

/* FAILED has more than one. */
static const int exits[SUBMIT_END_COUNT] = {
    [SUBMIT_END_UNGRADABLE] = SUBMIT_EXIT_UNGRADABLE, [SUBMIT_END_DEAD] = SUBMIT_EXIT_DEAD,
    [SUBMIT_END_CANCELED] = SUBMIT_EXIT_TAKEN_BACK,   [SUBMIT_END_SUPERSEDED] = SUBMIT_EXIT_TAKEN_BACK,
    [SUBMIT_END_TIMEOUT] = SUBMIT_EXIT_TIMEOUT,       [SUBMIT_END_INTERRUPTED] = SUBMIT_EXIT_INTERRUPTED,
};

const char *submit_end_name(enum submit_end end)
{
    assert((unsigned)end < SUBMIT_END_COUNT);
    return names[end];
}

void submit_outcome_finish(struct submit_outcome *outcome)
{
    memory_free(outcome->result);
    submit_grade_finish(&outcome->grade);
    outcome->result = NULL;
}

/* ---- a grader's answer ---- */

void submit_grade_read(const char *result, size_t length, struct submit_grade *out_grade)
{
    json_t *whole = json_loadb(result, length, JSON_ALLOW_NUL, NULL);
    const json_t *correct = json_object_get(whole, "correct"); // of no object there is none
    const json_t *score = json_object_get(whole, "score");
    *out_grade = (struct submit_grade){
        .is_known = json_is_boolean(correct),
        .is_correct = json_is_true(correct),
        .has_score = json_is_number(score),
        .score = json_number_value(score),
        .message = memory_copy_text(json_string_value(json_object_get(whole, "msg"))),
    };
    json_decref(whole);
}

void submit_grade_finish(struct submit_grade *grade)
{
    memory_free(grade->message);
    grade->message = NULL;
}

/* ---- exit codes ---- */

static int exit_of_failure(enum status status)
{
    switch (status) {
    case STATUS_UNAUTHENTICATED:
    case STATUS_DENIED:
        return SUBMIT_EXIT_REFUSED;
    case STATUS_UNAVAILABLE:
    case STATUS_TIMEOUT:
        return SUBMIT_EXIT_UNREACHABLE;
    case STATUS_CANCELED:
        return SUBMIT_EXIT_INTERRUPTED;
    default:
        return SUBMIT_EXIT_FAILED;
    }
}

int submit_outcome_exit(const struct submit_outcome *outcome, bool is_check)
{
    if (outcome->end == SUBMIT_END_FAILED)
        return exit_of_failure(outcome->status);
    bool is_wrong = is_check && outcome->end == SUBMIT_END_GRADED && !outcome->grade.is_correct;
    return is_wrong ? SUBMIT_EXIT_NOT_CORRECT : exits[outcome->end];
}

bool submit_outcome_is_good(const struct submit_outcome *outcome, bool is_check)
{
    return submit_outcome_exit(outcome, is_check) == SUBMIT_EXIT_OK;
}

/* ---- words ---- */

static void write_grade(const struct submit_grade *grade, char out[SUBMIT_OUTCOME_WORDS_MAX])
{
    const char *verdict = grade->is_correct ? "correct" : "not correct";
    if (!grade->is_known)
        verdict = "graded";
    if (grade->has_score)
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX, "%s, score %g", verdict, grade->score);
    else
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX, "%s", verdict);
}

/* What nobody waits for any more. */
static void write_open(const struct submit_outcome *outcome, const char *why, char out[SUBMIT_OUTCOME_WORDS_MAX])
{
    if (outcome->was_taken_back)
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX, "%s; it was taken back", why);
    else if (outcome->id > 0)
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX, "%s; it goes on, look again with: xqueue-submit --watch %" PRIu64, why,
                       outcome->id);
    else if (outcome->request_id[0] != '\0')
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX,
                       "%s; whether it was taken is not known, the same with --request-id %s submits it once at most", why,
                       outcome->request_id);
    else
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX, "%s; nothing was submitted", why);
}

static void write_failure(const struct submit_outcome *outcome, char out[SUBMIT_OUTCOME_WORDS_MAX])
{
    char why[SUBMIT_ERROR_TEXT_MAX];
    (void)submit_error_text(outcome->status, &outcome->error, why);
    bool is_open = outcome->status == STATUS_UNAVAILABLE || outcome->status == STATUS_TIMEOUT;
    if (is_open && (outcome->id > 0 || outcome->request_id[0] != '\0'))
        write_open(outcome, why, out);
    else
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX, "%s", why);
}

const char *submit_outcome_words(const struct submit_outcome *outcome, char out[SUBMIT_OUTCOME_WORDS_MAX])
{
    static const char *const bad[SUBMIT_END_COUNT] = {
        [SUBMIT_END_UNGRADABLE] = "not gradable",
        [SUBMIT_END_DEAD] = "given up",
        [SUBMIT_END_CANCELED] = "canceled",
        [SUBMIT_END_SUPERSEDED] = "superseded by a later one",
    };
    switch (outcome->end) {
    case SUBMIT_END_FAILED:
        write_failure(outcome, out);
        break;
    case SUBMIT_END_SUBMITTED:
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX, "submitted as %" PRIu64, outcome->id);
        break;
    case SUBMIT_END_GRADED:
        write_grade(&outcome->grade, out);
        break;
    case SUBMIT_END_TIMEOUT:
        write_open(outcome, "no result in time", out);
        break;
    case SUBMIT_END_INTERRUPTED:
        write_open(outcome, "interrupted", out);
        break;
    default:
        (void)snprintf(out, SUBMIT_OUTCOME_WORDS_MAX, "%s%s%s", bad[outcome->end], outcome->message[0] ? ": " : "",
                       outcome->message);
        break;
    }
    return out;
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
    json_t *value = text && text[0] != '\0' ? json_string(text) : NULL;
    return value ? value : json_null();
}

/* As JSON where it is JSON, else as text, else as hex under a name of its own. */
static void set_result(json_t *document, const struct submit_outcome *outcome)
{
    json_t *result = NULL;
    if (outcome->result)
        result = json_loadb(outcome->result, outcome->result_length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (!result && outcome->result)
        result = json_stringn(outcome->result, outcome->result_length);
    if (!result && outcome->result) {
        char *hex = memory_allocate(2 * outcome->result_length + 1);
        text_hex(hex, outcome->result, outcome->result_length);
        (void)json_object_set_new(document, "result_hex", json_string(hex));
        memory_free(hex);
    }
    (void)json_object_set_new(document, "result", result ? result : json_null());
}

json_t *submit_outcome_json(const struct submit_outcome *outcome, const char *name)
{
    char words[SUBMIT_OUTCOME_WORDS_MAX];
    const struct submit_grade *grade = &outcome->grade;
    bool has_score = grade->has_score && isfinite(grade->score);
    json_t *document =
        json_pack("{s:o, s:I, s:s, s:o, s:o, s:b, s:I, s:I, s:o, s:o, s:I, s:I}", "name", text_or_null(name), "submission",
                  (json_int_t)outcome->id, "state", submit_end_name(outcome->end), "queue", text_or_null(outcome->queue),
                  "request_id", text_or_null(outcome->request_id), "already", (int)outcome->already, "attempt",
                  (json_int_t)outcome->attempt, "failures", (json_int_t)outcome->failures, "grader",
                  text_or_null(outcome->grader), "message", text_or_null(outcome->message), "submitted_at_ms",
                  (json_int_t)outcome->submitted_at_ms, "took_us", (json_int_t)outcome->took_us);
    assert(document);
    (void)json_object_set_new(document, "correct", grade->is_known ? json_boolean(grade->is_correct) : json_null());
    (void)json_object_set_new(document, "score", has_score ? json_real(grade->score) : json_null());
    set_result(document, outcome);
    json_t *error = json_null();
    if (outcome->end == SUBMIT_END_FAILED)
        error = json_pack("{s:s, s:o, s:o}", "status", status_name(outcome->status), "reason",
                          text_or_null(outcome->error.reason), "text", text_or_null(submit_outcome_words(outcome, words)));
    (void)json_object_set_new(document, "error", error);
    return document;
}
