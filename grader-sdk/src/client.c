/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/client.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_event.h"
#include "grader-sdk/src/thread.h"

enum { CHANNEL_RECONNECT_MS_MAX = 1000 }; /* below our own backoff, which decides */

#define LOG_SILENT ((enum log_level)(LOG_ERROR + 1))

struct xqueue_grader {
    /* immutable after create */
    struct settings *settings;
    struct report report;
    struct clock *clock;
    const struct work_link_timing *timing;
    int wake_descriptor; /* eventfd, counts up at each stop and when the link has finished */

    _Atomic int stops; /* how often xqueue_grader_stop was called; further ones than two do not count */
    _Atomic bool has_run;
    _Atomic bool is_finished;

    /* the running thread only, until the link thread starts */
    struct inbox inbox;
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    struct slots *slots;
    struct work_link *link;

    /* the link thread's, until it was joined */
    enum xqueue_status outcome;
    struct xqueue_error outcome_error;
};

/* The library's own copies of log and gRPC's log stay silent, whatever happens. */
static void silence(void)
{
    log_configure("xqueue-grader", LOG_SILENT, LOG_LOGFMT);
    rpc_log_install();
}

static void silence_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, silence);
}

/* ---- create and destroy ---- */

enum xqueue_status client_create(const struct xqueue_grader_options *options, struct clock *clock,
                                 const struct work_link_timing *timing, struct xqueue_grader **out_grader,
                                 struct xqueue_error *error)
{
    if (!options || !out_grader)
        return report_error(error, XQUEUE_STATUS_INVALID, true, NULL, "options or out_grader is NULL");
    if (options->struct_size != sizeof(*options))
        return report_error(error, XQUEUE_STATUS_INVALID, true, NULL, "struct_size is wrong: use xqueue_grader_options_init");
    silence_once();
    struct xqueue_grader *grader = MEMORY_TRY_NEW(struct xqueue_grader);
    if (!grader)
        return report_error(error, XQUEUE_STATUS_NO_MEMORY, true, NULL, "out of memory");
    inbox_init(&grader->inbox);
    grader->clock = clock;
    grader->timing = timing;
    grader->report = (struct report){.log = options->log, .level = options->log_level, .context = options->context};
    grader->wake_descriptor = eventfd(0, EFD_CLOEXEC);
    enum xqueue_status status = XQUEUE_STATUS_OK;
    if (grader->wake_descriptor < 0)
        status = report_error(error, XQUEUE_STATUS_SYSTEM, true, NULL, "no file descriptor is left");
    if (status == XQUEUE_STATUS_OK)
        status = settings_create(options, &grader->settings, error);
    if (status == XQUEUE_STATUS_OK)
        *out_grader = grader;
    else
        xqueue_grader_destroy(grader);
    return status;
}

enum xqueue_status xqueue_grader_create(const struct xqueue_grader_options *options, struct xqueue_grader **out_grader,
                                        struct xqueue_error *error)
{
    return client_create(options, clock_system(), work_link_timing_default(), out_grader, error);
}

void xqueue_grader_destroy(struct xqueue_grader *grader)
{
    if (!grader)
        return;
    inbox_finish(&grader->inbox);
    settings_destroy(grader->settings);
    if (grader->wake_descriptor >= 0)
        (void)close(grader->wake_descriptor);
    memory_free(grader);
}

/* ---- run ---- */

static bool fill_random(void *out, size_t length)
{
    return getrandom(out, length, 0) == (ssize_t)length; // up to 256 bytes come whole
}

