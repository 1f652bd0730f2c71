/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* The graders of the documents that run programs of students under xqueue-grade: in Python with hidden answers, C by make, Java
 * by JUnit. Each meets solutions that are right, wrong, half right, do not compile, never end, or cheat. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/grade_talk.h"

#define EXAMPLES XQUEUE_SOURCE_DIR "/grader-sdk/examples"

enum { SOLUTIONS_MAX = 8, PATH_BYTES_MAX = 64 };

/* In hundredths. */
enum { NO_MARKS = 0, FULL_MARKS = 100 };

struct solution {
    const char *name; /* NULL: the end of a list */
    const char *response;
    int marks;
    const char *says;
};

struct example {
    const char *name;
    const char *program;
    const char *payload;
    bool runs_apart; /* students' programs, by apart.py: needs namespaces */
    struct solution solutions[SOLUTIONS_MAX];
};

/* ---- what students hand in ---- */

#define READ_ANSWERS                                                         \
    "import glob, os\n"                                                      \
    "for place in ['" EXAMPLES "/python/problems/*', '/proc/*/root" EXAMPLES \
    "/python/problems/*', '/proc/*/environ', '../*']:\n"                     \
    "    print([open(name, errors='replace').read() for name in glob.glob(place) if os.path.isfile(name)])\n"
#define UNDO_HIDING                              \
    "import ctypes, glob, os\n"                  \
    "c = ctypes.CDLL(None)\n"                    \
    "hidden = b'" EXAMPLES "/python/problems'\n" \
    "print(c.umount2(hidden, 2), c.unshare(0x10020000), c.umount2(hidden, 2), glob.glob(hidden.decode() + '/*'))\n"

#define C_MAIN(body_) "#include <stdio.h>\nint main(void)\n{\n" body_ "}\n"
#define SUM                                       \
    "    long long sum = 0, number;\n"            \
    "    while (scanf(\"%lld\", &number) == 1)\n" \
    "        sum += number;\n"                    \
    "    printf(\"%lld\\n\", sum);\n"

#define TRIANGLE(before_, kind_)                                                                                      \
    "public class Triangle {\n    public static String kind(int a, int b, int c) {\n" before_ "        return " kind_ \
    ";\n    }\n}\n"
#define REFUSE "        if (a + b <= c) throw new IllegalArgumentException();\n"
#define KIND   "a == b && b == c ? \"equilateral\" : a == b || b == c || a == c ? \"isosceles\" : \"scalene\""

static const struct example hello_shell = {
    .name = "hello-shell",
    .program = EXAMPLES "/hello/grade.sh",
    .payload = "",
    .solutions = {{"right", "echo hello", FULL_MARKS, "Well done"},
                  {"wrong", "echo good bye", NO_MARKS, "does not say hello"},
                  {"endless", "while :; do :; done", NO_MARKS, "does not say hello"}},
};

static const struct example hello_python = {
    .name = "hello-python",
    .program = EXAMPLES "/hello/grade.py",
    .payload = "{\"name\": \"hello\"}",
    .solutions = {{"right", "print('hello')", FULL_MARKS, "Well done"}, {"wrong", "print('no')", NO_MARKS, "No."}},
};

static const struct example python = {
    .name = "python",
    .program = EXAMPLES "/python/grade.py",
    .payload = "{\"problem\": \"square\"}",
    .runs_apart = true,
    .solutions = {{"right", "print(int(input()) ** 2)", FULL_MARKS, "a large number: <pre>passed"},
                  {"half", "print(int(float(input()) ** 2))", 75, "a large number: <pre>printed"},
                  {"wrong", "print('nine')", NO_MARKS, "printed"},
                  {"broken", "print(int(input())", NO_MARKS, "was never closed"},
                  {"endless", "while True:\n    pass\n", NO_MARKS, "took more than 2 seconds"},
                  {"reader", READ_ANSWERS, NO_MARKS, "printed &#x27;[]\\n[]\\n[]\\n"},
                  {"undoer", UNDO_HIDING, NO_MARKS, "-1 []"}},
};

