/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/password.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/config_password.h"
#include "base/memory.h"
#include "base/secret.h"

enum { LINE_MAX_BYTES = SECRET_PASSWORD_BYTES_MAX + 3 }; /* a line end, a NUL */

/* One line of standard input, without its end. NULL, or what is wrong with it. */
static const char *read_line(char line[LINE_MAX_BYTES])
{
    size_t length = 0;
    for (;;) {
        char byte = '\0';
        ssize_t got = read(STDIN_FILENO, &byte, 1); // so that the rest of the input stays for others
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return "cannot be read";
        if (got == 0 || byte == '\n')
            break;
        if (length == LINE_MAX_BYTES - 1 || byte == '\0')
            return byte == '\0' ? "contains a NUL character" : "is longer than 1024 bytes";
        line[length++] = byte;
    }
    if (length > 0 && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    if (length == 0)
        return "is empty";
    return length > SECRET_PASSWORD_BYTES_MAX ? "is longer than 1024 bytes" : NULL;
}

/* Asks without showing what is typed. */
static const char *ask_once(const char *question, char line[LINE_MAX_BYTES])
{
    struct termios shown;
    sigset_t signals;
    sigset_t before;
    // A signal must not leave a terminal behind that shows nothing.
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGTSTP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, &before);
    bool is_hidden = tcgetattr(STDIN_FILENO, &shown) == 0;
    if (is_hidden) {
        struct termios hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    // Not before: what is typed until then is dropped.
    (void)fputs(question, stderr);
    const char *fault = read_line(line);
    if (is_hidden)
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)fputc('\n', stderr);
    return fault;
}

static const char *ask(char line[LINE_MAX_BYTES])
{
    char again[LINE_MAX_BYTES] = "";
    const char *fault = ask_once("Password: ", line);
    if (!fault)
        fault = ask_once("Once more: ", again);
    if (!fault && strcmp(line, again) != 0)
        fault = "is not the same twice";
    memory_wipe(again, sizeof again);
    return fault;
}

enum status password_read(const char *file, char **out_password, struct error *error)
{
    if (file) {
        const char *fault = config_password_read(file, out_password);
        return fault ? error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: %s", file, fault) : STATUS_OK;
    }
    char line[LINE_MAX_BYTES] = "";
    const char *fault = isatty(STDIN_FILENO) ? ask(line) : read_line(line);
    if (!fault)
        *out_password = memory_copy_text(line);
    memory_wipe(line, sizeof line);
    return fault ? error_set(error, STATUS_INVALID, NULL, "the password %s", fault) : STATUS_OK;
}

void password_free(char *password)
{
    if (password)
        memory_wipe(password, strlen(password));
    memory_free(password);
}
