/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_xqueued xqueue_course */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "grader-sdk/examples/course_answer.h"
#include "grader-sdk/examples/course_child.h"
#include "grader-sdk/examples/course_grade.h"
#include "tests/support/grader_rig.h"

#define FIBONACCI                          \
    "n = int(input())\n"                   \
    "a, b = 0, 1\n"                        \
    "for _ in range(n): a, b = b, a + b\n" \
    "print(a)\n"

enum { TIME_LIMIT_MS = 2000, BODY_MAX = 8192, TOLERANCE_PERCENT = 100 };

/* The sources' own course: this file lies in tests/unit/. */
static const char *course_folder(void)
{
    static char folder[4096];
    const char *end = strstr(__FILE__, "tests/unit/");
    assert_non_null(end);
    (void)snprintf(folder, sizeof(folder), "%.*sgrader-sdk/examples/course", (int)(end - __FILE__), __FILE__);
    return folder;
}

static int set_up(void **state)
{
    static struct grader_rig rig;
    static struct course course;
    course = (struct course){.folder = course_folder(), .time_limit_ms = TIME_LIMIT_MS};
    grader_rig_init(&rig, NULL);
    rig.options.handler = course_grade;
    rig.options.context = &course;
    rig.options.log = NULL;
    rig.options.on_lost = NULL;
    grader_rig_start(&rig);
    assert_non_null(scripted_xqueued_await(rig.core, XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO));
    scripted_xqueued_welcome(rig.core, NULL);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    grader_rig_finish(*state);
    return 0;
}

static void hand_in(struct grader_rig *rig, const char *problem, const char *language, const char *code)
{
    json_t *payload = json_pack("{s:s, s:s}", "problem", problem, "language", language);
    char *payload_text = json_dumps(payload, 0);
    json_t *body = json_pack("{s:s, s:s, s:s}", "student_info", "{}", "student_response", code, "grader_payload", payload_text);
    char *text = json_dumps(body, 0);
    scripted_xqueued_grant(rig->core, 1, text);
    free(text);
    json_decref(body);
    free(payload_text);
    json_decref(payload);
}

/* The answer to a hand_in: a new reference. */
static json_t *result_of(struct grader_rig *rig)
{
    const Xqueue__V1__GraderMessage *message = scripted_xqueued_await(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE);
    assert_non_null(message);
    json_t *result = json_loadb((const char *)message->complete->result.data, message->complete->result.len, 0, NULL);
    assert_non_null(result);
    return result;
}

static const char *message_of(const json_t *result)
{
    return json_string_value(json_object_get(result, "msg"));
}

static void assert_result(const json_t *result, bool correct, int score_percent)
{
    double score = json_number_value(json_object_get(result, "score"));
    assert_int_equal(json_is_true(json_object_get(result, "correct")), correct);
    assert_int_equal((int)(score * TOLERANCE_PERCENT + 0.5), score_percent);
}

static void a_right_python_solution_gets_full_marks(void **state)
{
    hand_in(*state, "fibonacci", "python", FIBONACCI);

    json_t *result = result_of(*state);

    assert_result(result, true, 100);
    assert_non_null(strstr(message_of(result), "5 of 5 tests passed"));
    json_decref(result);
}

static void a_wrong_solution_gets_part_of_the_marks_and_is_told_why(void **state)
{
    hand_in(*state, "fibonacci", "python", "print(min(int(input()), 1))\n");

    json_t *result = result_of(*state);

    assert_result(result, false, 60);
    assert_non_null(strstr(message_of(result), "n = 10: wrong output"));
    assert_non_null(strstr(message_of(result), "<pre>55\n</pre>"));
    json_decref(result);
}

static void a_hanging_solution_reaches_the_time_limit(void **state)
{
    hand_in(*state, "fibonacci", "python", "while True: pass\n");

    json_t *result = result_of(*state);

    assert_result(result, false, 0);
    assert_non_null(strstr(message_of(result), "time limit of 2 s"));
    json_decref(result);
}

static void a_solution_that_leaves_a_process_behind_ends_all_the_same(void **state)
{
    hand_in(*state, "wordcount", "shell", "tail -f /dev/null &\ngrep -c -- \"$1\"\ntrue\n");

    json_t *result = result_of(*state);

    assert_result(result, true, 100);
    json_decref(result);
}

static void a_right_shell_solution_gets_full_marks(void **state)
{
    hand_in(*state, "wordcount", "shell", "grep -c -- \"$1\" || true\n");

    json_t *result = result_of(*state);

    assert_result(result, true, 100);
    json_decref(result);
}

