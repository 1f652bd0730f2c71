/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/run_command.h"

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

enum { ENVIRONMENT_MAX = 512 };

extern char **environ;

/* A file without a name. */
static int make_file(const char *content)
{
    int file = memfd_create("run_command", MFD_CLOEXEC);
    assert_true(file >= 0);
    if (content) {
        assert_int_equal(write(file, content, strlen(content)), strlen(content));
        assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    }
    return file;
}

void run_command_start(struct run_command *command, const char *const *arguments, const char *const *environment,
                       const char *input)
{
    char *all[ENVIRONMENT_MAX] = {NULL};
    size_t count = 0;
    int input_file = make_file(input);
    posix_spawn_file_actions_t actions;
    for (; environment && environment[count]; count++)
        all[count] = (char *)(uintptr_t)environment[count];
    for (size_t at = 0; environ[at] && count < ENVIRONMENT_MAX - 1; at++)
        all[count++] = environ[at];
    *command = (struct run_command){.out_file = make_file(NULL), .err_file = make_file(NULL)};
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, input_file, STDIN_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, command->out_file, STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, command->err_file, STDERR_FILENO), 0);
    assert_int_equal(posix_spawn(&command->pid, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments, all), 0);
    assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
    assert_int_equal(close(input_file), 0);
}

static char *read_back(int file)
{
    struct stat facts;
    assert_int_equal(fstat(file, &facts), 0);
    char *text = memory_allocate((size_t)facts.st_size + 1);
    assert_int_equal(pread(file, text, (size_t)facts.st_size, 0), facts.st_size);
    assert_int_equal(close(file), 0);
    return text;
}

void run_command_wait(struct run_command *command)
{
    int status = 0;
    assert_int_equal(waitpid(command->pid, &status, 0), command->pid);
    command->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    command->out = read_back(command->out_file);
    command->err = read_back(command->err_file);
}

void run_command_finish(struct run_command *command)
{
    memory_free(command->out);
    memory_free(command->err);
    *command = (struct run_command){.pid = 0};
}
