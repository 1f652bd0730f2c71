/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/push_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"

enum { SECTION_BYTES_MAX = 65536 };

#define SOON "    retry_delay_ms: 20\n    retry_delay_ms_max: 40\n"

struct push_talk *push_talk_start(const char *queues)
{
    struct push_talk *push = MEMORY_NEW(struct push_talk);
    struct running_service_options options = {.user = "everybody"};
    struct text section;
    struct text callbacks;

    push->grader = fake_lms_start(0);
    push->other = fake_lms_start(0);
    push->secure = tls_server_start();
    text_init(&section, SECTION_BYTES_MAX);
    text_append_format(&section,
                       "  pushed:\n    push_url: \"http://127.0.0.1:%d/grade\"\n    push_parallel_max: %d\n"
                       "    attempts_max: %d\n" SOON,
                       fake_lms_port(push->grader), PUSH_SLOTS, PUSH_ATTEMPTS_MAX);
    text_append_format(
        &section,
        "  hasty-push:\n    lease_ms: 1000\n    push_url: \"http://127.0.0.1:%d/hasty\"\n    push_timeout_ms: 400\n"
        "    attempts_max: %d\n" SOON,
        fake_lms_port(push->grader), PUSH_HASTY_ATTEMPTS_MAX);
    text_append_format(&section, "  elsewhere:\n    push_url: \"http://127.0.0.1:%d/grade\"\n", fake_lms_port(push->other));
    text_append_format(&section, "  secure:\n    push_url: \"https://127.0.0.1:%d/\"\n    attempts_max: 1\n",
                       tls_server_port(push->secure));
    text_append_string(&section, queues != NULL ? queues : "");
    text_init(&callbacks, SECTION_BYTES_MAX);
    text_append_format(&callbacks, "  basic_auth: [{ origin: \"http://127.0.0.1:%d\", user: grader, password_file: grader }]\n",
                       fake_lms_port(push->grader));
    options.queues = section.bytes;
    options.callbacks = callbacks.bytes;
    push->talk = conversation_start(&options);
    text_finish(&section);
    text_finish(&callbacks);
    return push;
}

bool push_talk_finish(struct push_talk *push)
{
    if (push == NULL) {
        return true;
    }
    fake_lms_release(push->grader); // nobody has to wait for those that hang
    bool is_fine = conversation_finish(push->talk);
    fake_lms_destroy(push->grader);
    fake_lms_destroy(push->other);
    tls_server_destroy(push->secure);
    memory_free(push);
    return is_fine;
}

int push_talk_set_up(void **state)
{
    *state = push_talk_start(NULL);
    return 0;
}

int push_talk_tear_down(void **state)
{
    return push_talk_finish(*state) ? 0 : -1;
}
