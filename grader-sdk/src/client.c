/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/client.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_event.h"
#include "grader-sdk/src/slots.h"
#include "grader-sdk/src/thread.h"

enum { CHANNEL_RECONNECT_MS_MAX = 1000 }; /* below our own backoff, which decides */

#define LOG_SILENT ((enum log_level)(LOG_ERROR + 1))

struct xqueue_grader {
    /* immutable after create */
    struct settings *settings;
    struct report report;
    struct clock *clock;
    const struct work_link_timing *timing;

    _Atomic bool has_started;
    struct inbox inbox;
    struct handout handout;

    /* of the starting thread, then of the one that takes it down */
    bool is_running; /* the link thread is to be joined */
    pthread_t link_thread;
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    struct slots *slots; /* NULL: the host takes submissions itself */
    struct work_link *link;
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

/* Options end here for programs that were built when they had no more. */
#define OPTIONS_SIZE_FIRST offsetof(struct xqueue_grader_options, report_lost)

static enum xqueue_status fill(struct xqueue_grader *grader, const struct xqueue_grader_options *options,
                               struct xqueue_error *error)
{
    const struct handout_options handout = {.for_host = !options->handler, .tells_lost = options->report_lost};
    grader->report = (struct report){.log = options->log, .level = options->log_level, .context = options->context};
    enum status inbox_status = inbox_init(&grader->inbox);
    enum status handout_status = handout_init(&grader->handout, &handout);
    if (inbox_status != STATUS_OK || handout_status != STATUS_OK)
        return report_error(error, XQUEUE_STATUS_SYSTEM, true, NULL, "no file descriptor is left");
    return settings_create(options, &grader->settings, error);
}

enum xqueue_status client_create(const struct xqueue_grader_options *options, struct clock *clock,
                                 const struct work_link_timing *timing, struct xqueue_grader **out_grader,
                                 struct xqueue_error *error)
{
    struct xqueue_grader_options all = {0};
    if (!options || !out_grader)
        return report_error(error, XQUEUE_STATUS_INVALID, true, NULL, "options or out_grader is NULL");
    if (options->struct_size < OPTIONS_SIZE_FIRST || options->struct_size > sizeof(all))
        return report_error(error, XQUEUE_STATUS_INVALID, true, NULL, "struct_size is wrong: use xqueue_grader_options_init");
    memcpy(&all, options, options->struct_size);
    silence_once();
    struct xqueue_grader *grader = MEMORY_TRY_NEW(struct xqueue_grader);
    if (!grader)
        return report_error(error, XQUEUE_STATUS_NO_MEMORY, true, NULL, "out of memory");
    grader->clock = clock;
    grader->timing = timing;
    enum xqueue_status status = fill(grader, &all, error);
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

/* ---- start and end ---- */

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
    if (status == STATUS_OK && settings->handler)
        status = slots_create(settings, &grader->handout, grader->clock, &grader->slots);
    if (status != STATUS_OK)
        return report_error(error, XQUEUE_STATUS_SYSTEM, true, NULL, "no memory or threads for %u slots",
                            grader->settings->slots);
    link.channel = grader->channel;
    link.handout = &grader->handout;
    if (work_link_create(&link, &grader->link) != STATUS_OK)
        return report_error(error, XQUEUE_STATUS_NO_MEMORY, true, NULL, "out of memory");
    return XQUEUE_STATUS_OK;
}

/* The handout must have ended. */
static void stop_parts(struct xqueue_grader *grader)
{
    if (grader->is_running)
        pthread_join(grader->link_thread, NULL);
    grader->is_running = false;
    slots_destroy(grader->slots);
    work_link_destroy(grader->link);
    rpc_channel_destroy(grader->channel);
    rpc_loop_destroy(grader->loop);
    grader->slots = NULL;
    grader->link = NULL;
    grader->channel = NULL;
    grader->loop = NULL;
}

static void *run_link(void *context)
{
    work_link_run(context);
    return NULL;
}

static enum xqueue_status start(struct xqueue_grader *grader, struct xqueue_error *error)
{
    if (atomic_exchange(&grader->has_started, true))
        return report_error(error, XQUEUE_STATUS_WRONG_STATE, false, NULL, "this grader runs, or ran already");
    // gRPC starts threads of its own; they are born here, or from threads that were.
    sigset_t before;
    struct xqueue_error failure;
    thread_block_signals(&before);
    enum xqueue_status status = start_parts(grader, &failure);
    thread_restore_signals(&before);
    if (status == XQUEUE_STATUS_OK && thread_start(&grader->link_thread, run_link, grader->link) != STATUS_OK)
        status = report_error(&failure, XQUEUE_STATUS_SYSTEM, true, NULL, "the system refuses one more thread");
    grader->is_running = status == XQUEUE_STATUS_OK;
    if (grader->is_running)
        return status;
    handout_end(&grader->handout, &failure);
    stop_parts(grader);
    return handout_outcome(&grader->handout, error);
}

void xqueue_grader_stop(struct xqueue_grader *grader)
{
    if (grader)
        inbox_stop(&grader->inbox);
}

/* What a host that takes submissions itself has left: a second stop, its end, and what is held still. */
static void abandon(struct xqueue_grader *grader)
{
    struct xqueue_submission *submission;
    xqueue_grader_stop(grader);
    xqueue_grader_stop(grader);
    while (handout_take(&grader->handout, grader->clock, CLOCK_NEVER, &submission) != HANDOUT_END) {
    }
    handout_close_all(&grader->handout);
    stop_parts(grader);
}

void xqueue_grader_destroy(struct xqueue_grader *grader)
{
    if (!grader)
        return;
    if (grader->is_running)
        abandon(grader);
    inbox_finish(&grader->inbox);
    handout_finish(&grader->handout);
    settings_destroy(grader->settings);
    memory_free(grader);
}

/* ---- with a handler ---- */

enum xqueue_status xqueue_grader_run(struct xqueue_grader *grader, struct xqueue_error *error)
{
    if (!grader)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "grader is NULL");
    if (!grader->settings->handler)
        return report_error(error, XQUEUE_STATUS_WRONG_STATE, false, NULL, "no handler is given: use xqueue_grader_start");
    enum xqueue_status status = start(grader, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    stop_parts(grader);
    return handout_outcome(&grader->handout, error);
}

/* ---- without one ---- */

enum xqueue_status xqueue_grader_start(struct xqueue_grader *grader, struct xqueue_error *error)
{
    if (!grader)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "grader is NULL");
    if (grader->settings->handler)
        return report_error(error, XQUEUE_STATUS_WRONG_STATE, false, NULL, "a handler is given: use xqueue_grader_run");
    return start(grader, error);
}

