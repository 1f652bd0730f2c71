/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Recorded exchanges (tests/conformance/), played against the real programs; and that the player finds what differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define FOLDER XQUEUE_SOURCE_DIR "/tests/conformance/"

static const char player_path[] = FOLDER "play.py";

/* Plays a file; returns the player's exit code. said: a line that it must print, in part. */
static int play(struct conversation *talk, const char *file, const char *said, bool *out_is_said)
{
    char port[16];
    const char *const arguments[] = {"/usr/bin/python3",   player_path, "--port", port, "--set", "user=everybody", "--set",
                                     "password=everybody", file,        NULL};
    const struct running_program_options options = {.arguments = arguments};

    (void)snprintf(port, sizeof(port), "%d", talk->service.rest_port);
    struct running_program *player = running_program_start(&options);
    const int outcome = running_program_wait(player);
    *out_is_said = running_program_count(player, said) == 1;
    if (outcome != 0) {
        running_program_dump(player);
    }
    running_program_destroy(player);
    return outcome;
}

static void every_recorded_reply_is_given(void **state)
{
    // in this order: the poller pulls what the LMS has handed in
    static const char *const files[] = {FOLDER "lms.talk", FOLDER "poller.talk", FOLDER "errors.talk"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        bool is_said = false;
        assert_int_equal(play(*state, files[i], "0 differences", &is_said), 0);
        assert_true(is_said);
    }
}

static void the_player_finds_what_differs(void **state)
{
    bool is_said = false;

    assert_int_equal(play(*state, FOLDER "wrong/replies.talk", "8 differences", &is_said), 1);
    assert_true(is_said);
    assert_int_equal(play(*state, player_path, "differences", &is_said), 2); // is no recording
    assert_false(is_said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_reply_is_given),
        cmocka_unit_test(the_player_finds_what_differs),
    };
    return cmocka_run_group_tests(tests, conversation_set_up, conversation_tear_down);
}
