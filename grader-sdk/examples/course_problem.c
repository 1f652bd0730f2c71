/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/examples/course_problem.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct language languages[] = {
    {"python", "/usr/bin/python3", "-I", "solution.py"},
    {"shell", "/bin/sh", NULL, "solution.sh"},
};

static const struct language *find_language(const char *name)
{
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++)
        if (name && strcmp(languages[i].name, name) == 0)
            return &languages[i];
    return NULL;
}

/* Such names lead nowhere but to a folder of the course. */
static bool is_problem_name(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    return length > 0 && length < PROBLEM_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

/* The payload as an object: a new reference, or NULL. */
static json_t *read_payload(json_t *body)
{
    json_t *payload = json_object_get(body, "grader_payload");
    if (json_is_string(payload))
        return json_loadb(json_string_value(payload), json_string_length(payload), 0, NULL);
    return json_incref(payload);
}

static const char *read_task(struct task *task)
{
    const char *why = NULL;
    task->solution = json_string_value(json_object_get(task->body, "student_response"));
    json_t *payload = read_payload(task->body);
    const char *problem = json_string_value(json_object_get(payload, "problem"));
    task->language = find_language(json_string_value(json_object_get(payload, "language")));
    if (!task->solution)
        why = "the submission has no student_response";
    else if (!is_problem_name(problem))
        why = "the problem's payload names no problem of [a-z0-9_-]";
    else if (!task->language)
        why = "the problem's payload names no language that this grader knows";
    else
        (void)snprintf(task->problem, sizeof(task->problem), "%s", problem);
    json_decref(payload);
    return why;
}

bool task_read(struct task *task, const void *body, size_t length, const char **out_why)
{
    *task = (struct task){.body = json_loadb(body, length, 0, NULL)};
    const char *why = task->body ? read_task(task) : "the submission is not JSON";
    if (!why)
        return true;
    *out_why = why;
    task_finish(task);
    return false;
}

void task_finish(struct task *task)
{
    json_decref(task->body);
    task->body = NULL;
}

static const char *text_or(const json_t *text, const char *otherwise)
{
    return json_is_string(text) ? json_string_value(text) : otherwise;
}

static bool read_case(struct problem_case *test, const json_t *from)
{
    const json_t *args = json_object_get(from, "args");
    test->name = text_or(json_object_get(from, "name"), "");
    test->input = text_or(json_object_get(from, "stdin"), "");
    test->expected = text_or(json_object_get(from, "stdout"), NULL);
    test->arg_count = json_array_size(args);
    if (!test->expected || test->arg_count > PROBLEM_ARGS_MAX)
        return false;
    for (size_t i = 0; i < test->arg_count; i++) {
        test->args[i] = json_string_value(json_array_get(args, i));
        if (!test->args[i])
            return false;
    }
    return true;
}

static bool read_cases(struct problem *problem)
{
    const json_t *cases = json_object_get(problem->root, "cases");
    problem->case_count = json_array_size(cases);
    if (problem->case_count == 0 || problem->case_count > PROBLEM_CASES_MAX)
        return false;
    for (size_t i = 0; i < problem->case_count; i++)
        if (!read_case(&problem->cases[i], json_array_get(cases, i)))
            return false;
    return true;
}

enum problem_outcome problem_read(struct problem *problem, const char *folder, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s/tests.json", folder, name);
    if (length < 0 || (size_t)length >= sizeof(path) || access(path, F_OK) != 0)
        return PROBLEM_UNKNOWN;
    *problem = (struct problem){.root = json_load_file(path, 0, NULL)};
    if (problem->root && read_cases(problem))
        return PROBLEM_OK;
    problem_finish(problem);
    return PROBLEM_BROKEN;
}

void problem_finish(struct problem *problem)
{
    json_decref(problem->root);
    problem->root = NULL;
}
