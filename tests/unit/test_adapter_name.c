/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest */
/* What an adapter is called at the core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "rest-adapter/adapter_name.h"

static char listener[] = "127.0.0.1:8040";
static char *listeners[] = {listener};
static const struct config_rest config = {.listen = {listeners, 1}};

static void a_name_says_where_it_runs_and_for_which_queue(void **state)
{
    char courier[ADAPTER_NAME_MAX];
    char pushed[ADAPTER_NAME_MAX];
    (void)state;

    adapter_name(&config, courier);
    adapter_name_for_queue(&config, "cs101", pushed);

    assert_memory_equal(courier, "xqueue-rest@", strlen("xqueue-rest@"));
    assert_string_equal(courier + strlen(courier) - strlen(listener), listener);
    assert_memory_equal(pushed, courier, strlen(courier));
    assert_string_equal(pushed + strlen(courier), " cs101");
}

static void long_names_of_queues_stay_apart_and_the_same(void **state)
{
    char queue[CONFIG_NAME_BYTES_MAX + 1];
    char first[ADAPTER_NAME_MAX];
    char again[ADAPTER_NAME_MAX];
    char other[ADAPTER_NAME_MAX];
    (void)state;
    for (size_t i = 0; i + 1 < sizeof(queue); i += 2)
        memcpy(queue + i, "\xc3\xbc", 2);
    queue[sizeof(queue) - 1] = '\0';

    adapter_name_for_queue(&config, queue, first);
    adapter_name_for_queue(&config, queue, again);
    queue[sizeof(queue) - 2] = (char)0xbd;
    adapter_name_for_queue(&config, queue, other);

    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_true(text_is_name(first, ADAPTER_NAME_MAX - 1));
    assert_true(text_is_name(other, ADAPTER_NAME_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_says_where_it_runs_and_for_which_queue),
        cmocka_unit_test(long_names_of_queues_stay_apart_and_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
