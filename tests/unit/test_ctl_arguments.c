/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_ctl */
/* The command line of xqueuectl: what is read, and what each mistake exits with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/ctl/arguments.h"
#include "service/ctl/commands.h"

enum { WORDS_MAX = 16, NOT_SET = -1, TEXT_BYTES_MAX = 65536 };

/* Reads "xqueuectl" and words (NULL last); what it exits with, or NOT_SET when there is something to run. */
static int read_words(struct arguments *arguments, const char *const *words)
{
    static char *argv[WORDS_MAX + 2]; // the operands point into it
    int argc = 1;
    int exit_code = NOT_SET;
    memset((void *)argv, 0, sizeof argv);
    argv[0] = (char *)"xqueuectl";
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    if (arguments_read(arguments, argc, argv, &exit_code))
        return NOT_SET;
    return exit_code;
}

#define READ(arguments_, ...) read_words((arguments_), (const char *const[]){__VA_ARGS__, NULL})

static int exit_of(const char *const *words)
{
    struct arguments arguments;
    int exit_code = read_words(&arguments, words);
    arguments_finish(&arguments);
    return exit_code;
}

#define EXIT_OF(...) exit_of((const char *const[]){__VA_ARGS__, NULL})

static int clear_environment(void **state)
{
    (void)state;
    static const char *const names[] = {"XQUEUE_CONFIG", "XQUEUE_ADDRESS", "XQUEUE_USER", "XQUEUE_PASSWORD",
                                        "XQUEUE_PASSWORD_FILE"};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++)
        unsetenv(names[at]);
    return 0;
}

static void options_stand_before_and_behind_the_command(void **state)
{
    (void)state;
    struct arguments arguments;

    assert_int_equal(READ(&arguments, "--user", "eve", "hash-password", "--json", "file", "--rounds", "2000000"), NOT_SET);

    assert_ptr_equal(arguments.call.command, &command_hash_password);
    assert_true(arguments.call.json);
    assert_string_equal(arguments.connect.given.user, "eve");
    assert_int_equal(arguments.call.operand_count, 1);
    assert_string_equal(arguments.call.operands[0], "file");
    assert_int_equal(command_number(&arguments.call, "rounds"), 2000000);
    arguments_finish(&arguments);
}

static void what_is_not_given_has_its_default(void **state)
{
    (void)state;
    struct arguments arguments;

    assert_int_equal(READ(&arguments, "hash-password"), NOT_SET);

    assert_int_equal(command_number(&arguments.call, "rounds"), 1000000);
    assert_string_equal(arguments.call.config_file, "/etc/xqueue/xqueue.yml");
    assert_false(arguments.call.config_is_given);
    assert_null(arguments.connect.given.password);
    assert_null(arguments.connect.given.address);
    assert_int_equal(arguments.connect.given.timeout_ms, 60000);
    arguments_finish(&arguments);
}

static void the_environment_counts_and_options_count_more(void **state)
{
    (void)state;
    struct arguments arguments;
    setenv("XQUEUE_ADDRESS", "a:1", 1);
    setenv("XQUEUE_USER", "u", 1);
    setenv("XQUEUE_PASSWORD", "p", 1);
    setenv("XQUEUE_PASSWORD_FILE", "f", 1);
    setenv("XQUEUE_CONFIG", "c", 1);

    assert_int_equal(READ(&arguments, "count"), NOT_SET);
    assert_string_equal(arguments.connect.given.password, "p");
    assert_null(arguments.connect.given.password_file);
    assert_string_equal(arguments.connect.config_file, "c");
    arguments_finish(&arguments);

    assert_int_equal(READ(&arguments, "count", "--address", "b:2", "--password-file", "g", "-c", "d", "--timeout", "1.5"),
                     NOT_SET);
    assert_string_equal(arguments.connect.given.address, "b:2");
    assert_string_equal(arguments.connect.given.user, "u");
    assert_null(arguments.connect.given.password);
    assert_string_equal(arguments.connect.given.password_file, "g");
    assert_string_equal(arguments.connect.config_file, "d");
    assert_int_equal(arguments.connect.given.timeout_ms, 1500);
    arguments_finish(&arguments);
    (void)clear_environment(NULL);
}

static void wrong_usage_exits_with_2(void **state)
{
    (void)state;
    struct arguments arguments;
    assert_int_equal(read_words(&arguments, (const char *const[]){NULL}), COMMAND_EXIT_USAGE);
    arguments_finish(&arguments);

    assert_int_equal(EXIT_OF("no-such-command"), COMMAND_EXIT_USAGE);
    assert_int_equal(EXIT_OF("count", "operand"), COMMAND_EXIT_USAGE);
    assert_int_equal(EXIT_OF("count", "--no-such-option"), COMMAND_EXIT_USAGE);
    assert_int_equal(EXIT_OF("--no-such-option", "count"), COMMAND_EXIT_USAGE);
    assert_int_equal(EXIT_OF("hash-password", "--rounds"), COMMAND_EXIT_USAGE);
    assert_int_equal(EXIT_OF("hash-password", "--rounds", "many"), COMMAND_EXIT_USAGE);
    assert_int_equal(EXIT_OF("hash-password", "a", "b"), COMMAND_EXIT_USAGE);
    assert_int_equal(EXIT_OF("help", "no-such-command"), COMMAND_EXIT_USAGE);
    assert_int_equal(EXIT_OF("--timeout", "x", "count"), COMMAND_EXIT_USAGE);
}