int xqueue_grader_descriptor(const struct xqueue_grader *grader)
{
    return grader ? grader->handout.descriptor : -1;
}

enum xqueue_status xqueue_grader_next(struct xqueue_grader *grader, int64_t timeout_ms,
                                      struct xqueue_submission **out_submission, struct xqueue_error *error)
{
    if (!grader || !out_submission)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "grader or out_submission is NULL");
    *out_submission = NULL;
    if (grader->settings->handler || !atomic_load(&grader->has_started))
        return report_error(error, XQUEUE_STATUS_WRONG_STATE, false, NULL, "not without xqueue_grader_start");
    int64_t deadline_ms = timeout_ms < 0 ? CLOCK_NEVER : clock_add_ms(clock_now_ms(grader->clock), timeout_ms);
    switch (handout_take(&grader->handout, grader->clock, deadline_ms, out_submission)) {
    case HANDOUT_SUBMISSION:
        return XQUEUE_STATUS_OK;
    case HANDOUT_LOST:
        return report_error(error, XQUEUE_STATUS_LOST, false, NULL, "the lease of submission %" PRIu64 " is lost",
                            xqueue_submission_id(*out_submission));
    case HANDOUT_END:
        return handout_outcome(&grader->handout, error);
    default:
        return report_error(error, XQUEUE_STATUS_TIMEOUT, false, NULL, "nothing has come");
    }
}
