/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a mock: options, start, the ticker, stop and resume, end. Threading: as mock.h says. */
#include "grader-sdk/mock/mock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_event.h"
#include "base/text.h"
#include "grader-sdk/mock/mock_rules.h"
#include "grader-sdk/mock/mock_server.h"
#include "grader-sdk/mock/mock_session.h"
#include "grader-sdk/src/report.h"
#include "grader-sdk/src/thread.h"

enum { LEASE_MS_MIN = 30, PING_MS_MIN = 10 };

#define LOG_SILENT  ((enum log_level)(LOG_ERROR + 1))
#define UNIX_PREFIX "unix:"
#define SOCKET_NAME "/socket"
#define ANY_PORT    "127.0.0.1:0"

/* This library's own copy of the log, and gRPC's log, stay silent. */
static void silence(void)
{
    log_configure("xqueue-grader-mock", LOG_SILENT, LOG_LOGFMT);
    rpc_log_install();
}

/* ---- options ---- */

static enum xqueue_status check_options(const struct xqueue_mock_options *options, struct xqueue_error *error)
{
    const struct {
        const char *name;
        int64_t value;
        int64_t min;
        int64_t max;
    } numbers[] = {
        {"lease_ms", options->lease_ms, LEASE_MS_MIN, XQUEUE_MOCK_MS_MAX},
        {"accept_ms", options->accept_ms, 1, XQUEUE_MOCK_MS_MAX},
        {"hard_limit_ms", options->hard_limit_ms, 1, XQUEUE_MOCK_MS_MAX},
        {"ping_period_ms", options->ping_period_ms, PING_MS_MIN, XQUEUE_MOCK_MS_MAX},
        {"failures_max", options->failures_max, 1, UINT32_MAX},
        {"result_bytes_max", (int64_t)options->result_bytes_max, 1, XQUEUE_MOCK_BODY_BYTES_MAX},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i].value < numbers[i].min || numbers[i].value > numbers[i].max)
            return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "%s is not %lld to %lld", numbers[i].name,
                                (long long)numbers[i].min, (long long)numbers[i].max);
    if (options->password && !options->user)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "there is a password, but no user");
    return XQUEUE_STATUS_OK;
}

static void copy_options(struct xqueue_mock *mock, const struct xqueue_mock_options *options)
{
    mock->options = *options;
    mock->options.address = NULL; // see mock->address
    mock->options.user = memory_copy_text(options->user);
    mock->options.password = memory_copy_text(options->password);
    mock->options.token = memory_copy_text(options->token);
}

static void free_options(struct xqueue_mock_options *options)
{
    memory_free((char *)(uintptr_t)options->user);
    memory_free((char *)(uintptr_t)options->password);
    memory_free((char *)(uintptr_t)options->token);
}

/* ---- what is due ---- */

void mock_changed(struct xqueue_mock *mock)
{
    mock->is_dirty = true;
    pthread_cond_broadcast(&mock->changed);
    pthread_cond_signal(&mock->due);
}

static void *tick(void *context)
{
    struct xqueue_mock *mock = context;
    pthread_mutex_lock(&mock->mutex);
    while (!mock->is_ending) {
        mock->is_dirty = false;
        int64_t now_ms = clock_now_ms(clock_system());
        int64_t rules_ms = mock_rules_tick(mock, now_ms, mock_session_tell_lost);
        int64_t sessions_ms = mock_session_tick(mock, now_ms);
        // What has changed in here may have a deadline of its own: then look again.
        if (!mock->is_dirty)
            (void)clock_wait_until(clock_system(), &mock->due, &mock->mutex, rules_ms < sessions_ms ? rules_ms : sessions_ms);
    }
    pthread_mutex_unlock(&mock->mutex);
    return NULL;
}

/* ---- start and end ---- */

/* "unix:" becomes a socket in a folder of its own. */
static enum xqueue_status choose_address(struct xqueue_mock *mock, const char *wanted, struct xqueue_error *error)
{
    const char *parent = getenv("TMPDIR");
    if (strcmp(wanted, UNIX_PREFIX) != 0)
        return text_copy(mock->address, sizeof(mock->address), wanted)
                   ? XQUEUE_STATUS_OK
                   : report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "address is too long");
    char folder[sizeof(mock->folder) - sizeof(UNIX_PREFIX) - sizeof(SOCKET_NAME)];
    int length = snprintf(folder, sizeof(folder), "%s/xqueue-mock-XXXXXX", parent && parent[0] ? parent : "/tmp");
    if (length < 0 || (size_t)length >= sizeof(folder))
        return report_error(error, XQUEUE_STATUS_SYSTEM, false, NULL, "TMPDIR is too long for a socket's address");
    if (!mkdtemp(folder))
        return report_error(error, XQUEUE_STATUS_SYSTEM, false, NULL, "cannot make a folder like %s", folder);
    (void)text_copy(mock->folder, sizeof(mock->folder), folder);
    (void)snprintf(mock->address, sizeof(mock->address), UNIX_PREFIX "%s" SOCKET_NAME, folder);
    return XQUEUE_STATUS_OK;
}

