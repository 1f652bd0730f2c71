/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/demo/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/demo/solutions.h"
#include "tests/support/fake_lms.h"

enum { STOP_LOOK_MS = 250 }; // how soon the printing thread sees that it is to end

/* ---- the LMS ---- */

/* Prints the callbacks as they come. */
struct listener {
    struct fake_lms *lms;
    const struct paint *paint;
    pthread_t thread;
    _Atomic bool stopping;
};

static void print_callback(const struct listener *listener, const struct fake_lms_callback *callback)
{
    char stamp[CLOCK_STAMP_MAX];
    const struct paint *paint = listener->paint;
    struct grade grade = {0};
    if (callback->result) {
        grade = grade_read(callback->result, callback->result_length);
    }
    printf("%s  callback %s\n", clock_stamp(clock_wall_ms(), stamp), callback->path);
    if (callback->header) {
        printf("    %s%s%s\n", paint->dim, callback->header, paint->off);
    }
    if (grade.is_grade) {
        printf("    correct: %s%s%s, score: %.2f, %s\n", grade.is_correct ? paint->good : paint->bad,
               grade.is_correct ? "true" : "false", paint->off, grade.score, grade.message);
    } else {
        printf("    no grade: %s\n", callback->result ? callback->result : callback->method);
    }
    (void)fflush(stdout);
}

static void *listener_main(void *context)
{
    struct listener *listener = context;
    size_t seen = 0;
    while (!atomic_load(&listener->stopping)) {
        (void)fake_lms_wait_for(listener->lms, seen + 1, STOP_LOOK_MS);
        for (const struct fake_lms_callback *callback; (callback = fake_lms_callback(listener->lms, seen)); seen++) {
            print_callback(listener, callback);
        }
    }
    return NULL;
}

/* The test LMS aborts when it gets no port: look first. */
static enum status check_port(int port, struct error *error)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    bool is_free = descriptor >= 0 && setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                   bind(descriptor, (const struct sockaddr *)&address, sizeof address) == 0 && listen(descriptor, 1) == 0;
    int cause = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    return is_free ? STATUS_OK
                   : error_set(error, STATUS_UNAVAILABLE, NULL, "port %d for callbacks: %s (see --lms-port)", port,
                               strerror(cause));
}

static enum status listener_start(struct listener *listener, const struct paint *paint, int port, struct error *error)
{
    enum status status = check_port(port, error);
    if (status != STATUS_OK) {
        return status;
    }
    listener->paint = paint;
    listener->lms = fake_lms_start(port);
    if (pthread_create(&listener->thread, NULL, listener_main, listener) != 0) {
        fake_lms_destroy(listener->lms);
        return error_set(error, STATUS_UNAVAILABLE, NULL, "no thread to be had");
    }
    return STATUS_OK;
}

static void listener_stop(struct listener *listener)
{
    atomic_store(&listener->stopping, true);
    pthread_join(listener->thread, NULL);
    fake_lms_destroy(listener->lms);
}

/* ---- what to do with it ---- */

static void print_where(const struct installation *installation, const struct paint *paint, const struct listener *listener)
{
    char url[FAKE_LMS_URL_MAX];
    printf("\n%sXQueue runs.%s Everything it keeps is in %s\n\n", paint->bold, paint->off, installation->folder);
    printf("  REST   http://%s/xqueue/   for an LMS, and pollers of the old protocol\n", installation->rest_address);
    printf("  gRPC   %s   for streaming graders; one is connected: course_grader, queue " INSTALLATION_QUEUE "\n",
           installation->core_address);
    printf("  LMS    %s   callbacks that come here are printed below\n", fake_lms_url(listener->lms, "/", url));
    printf("  users  lms, grader, courier; their passwords: %s/passwords/\n", installation->folder);
}

/* Commands that work when they are copied: the texts are in single quotes and hold none. */
static void print_submitting(const struct installation *installation, const struct paint *paint,
                             const struct listener *listener)
{
    char url[FAKE_LMS_URL_MAX];
    char header[SOLUTIONS_TEXT_MAX];
    char body[SOLUTIONS_TEXT_MAX];
    const char *folder = installation->folder;
    const char *address = installation->rest_address;
    solution_header(fake_lms_url(listener->lms, "/score_update/1", url), "my-word-1", header);
    solution_body(&solutions[0], body);
    printf("\n%sSubmit%s: log in once, then hand in\n\n", paint->bold, paint->off);
    printf("curl -sS -c '%s/cookies' -d username=lms --data-urlencode \"password=$(cat '%s/passwords/lms')\" \\\n"
           "  http://%s/xqueue/login/\n\n",
           folder, folder, address);
    printf("curl -sS -b '%s/cookies' http://%s/xqueue/submit/ \\\n"
           "  --data-urlencode 'xqueue_header=%s' \\\n"
           "  --data-urlencode 'xqueue_body=%s'\n",
           folder, address, header, body);
    printf("\nA later submission with the same lms_callback_url takes the place of an earlier one that is not graded yet.\n");
}

static void print_watching(const struct installation *installation, const struct paint *paint)
{
    const char *folder = installation->folder;
    printf("\n%sWatch%s\n\n", paint->bold, paint->off);
    printf("tail -F '%s'/logs/*.log\n", folder);
    printf("curl -sS -b '%s/cookies' 'http://%s/xqueue/get_queuelen/?queue_name=" INSTALLATION_QUEUE "'\n", folder,
           installation->rest_address);
    printf("grpcurl -plaintext -import-path /usr/share/grpc-proto -proto grpc/health/v1/health.proto \\\n"
           "  %s grpc.health.v1.Health/Check\n",
           installation->core_address);
    printf("\n%sStop%s: Ctrl-C. What waits is kept, for the next start.\n\n", paint->bold, paint->off);
    (void)fflush(stdout);
}

/* ---- serving ---- */

static enum status await_end(const struct installation *installation, int stop_descriptor, struct error *error)
{
    struct pollfd sources[INSTALLATION_PROGRAMS + 1];
    for (size_t i = 0; i < INSTALLATION_PROGRAMS; i++) {
        sources[i] = (struct pollfd){.fd = child_descriptor(installation->programs[i]), .events = POLLIN};
    }
    sources[INSTALLATION_PROGRAMS] = (struct pollfd){.fd = stop_descriptor, .events = POLLIN};
    while (poll(sources, INSTALLATION_PROGRAMS + 1, -1) < 0 && errno == EINTR) {
    }
    for (size_t i = 0; i < INSTALLATION_PROGRAMS; i++) {
        if (sources[i].revents != 0) {
            return error_set(error, STATUS_UNAVAILABLE, NULL, "%s has ended", child_program(installation->programs[i]));
        }
    }
    return error_set(error, STATUS_CANCELED, NULL, "told to stop");
}

enum status serve(struct installation *installation, const struct paint *paint, int lms_port, int stop_descriptor,
                  struct error *error)
{
    struct listener listener = {0};
    enum status status = listener_start(&listener, paint, lms_port, error);
    if (status != STATUS_OK) {
        return status;
    }
    print_where(installation, paint, &listener);
    print_submitting(installation, paint, &listener);
    print_watching(installation, paint);
    status = await_end(installation, stop_descriptor, error);
    listener_stop(&listener);
    return status;
}