static void endless_output_is_cut(void **state)
{
    hand_in(*state, "wordcount", "shell", "yes\n");

    json_t *result = result_of(*state);

    assert_result(result, false, 0);
    assert_non_null(strstr(message_of(result), "bytes of output"));
    json_decref(result);
}

static void what_a_program_prints_is_escaped(void **state)
{
    hand_in(*state, "fibonacci", "python",
            "print('<script>&\\x07\\u00e9')\nimport sys\nsys.stdout.flush()\nsys.stdout.buffer.write(b'\\xff')\n");

    json_t *result = result_of(*state);

    assert_non_null(strstr(message_of(result), "&lt;script&gt;&amp;?\xc3\xa9\n?"));
    assert_null(strstr(message_of(result), "<script>"));
    json_decref(result);
}

static void a_crash_shows_what_the_program_complained_about(void **state)
{
    hand_in(*state, "fibonacci", "python", "raise ValueError('oops')\n");

    json_t *result = result_of(*state);

    assert_result(result, false, 0);
    assert_non_null(strstr(message_of(result), "failed with exit code 1"));
    assert_non_null(strstr(message_of(result), "ValueError: oops"));
    json_decref(result);
}

static void no_descriptor_of_the_grader_reaches_the_program(void **state)
{
    // What the library holds are sockets, and the anonymous files behind epoll and eventfd.
    hand_in(*state, "wordcount", "shell", "ls -l /proc/$$/fd | grep -c -E 'socket:|anon_inode:'\n");

    json_t *result = result_of(*state);

    assert_non_null(strstr(message_of(result), "Your output:</p><pre>0\n</pre>"));
    json_decref(result);
}

static void assert_ungradable(struct grader_rig *rig, const char *why)
{
    const Xqueue__V1__GraderMessage *message = scripted_xqueued_await(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL);
    assert_non_null(message);
    assert_int_equal(message->fail->kind, XQUEUE__V1__FAIL_KIND__FAIL_KIND_UNGRADABLE);
    assert_non_null(strstr(message->fail->message, why));
}

static void a_problem_name_leads_nowhere_outside_of_the_course(void **state)
{
    hand_in(*state, "../course/fibonacci", "python", FIBONACCI);

    assert_ungradable(*state, "names no problem");
}

static void an_unknown_problem_is_not_gradable(void **state)
{
    hand_in(*state, "no-such-problem", "python", FIBONACCI);

    assert_ungradable(*state, "no such problem");
}

static void a_body_that_is_not_json_is_not_gradable(void **state)
{
    struct grader_rig *rig = *state;
    scripted_xqueued_grant(rig->core, 1, "{");

    assert_ungradable(rig, "not JSON");
}

static void a_payload_may_be_an_object(void **state)
{
    struct grader_rig *rig = *state;
    scripted_xqueued_grant(rig->core, 1,
                           "{\"student_response\": \"cat >/dev/null; echo 1\","
                           " \"grader_payload\": {\"problem\": \"wordcount\", \"language\": \"shell\"}}");

    json_t *result = result_of(rig);

    assert_result(result, false, 40);
    json_decref(result);
}

static void blanks_at_the_ends_of_lines_do_not_matter(void **state)
{
    (void)state;
    static const char output[] = "a  \r\nb\n\n";

    assert_true(answer_matches("a\nb\n", output, strlen(output)));
    assert_false(answer_matches("a\nb\nc\n", output, strlen(output)));
    assert_false(answer_matches(" a\nb\n", output, strlen(output)));
    assert_false(answer_matches("a\nb", "a\0\nb", 4));
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], CHILD_OPTION) == 0)
        return child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        CASE(a_right_python_solution_gets_full_marks),
        CASE(a_wrong_solution_gets_part_of_the_marks_and_is_told_why),
        CASE(a_hanging_solution_reaches_the_time_limit),
        CASE(a_solution_that_leaves_a_process_behind_ends_all_the_same),
        CASE(a_right_shell_solution_gets_full_marks),
        CASE(endless_output_is_cut),
        CASE(what_a_program_prints_is_escaped),
        CASE(a_crash_shows_what_the_program_complained_about),
        CASE(no_descriptor_of_the_grader_reaches_the_program),
        CASE(a_problem_name_leads_nowhere_outside_of_the_course),
        CASE(an_unknown_problem_is_not_gradable),
        CASE(a_body_that_is_not_json_is_not_gradable),
        CASE(a_payload_may_be_an_object),
        cmocka_unit_test(blanks_at_the_ends_of_lines_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