/* A port that the system has chosen is the mock's from now on. */
static void keep_port(struct xqueue_mock *mock)
{
    char *colon = strrchr(mock->address, ':');
    if (strncmp(mock->address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return;
    assert(colon);
    (void)snprintf(colon, sizeof(mock->address) - (size_t)(colon - mock->address), ":%d", rpc_server_port(mock->server, 0));
}

static enum xqueue_status serve(struct xqueue_mock *mock, struct xqueue_error *error)
{
    struct error inner = {0};
    sigset_t before;
    thread_block_signals(&before); // threads of gRPC's are born here
    enum status status = mock_server_start(mock, mock->address, &inner);
    thread_restore_signals(&before);
    return status == STATUS_OK ? XQUEUE_STATUS_OK
                               : report_error(error, report_status(status), false, inner.reason, "%s", inner.text);
}

static enum xqueue_status start_parts(struct xqueue_mock *mock, const char *address, struct xqueue_error *error)
{
    sigset_t before;
    enum xqueue_status status = choose_address(mock, address, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    thread_block_signals(&before);
    mock->loop = rpc_loop_create("xqueue-mock");
    thread_restore_signals(&before);
    if (!mock->loop)
        return report_error(error, XQUEUE_STATUS_SYSTEM, false, NULL, "no thread for the connections");
    status = serve(mock, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    keep_port(mock);
    mock->has_ticker = thread_start(&mock->ticker, tick, mock) == STATUS_OK;
    return mock->has_ticker ? XQUEUE_STATUS_OK
                            : report_error(error, XQUEUE_STATUS_SYSTEM, false, NULL, "the system refuses one more thread");
}

enum xqueue_status xqueue_mock_start(const struct xqueue_mock_options *options, struct xqueue_mock **out_mock,
                                     struct xqueue_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct xqueue_mock_options defaults;
    xqueue_mock_options_init(&defaults);
    const struct xqueue_mock_options *wanted = options ? options : &defaults;
    if (!out_mock || wanted->struct_size != sizeof(*wanted))
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL,
                            "out_mock is NULL, or struct_size is wrong: use xqueue_mock_options_init");
    enum xqueue_status status = check_options(wanted, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    (void)pthread_once(&once, silence);
    struct xqueue_mock *mock = MEMORY_NEW(struct xqueue_mock);
    copy_options(mock, wanted);
    pthread_mutex_init(&mock->serving, NULL);
    pthread_mutex_init(&mock->mutex, NULL);
    clock_condition_init(&mock->changed);
    clock_condition_init(&mock->due);
    list_init(&mock->submissions);
    list_init(&mock->sessions);
    secret_token(mock->session_token);
    status = start_parts(mock, wanted->address ? wanted->address : ANY_PORT, error);
    if (status == XQUEUE_STATUS_OK)
        *out_mock = mock;
    else
        xqueue_mock_destroy(mock);
    return status;
}

static void end_ticker(struct xqueue_mock *mock)
{
    pthread_mutex_lock(&mock->mutex);
    mock->is_ending = true;
    mock_changed(mock);
    pthread_mutex_unlock(&mock->mutex);
    if (mock->has_ticker)
        pthread_join(mock->ticker, NULL);
}

void xqueue_mock_destroy(struct xqueue_mock *mock)
{
    struct list_node *node;
    if (!mock)
        return;
    end_ticker(mock);
    xqueue_mock_stop(mock);
    rpc_loop_destroy(mock->loop);
    assert(list_is_empty(&mock->sessions));
    while ((node = list_take_first(&mock->submissions)) != NULL)
        mock_submission_free(LIST_OWNER(node, struct mock_submission, node));
    if (mock->folder[0]) {
        (void)unlink(mock->address + strlen(UNIX_PREFIX));
        (void)rmdir(mock->folder);
    }
    pthread_cond_destroy(&mock->due);
    pthread_cond_destroy(&mock->changed);
    pthread_mutex_destroy(&mock->mutex);
    pthread_mutex_destroy(&mock->serving);
    free_options(&mock->options);
    memory_free(mock);
}

const char *xqueue_mock_address(const struct xqueue_mock *mock)
{
    return mock ? mock->address : "";
}

/* ---- away and back ---- */

void xqueue_mock_stop(struct xqueue_mock *mock)
{
    if (!mock)
        return;
    pthread_mutex_lock(&mock->serving);
    mock_server_stop(mock);
    pthread_mutex_unlock(&mock->serving);
}

enum xqueue_status xqueue_mock_resume(struct xqueue_mock *mock, struct xqueue_error *error)
{
    if (!mock)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "mock is NULL");
    pthread_mutex_lock(&mock->serving);
    enum xqueue_status status = mock->server ? XQUEUE_STATUS_OK : serve(mock, error);
    pthread_mutex_unlock(&mock->serving);
    return status;
}

enum xqueue_status xqueue_mock_drop_connections(struct xqueue_mock *mock, struct xqueue_error *error)
{
    xqueue_mock_stop(mock);
    return xqueue_mock_resume(mock, error);
}
