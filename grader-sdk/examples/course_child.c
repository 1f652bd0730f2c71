/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/examples/course_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ARGUMENT_FOLDER = 2, ARGUMENT_SECONDS, ARGUMENT_PROGRAM, DECIMAL = 10 };

static bool set_limit(__rlimit_resource_t what, rlim_t value)
{
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    return setrlimit(what, &limit) == 0;
}

static bool set_limits(const char *seconds)
{
    rlim_t processor_seconds = strtoul(seconds, NULL, DECIMAL);
    return set_limit(RLIMIT_CPU, processor_seconds) && set_limit(RLIMIT_AS, CHILD_MEMORY_BYTES_MAX) &&
           set_limit(RLIMIT_FSIZE, CHILD_FILE_BYTES_MAX) && set_limit(RLIMIT_NOFILE, CHILD_FILES_MAX) &&
           set_limit(RLIMIT_CORE, 0);
}

/* A student's program must not go on for ever when its grader is killed. */
static bool die_with_grader(void)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

int child_main(int argc, char **argv)
{
    char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
    (void)fcntl(CHILD_DESCRIPTOR, F_SETFD, FD_CLOEXEC);
    if (argc > ARGUMENT_PROGRAM && die_with_grader() && chdir(argv[ARGUMENT_FOLDER]) == 0 && set_limits(argv[ARGUMENT_SECONDS]))
        (void)execve(argv[ARGUMENT_PROGRAM], &argv[ARGUMENT_PROGRAM], environment);
    ssize_t written = write(CHILD_DESCRIPTOR, "!", 1);
    return written == 1 ? EXIT_FAILURE : EXIT_FAILURE + 1; // the second one where nobody listens: started by hand
}