/* The loop, the channel, the slots and the link; what was made is taken down by stop_parts. */
static enum xqueue_status start_parts(struct xqueue_grader *grader, struct xqueue_error *error)
{
    const struct settings *settings = grader->settings;
    const struct rpc_tls_channel tls = {.ca_file = settings->ca_file,
                                        .certificate_file = settings->certificate_file,
                                        .key_file = settings->key_file,
                                        .server_name = settings->server_name};
    struct rpc_channel_options channel = {
        .address = settings->address, .tls = &tls, .reconnect_ms_max = CHANNEL_RECONNECT_MS_MAX};
    struct error tls_error = {0};
    struct work_link_options link = {.settings = grader->settings,
                                     .report = &grader->report,
                                     .clock = grader->clock,
                                     .timing = grader->timing,
                                     .inbox = &grader->inbox};
    if (!fill_random(link.instance, sizeof(link.instance)))
        return report_error(error, XQUEUE_STATUS_SYSTEM, true, NULL, "the system gives no random bytes");
    grader->loop = rpc_loop_create("xqueue-grader");
    if (!grader->loop)
        return report_error(error, XQUEUE_STATUS_NO_MEMORY, true, NULL, "no memory or thread for the connection");
    if (rpc_tls_check_channel(settings->address, &tls, &tls_error) != STATUS_OK)
        return report_error(error, XQUEUE_STATUS_INVALID, true, NULL, "%s", tls_error.text);
    enum status status = rpc_channel_create(grader->loop, &channel, &grader->channel);
    if (status == STATUS_INVALID)
        return report_error(error, XQUEUE_STATUS_INVALID, true, NULL, "'%s' is not an address", channel.address);
    if (status == STATUS_OK)
        status = slots_create(grader->settings->slots, grader->settings->handler, grader->settings->context, &grader->slots);
    if (status != STATUS_OK)
        return report_error(error, XQUEUE_STATUS_SYSTEM, true, NULL, "no memory or threads for %u slots",
                            grader->settings->slots);
    link.channel = grader->channel;
    link.slots = grader->slots;
    if (work_link_create(&link, &grader->link) != STATUS_OK)
        return report_error(error, XQUEUE_STATUS_NO_MEMORY, true, NULL, "out of memory");
    return XQUEUE_STATUS_OK;
}

static void stop_parts(struct xqueue_grader *grader)
{
    slots_destroy(grader->slots);
    work_link_destroy(grader->link);
    rpc_channel_destroy(grader->channel);
    rpc_loop_destroy(grader->loop);
}

/* Async-signal-safe. */
static void wake(struct xqueue_grader *grader)
{
    int before = errno;
    uint64_t one = 1;
    // Fails only when the counter is full, and then the reader is awake.
    ssize_t written = write(grader->wake_descriptor, &one, sizeof(one));
    (void)written;
    errno = before;
}

static void *run_link(void *context)
{
    struct xqueue_grader *grader = context;
    grader->outcome = work_link_run(grader->link, &grader->outcome_error);
    atomic_store(&grader->is_finished, true);
    wake(grader);
    return NULL;
}

/* Hands wishes to stop on to the link, from the signal-safe side to the one with locks, until the link has finished. */
static void wait_for_link(struct xqueue_grader *grader)
{
    while (!atomic_load(&grader->is_finished)) {
        int stops = atomic_load(&grader->stops);
        if (stops > 0)
            inbox_post_stop(&grader->inbox, stops == 1 ? INBOX_STOP_DRAIN : INBOX_STOP_CANCEL);
        // A signal handler that stops this grader interrupts poll, whether the host chose SA_RESTART or not.
        struct pollfd wait = {.fd = grader->wake_descriptor, .events = POLLIN};
        if (poll(&wait, 1, -1) != 1)
            continue;
        uint64_t count;
        ssize_t got = read(grader->wake_descriptor, &count, sizeof(count));
        (void)got; // the descriptor says only that there is something to look at
    }
}

static enum xqueue_status run_parts(struct xqueue_grader *grader, struct xqueue_error *error)
{
    pthread_t thread;
    if (thread_start(&thread, run_link, grader) != STATUS_OK)
        return report_error(error, XQUEUE_STATUS_SYSTEM, true, NULL, "the system refuses one more thread");
    wait_for_link(grader);
    pthread_join(thread, NULL);
    if (error && grader->outcome != XQUEUE_STATUS_OK)
        *error = grader->outcome_error;
    return grader->outcome;
}

enum xqueue_status xqueue_grader_run(struct xqueue_grader *grader, struct xqueue_error *error)
{
    if (!grader)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "grader is NULL");
    if (atomic_exchange(&grader->has_run, true))
        return report_error(error, XQUEUE_STATUS_WRONG_STATE, false, NULL, "this grader runs, or ran already");
    // gRPC starts threads of its own; they are born here, or from threads that were.
    sigset_t before;
    thread_block_signals(&before);
    enum xqueue_status status = start_parts(grader, error);
    thread_restore_signals(&before);
    if (status == XQUEUE_STATUS_OK)
        status = run_parts(grader, error);
    stop_parts(grader);
    return status;
}

void xqueue_grader_stop(struct xqueue_grader *grader)
{
    if (!grader)
        return;
    int stops = atomic_load(&grader->stops);
    while (stops <= 1 && !atomic_compare_exchange_weak(&grader->stops, &stops, stops + 1)) {
    }
    wake(grader);
}
