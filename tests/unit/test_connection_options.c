/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_client */
/* Where a command line finds xqueued and as whom it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/client/connection_options.h"

static const char *const variables[] = {"XQUEUE_ADDRESS",  "XQUEUE_USER",       "XQUEUE_PASSWORD", "XQUEUE_PASSWORD_FILE",
                                        "XQUEUE_TOKEN",    "XQUEUE_TOKEN_FILE", "XQUEUE_CA_FILE",  "XQUEUE_CERTIFICATE_FILE",
                                        "XQUEUE_KEY_FILE", "XQUEUE_SERVER_NAME"};

static int clear_environment(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof variables / sizeof *variables; at++)
        unsetenv(variables[at]);
    return 0;
}

static void all_variables_are_read_and_empty_ones_are_not_set(void **state)
{
    struct connection_options options;
    (void)state;
    for (size_t at = 0; at < sizeof variables / sizeof *variables; at++)
        setenv(variables[at], variables[at], 1);
    setenv("XQUEUE_KEY_FILE", "", 1);

    connection_options_init(&options, "test");
    connection_options_settle(&options);

    assert_string_equal(options.address, "XQUEUE_ADDRESS");
    assert_string_equal(options.user, "XQUEUE_USER");
    assert_string_equal(options.password, "XQUEUE_PASSWORD");
    assert_null(options.password_file);
    assert_string_equal(options.token, "XQUEUE_TOKEN");
    assert_null(options.token_file);
    assert_string_equal(options.tls.ca_file, "XQUEUE_CA_FILE");
    assert_string_equal(options.tls.certificate_file, "XQUEUE_CERTIFICATE_FILE");
    assert_null(options.tls.key_file);
    assert_string_equal(options.tls.server_name, "XQUEUE_SERVER_NAME");
    assert_int_equal(options.timeout_ms, CONNECTION_TIMEOUT_MS_DEFAULT);
}

static void a_file_on_the_command_line_says_more_than_a_secret_in_a_variable(void **state)
{
    struct connection_options options;
    (void)state;
    setenv("XQUEUE_PASSWORD", "p", 1);
    setenv("XQUEUE_TOKEN", "t", 1);
    connection_options_init(&options, "test");

    *connection_options_field(&options, "password-file") = "a";
    *connection_options_field(&options, "token-file") = "b";
    connection_options_settle(&options);

    assert_null(options.password);
    assert_string_equal(options.password_file, "a");
    assert_null(options.token);
    assert_string_equal(options.token_file, "b");
    assert_null(connection_options_field(&options, "password"));
}

static void a_variable_with_a_file_counts_when_nothing_else_does(void **state)
{
    struct connection_options options;
    (void)state;
    setenv("XQUEUE_PASSWORD_FILE", "a", 1);
    setenv("XQUEUE_TOKEN_FILE", "b", 1);

    connection_options_init(&options, "test");
    connection_options_settle(&options);

    assert_string_equal(options.password_file, "a");
    assert_string_equal(options.token_file, "b");
}

static void it_is_known_who_comes(void **state)
{
    static const struct {
        struct connection_options options;
        bool is_complete, needs_no_login;
    } cases[] = {
        {{.user = NULL}, false, false},
        {{.user = "u"}, false, false},
        {{.password = "p"}, false, false},
        {{.user = "u", .password = "p"}, true, false},
        {{.user = "u", .password_file = "p"}, true, false},
        {{.token = "t"}, true, true},
        {{.token_file = "t", .user = "u"}, true, true},
        {{.tls.certificate_file = "c"}, true, true},
        {{.tls.certificate_file = "c", .user = "u"}, false, false},
        {{.tls.certificate_file = "c", .user = "u", .password = "p"}, true, false},
    };
    (void)state;

    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        assert_int_equal(connection_options_are_complete(&cases[at].options), cases[at].is_complete);
        assert_int_equal(connection_options_need_no_login(&cases[at].options), cases[at].needs_no_login);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_variables_are_read_and_empty_ones_are_not_set, clear_environment),
        cmocka_unit_test_setup(a_file_on_the_command_line_says_more_than_a_secret_in_a_variable, clear_environment),
        cmocka_unit_test_setup(a_variable_with_a_file_counts_when_nothing_else_does, clear_environment),
        cmocka_unit_test(it_is_known_who_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