static void a_number_out_of_range_exits_with_1(void **state)
{
    (void)state;
    assert_int_equal(EXIT_OF("hash-password", "--rounds", "999999"), COMMAND_EXIT_FAILED);
    assert_int_equal(EXIT_OF("hash-password", "--rounds", "-1"), COMMAND_EXIT_FAILED);
    assert_int_equal(EXIT_OF("--timeout", "0", "count"), COMMAND_EXIT_FAILED);
}

static void help_and_version_exit_with_0(void **state)
{
    (void)state;
    assert_int_equal(EXIT_OF("help"), COMMAND_EXIT_OK);
    assert_int_equal(EXIT_OF("--help"), COMMAND_EXIT_OK);
    assert_int_equal(EXIT_OF("--version"), COMMAND_EXIT_OK);
    assert_int_equal(EXIT_OF("hash-password", "--help"), COMMAND_EXIT_OK);
    for (size_t at = 0; commands[at]; at++) {
        char first[64];
        assert_true(text_copy(first, sizeof first, commands[at]->name));
        char *blank = strchr(first, ' ');
        if (blank)
            *blank++ = '\0';
        assert_int_equal(EXIT_OF("help", first, blank), COMMAND_EXIT_OK);
    }
}

static void every_row_of_the_table_is_whole(void **state)
{
    (void)state;
    for (size_t at = 0; commands[at]; at++) {
        const struct command *command = commands[at];
        size_t words = 0;
        const char *name[2] = {command->name, NULL};
        char first[64] = "";
        const char *blank = strchr(command->name, ' ');
        if (blank) {
            memcpy(first, command->name, (size_t)(blank - command->name));
            name[0] = first;
            name[1] = blank + 1;
        }

        assert_ptr_equal(commands_find(name, blank ? 2 : 1, &words), command);
        assert_int_equal(words, blank ? 2 : 1);
        assert_true(command->run && command->help && command->operands);
        assert_true(command->option_count <= COMMAND_OPTIONS_MAX);
        assert_true((command->operands[0] == '\0') == (command->operands_max == 0));
        for (size_t option = 0; option < command->option_count; option++)
            assert_true((command->options[option].kind == COMMAND_OPTION_FLAG) == !command->options[option].value);
    }
}

static char *read_beside(const char *name)
{
    char path[512];
    const char *slash = strrchr(__FILE__, '/');
    assert_non_null(slash);
    (void)snprintf(path, sizeof path, "%.*s/../../%s", (int)(slash - __FILE__), __FILE__, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = memory_allocate(TEXT_BYTES_MAX);
    assert_true(fread(text, 1, TEXT_BYTES_MAX - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* As troff writes it: each dash behind a backslash. */
static void escape_dashes(const char *text, char *out, size_t size)
{
    size_t length = 0;
    for (; *text != '\0' && length + 2 < size; text++) {
        if (*text == '-')
            out[length++] = '\\';
        out[length++] = *text;
    }
    out[length] = '\0';
}

static void the_documents_name_every_command_and_option(void **state)
{
    (void)state;
    char *manual = read_beside("service/ctl/xqueuectl.1");
    char *document = read_beside("docs/xqueuectl.md");
    for (size_t at = 0; commands[at]; at++) {
        const struct command *command = commands[at];
        char escaped[128];
        escape_dashes(command->name, escaped, sizeof escaped);
        if (!strstr(manual, escaped))
            fail_msg("xqueuectl.1 does not name %s", command->name);
        if (!strstr(document, command->name))
            fail_msg("xqueuectl.md does not name %s", command->name);
        if (command->old_name && (!strstr(manual, command->old_name) || !strstr(document, command->old_name)))
            fail_msg("%s is not named", command->old_name);
        for (size_t option = 0; option < command->option_count && command != &command_import_db; option++) {
            escape_dashes(command->options[option].name, escaped, sizeof escaped);
            if (!strstr(manual, escaped))
                fail_msg("xqueuectl.1 does not name --%s", command->options[option].name);
        }
    }
    memory_free(manual);
    memory_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_and_behind_the_command),
        cmocka_unit_test(what_is_not_given_has_its_default),
        cmocka_unit_test(the_environment_counts_and_options_count_more),
        cmocka_unit_test(wrong_usage_exits_with_2),
        cmocka_unit_test(a_number_out_of_range_exits_with_1),
        cmocka_unit_test(help_and_version_exit_with_0),
        cmocka_unit_test(every_row_of_the_table_is_whole),
        cmocka_unit_test(the_documents_name_every_command_and_option),
    };
    return cmocka_run_group_tests(tests, clear_environment, NULL);
}
