/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_screen.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define ERASE "\r\033[K"

enum { WIDTH_DEFAULT = 80 };

struct submit_screen {
    submit_screen_render *render; /* these two immutable */
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex; /* held while something is written */
    pthread_cond_t changed;
    bool is_over; /* guarded by mutex */
};

static size_t width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : WIDTH_DEFAULT;
}

/* Cut so that the line does not break: one place for each character, near enough. Lock held. */
static void paint(struct submit_screen *screen)
{
    char line[SUBMIT_SCREEN_LINE_MAX] = "";
    size_t places = width() - 1;
    screen->render(screen->context, line);
    char *at = line;
    for (; *at != '\0'; at++) {
        bool is_first = ((unsigned char)*at & 0xC0U) != 0x80U;
        if (is_first && places-- == 0)
            break;
    }
    *at = '\0';
    (void)fprintf(stderr, ERASE "%s", line);
    (void)fflush(stderr);
}

static void *screen_main(void *argument)
{
    struct submit_screen *screen = argument;
    pthread_mutex_lock(&screen->mutex);
    while (!screen->is_over) {
        paint(screen);
        int64_t until_ms = clock_now_ms(clock_system()) + SUBMIT_SCREEN_PERIOD_MS;
        while (!screen->is_over && clock_wait_until(clock_system(), &screen->changed, &screen->mutex, until_ms)) {
        }
    }
    (void)fputs(ERASE, stderr);
    (void)fflush(stderr);
    pthread_mutex_unlock(&screen->mutex);
    return NULL;
}

static bool is_able(void)
{
    const char *terminal = getenv("TERM"); // NOLINT(concurrency-mt-unsafe): nobody changes it
    return isatty(STDERR_FILENO) && terminal && terminal[0] != '\0' && strcmp(terminal, "dumb") != 0;
}

struct submit_screen *submit_screen_start(submit_screen_render *render, void *context)
{
    if (!is_able())
        return NULL;
    struct submit_screen *screen = MEMORY_NEW(struct submit_screen);
    screen->render = render;
    screen->context = context;
    (void)pthread_mutex_init(&screen->mutex, NULL);
    clock_condition_init(&screen->changed);
    paint(screen); // at once, however soon it is over
    if (pthread_create(&screen->thread, NULL, screen_main, screen) == 0)
        return screen;
    (void)pthread_cond_destroy(&screen->changed);
    (void)pthread_mutex_destroy(&screen->mutex);
    memory_free(screen);
    return NULL;
}

void submit_screen_stop(struct submit_screen *screen)
{
    if (!screen)
        return;
    pthread_mutex_lock(&screen->mutex);
    screen->is_over = true;
    pthread_cond_signal(&screen->changed);
    pthread_mutex_unlock(&screen->mutex);
    (void)pthread_join(screen->thread, NULL);
    (void)pthread_cond_destroy(&screen->changed);
    (void)pthread_mutex_destroy(&screen->mutex);
    memory_free(screen);
}

void submit_screen_print(struct submit_screen *screen, FILE *stream, const char *lines)
{
    if (!screen) {
        (void)fputs(lines, stream);
        (void)fflush(stream);
        return;
    }
    pthread_mutex_lock(&screen->mutex);
    (void)fputs(ERASE, stderr);
    (void)fflush(stderr);
    (void)fputs(lines, stream);
    (void)fflush(stream);
    paint(screen);
    pthread_mutex_unlock(&screen->mutex);
}