static const struct example make = {
    .name = "make",
    .program = EXAMPLES "/make/grade.sh",
    .payload = "",
    .runs_apart = true,
    .solutions = {{"right", C_MAIN(SUM), FULL_MARKS, "large_numbers: passed"},
                  {"half", C_MAIN("    printf(\"6\\n\");\n"), 33, "no_numbers: not what is expected"},
                  {"wrong", C_MAIN("    printf(\"?\\n\");\n"), NO_MARKS, "three_numbers: not what is expected"},
                  {"broken", C_MAIN("    printf(\"6\\n\")\n"), NO_MARKS, "error: expected"},
                  {"endless", C_MAIN("    for (;;)\n        ;\n"), NO_MARKS, "took too long"}},
};

static const struct example junit = {
    .name = "junit",
    .program = EXAMPLES "/junit/grade.py",
    .payload = "",
    .solutions = {{"right", TRIANGLE(REFUSE, KIND), FULL_MARKS, "All 4 tests pass"},
                  {"half", TRIANGLE("        System.out.println(\"OK (4 tests)\");\n", KIND), 75,
                   "sidesThatDoNotMeetAreRefused"},
                  {"wrong", TRIANGLE("", "\"square\""), NO_MARKS, "expected:&lt;[isosceles]&gt; but was:&lt;[square]&gt;"},
                  {"broken", TRIANGLE("", "1"), NO_MARKS, "incompatible types"},
                  {"endless", TRIANGLE("        for (int i = 0; i >= 0; i = 1) {}\n", KIND), NO_MARKS, "within 10 seconds"},
                  {"leaver", TRIANGLE("        System.exit(0);\n", KIND), NO_MARKS, "did not come to their end"}},
};

/* ---- all of them meet their grader ---- */

static const char *path_of(const struct example *example, const struct solution *solution, char path[PATH_BYTES_MAX])
{
    (void)snprintf(path, PATH_BYTES_MAX, "/%s/%s", example->name, solution->name);
    return path;
}

static void grades_all_solutions(struct conversation *talk, const struct example *example)
{
    const char *const options[] = {"--slots", "2", example->runs_apart ? "--namespaces" : NULL, NULL};
    const char *const program[] = {example->program, NULL};
    struct running_program *grader = grade_starts(talk, example->name, "calm", options, program);
    char path[PATH_BYTES_MAX];

    if (example->runs_apart) {
        needs_namespaces(grader);
    }
    for (const struct solution *each = example->solutions; each->name != NULL; each++) {
        student_answers(talk, "calm", path_of(example, each, path), each->response, example->payload);
    }
    for (const struct solution *each = example->solutions; each->name != NULL; each++) {
        const double score = lms_hears_grade(talk, path_of(example, each, path), each->marks == FULL_MARKS, each->says);
        assert_int_equal((int)(score * FULL_MARKS + 0.5), each->marks);
    }
    grader_ends(grader, SIGTERM, 0);
}

static void the_first_grader_in_shell(void **state)
{
    grades_all_solutions(*state, &hello_shell);
}

static void the_first_grader_in_python(void **state)
{
    grades_all_solutions(*state, &hello_python);
}

static void python_programs_never_see_the_answers(void **state)
{
    grades_all_solutions(*state, &python);
}

static void a_problem_that_is_not_there_is_not_gradable(void **state)
{
    struct conversation *talk = *state;
    const char *const options[] = {"--namespaces", NULL};
    const char *const program[] = {python.program, NULL};
    struct running_program *grader = grade_starts(talk, "no-problem", "calm", options, program);
    const uint64_t gone = student_answers(talk, "calm", NULL, "print()", "{\"problem\": \"cube\"}");
    const uint64_t outside = student_answers(talk, "calm", NULL, "print()", "{\"problem\": \"../problems/square\"}");

    assert_true(core_await_state(talk->admin, gone, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_UNGRADABLE));
    assert_true(core_await_state(talk->admin, outside, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_UNGRADABLE));
    assert_non_null(strstr(admin_sees(talk, gone).message, "There is no problem"));
    grader_ends(grader, SIGTERM, 0);
}

static void c_programs_are_made_and_tested(void **state)
{
    grades_all_solutions(*state, &make);
}

static void java_classes_meet_junit(void **state)
{
    grades_all_solutions(*state, &junit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_grader_in_shell),
        cmocka_unit_test(the_first_grader_in_python),
        cmocka_unit_test(python_programs_never_see_the_answers),
        cmocka_unit_test(a_problem_that_is_not_there_is_not_gradable),
        cmocka_unit_test(c_programs_are_made_and_tested),
        cmocka_unit_test(java_classes_meet_junit),
    };
    return cmocka_run_group_tests_name("examples", tests, conversation_set_up, conversation_tear_down);
}
