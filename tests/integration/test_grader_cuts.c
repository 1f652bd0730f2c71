/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_grader_core xqueue_test_support */
/* A grader of the SDK under load whose connection is cut a hundred times, at any byte: each submission gets one result, and one
 * only. XQUEUE_TEST_SEED chooses another sequence of cuts; the seed is printed. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "grader-sdk/src/client.h"
#include "tests/support/conversation.h"
#include "tests/support/run_command.h"
#include "tests/support/shaky_link.h"

enum {
    CUTS = 100,
    BYTES_MAX = 6000,      /* enough for a login and some submissions */
    TLS_BYTES_MAX = 12000, /* and for a handshake */
    SLOTS = 8,
    WINDOW = 24, /* submissions on their way at one time */
    NUMBERS_MAX = 20000,
    PATH_BYTES_MAX = 32,
};

/* So that no test waits long for a connection. */
static const struct work_link_timing timing = {
    .backoff_first_ms = 1,
    .backoff_longest_ms = 20,
    .login_timeout_ms = 5000,
    .welcome_timeout_ms = 5000,
    .progress_pause_ms = 10,
    .farewell_ms = 5000,
};

/* A grant that a cut swallowed comes back soon. */
#define QUEUES "  shaken:\n    accept_within_ms: 500\n    retry_delay_ms: 20\n    attempts_max: 20\n"
#define PINGS  "  ping_period_ms: 500\n"

struct world {
    struct conversation *talk;
    struct shaky_link *link;
    char certificates[64]; /* the folder that has them; "": no TLS */
    struct xqueue_grader *grader;
    pthread_t thread;
    bool is_running; /* the thread was started and not joined */
    enum xqueue_status outcome;

    pthread_mutex_t mutex;
    /* guarded by mutex; by number of the submission, from 0 */
    uint32_t answers[NUMBERS_MAX]; /* that the library took */
    uint32_t losses[NUMBERS_MAX];  /* leases that were lost */
    uint32_t again;                /* handlers that saw another attempt than the first */
};

static size_t number_of(const struct xqueue_submission *submission)
{
    size_t length = 0;
    char text[16] = "";
    const void *body = xqueue_submission_body(submission, &length);

    assert_true(length < sizeof(text));
    memcpy(text, body, length);
    const size_t number = strtoul(text, NULL, 10);
    assert_true(number < NUMBERS_MAX);
    return number;
}

/* The attempt stands in the result: two results of one submission would differ. */
static void grade(struct xqueue_submission *submission, void *context)
{
    struct world *world = context;
    const size_t number = number_of(submission);
    const uint32_t attempt = xqueue_submission_attempt(submission);
    char result[64];
    const int length = snprintf(result, sizeof(result), "{\"number\": %zu, \"attempt\": %" PRIu32 "}", number, attempt);

    const enum xqueue_status status = xqueue_submission_complete(submission, result, (size_t)length);

    pthread_mutex_lock(&world->mutex);
    world->answers[number] += status == XQUEUE_STATUS_OK;
    world->losses[number] += status == XQUEUE_STATUS_LOST;
    world->again += attempt > 1;
    pthread_mutex_unlock(&world->mutex);
}

static void *run(void *context)
{
    struct world *world = context;

    world->outcome = xqueue_grader_run(world->grader, NULL);
    return NULL;
}

static void grader_starts(struct world *world)
{
    static const char *const queues[] = {"shaken"};
    char address[RUNNING_SERVICE_TEXT_MAX];
    char authority[RUNNING_SERVICE_TEXT_MAX];
    struct xqueue_grader_options options;
    struct xqueue_error error;

    (void)snprintf(address, sizeof(address), "%s127.0.0.1:%d", world->certificates[0] != 0 ? "tls://" : "",
                   shaky_link_port(world->link));
    (void)snprintf(authority, sizeof(authority), "%s/ca.pem", world->certificates);
    xqueue_grader_options_init(&options);
    options.ca_file = world->certificates[0] != 0 ? authority : NULL;
    options.handler = grade;
    options.context = world;
    options.address = address;
    options.grader = "shaken";
    options.queues = queues;
    options.queue_count = 1;
    options.slots = SLOTS;
    options.user = "grader";
    options.password = "grader";
    assert_int_equal(client_create(&options, clock_system(), &timing, &world->grader, &error), XQUEUE_STATUS_OK);
    assert_int_equal(pthread_create(&world->thread, NULL, run, world), 0);
    world->is_running = true;
}

static void grader_has_ended(struct world *world)
{
    pthread_join(world->thread, NULL);
    world->is_running = false;
}

static const char *path_of(size_t number, char path[PATH_BYTES_MAX])
{
    (void)snprintf(path, PATH_BYTES_MAX, "/cuts/%zu", number);
    return path;
}

static uint64_t submit(struct conversation *talk, size_t number)
{
    char path[PATH_BYTES_MAX];
    char body[16];

    (void)snprintf(body, sizeof(body), "%zu", number);
    return student_submits(talk, "shaken", path_of(number, path), body);
}

/* Submits until the link has been cut so often. Returns the number of submissions; *out_first: the id of the first. */
static size_t load_goes_on(struct world *world, uint64_t *out_first)
{
    size_t count = 0;

    while (shaky_link_cuts(world->link) < CUTS) {
        assert_true(count < NUMBERS_MAX);
        const uint64_t id = submit(world->talk, count);
        *out_first = count == 0 ? id : *out_first;
        count++;
        if (count > WINDOW) {
            assert_true(fake_lms_wait_for(world->talk->lms, count - WINDOW, CONVERSATION_PATIENCE_MS));
        }
    }
    return count;
}

/* One accepted result, brought once; more answers than that only where a lease was lost or given again. */
static void has_one_result(struct world *world, uint64_t id, size_t number)
{
    char path[PATH_BYTES_MAX];
    char expected[64];
    const struct fake_lms_callback *callback = lms_hears(world->talk, path_of(number, path), 0);
    assert_true(core_await_delivery(world->talk->admin, id, XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_DELIVERED));
    const struct core_view view = admin_sees(world->talk, id);

    (void)snprintf(expected, sizeof(expected), "{\"number\": %zu, \"attempt\": %" PRIu32 "}", number, view.attempt);
    assert_int_equal(view.state, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_GRADED);
    assert_string_equal(view.result, expected);
    assert_string_equal(callback->result, expected);
    assert_int_equal(fake_lms_count_path(world->talk->lms, path), 1);
    pthread_mutex_lock(&world->mutex);
    assert_in_range(world->answers[number] + world->losses[number], 1, view.attempt);
    pthread_mutex_unlock(&world->mutex);
}

static void every_submission_has_one_result_after_a_hundred_cuts(void **state)
{
    struct world *world = *state;
    uint64_t first = 0;
    grader_starts(world);

    const size_t count = load_goes_on(world, &first);
    for (size_t number = 0; number < count; number++) {
        has_one_result(world, first + number, number);
    }
    xqueue_grader_stop(world->grader);
    grader_has_ended(world);

    assert_int_equal(world->outcome, XQUEUE_STATUS_OK);
    assert_int_equal(fake_lms_count(world->talk->lms), count);
    (void)printf("%zu submissions, %d cuts, %" PRIu32 " given again\n", count, shaky_link_cuts(world->link), world->again);
}

static void over_tls_it_is_the_same(void **state)
{
    every_submission_has_one_result_after_a_hundred_cuts(state);
}

static struct world *world_create(void)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    pthread_mutex_init(&world->mutex, NULL);
    return world;
}

static void link_starts(struct world *world, int port, uint32_t bytes_max)
{
    const char *chosen = getenv("XQUEUE_TEST_SEED");
    const uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)time(NULL);

    (void)printf("XQUEUE_TEST_SEED=%" PRIu64 "\n", seed);
    world->link =
        shaky_link_start(&(struct shaky_link_options){.target_port = port, .seed = seed, .cuts = CUTS, .bytes_max = bytes_max});
}

static int set_up(void **state)
{
    const struct running_service_options settings = {.service = PINGS, .queues = QUEUES};
    struct world *world = world_create();

    world->talk = conversation_start(&settings);
    link_starts(world, world->talk->service.core_port, BYTES_MAX);
    *state = world;
    return 0;
}

static void run_to_the_end(const char *const *arguments)
{
    struct run_command command;

    run_command_start(&command, arguments, NULL, NULL);
    run_command_wait(&command);
    assert_int_equal(command.exit_code, 0);
    run_command_finish(&command);
}

static int set_up_tls(void **state)
{
    static const char program[] = XQUEUE_SOURCE_DIR "/tests/support/make_certificates.sh";
    struct world *world = world_create();
    const int port = running_service_free_port();
    char lines[RUNNING_SERVICE_TEXT_MAX * 2];
    const struct running_service_options settings = {.service = lines, .queues = QUEUES};
    const char *const make[] = {program, world->certificates, NULL};

    (void)snprintf(world->certificates, sizeof(world->certificates), "/tmp/xqueue-certificates-XXXXXX");
    assert_non_null(mkdtemp(world->certificates));
    run_to_the_end(make);
    (void)snprintf(lines, sizeof(lines),
                   PINGS
                   "  tls:\n    - listen: 127.0.0.1:%d\n      certificate_file: %s/server.pem\n      key_file: %s/server.key\n",
                   port, world->certificates, world->certificates);
    world->talk = conversation_start(&settings);
    link_starts(world, port, TLS_BYTES_MAX);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    if (world->is_running) { // the test failed
        xqueue_grader_stop(world->grader);
        xqueue_grader_stop(world->grader);
        grader_has_ended(world);
    }
    xqueue_grader_destroy(world->grader);
    shaky_link_stop(world->link);
    const bool is_clean = conversation_finish(world->talk);
    if (world->certificates[0] != 0) {
        const char *const removal[] = {"/bin/rm", "-r", world->certificates, NULL};
        run_to_the_end(removal);
    }
    pthread_mutex_destroy(&world->mutex);
    free(world);
    return is_clean ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_submission_has_one_result_after_a_hundred_cuts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(over_tls_it_is_the_same, set_up_tls, tear_down),
    };
    return cmocka_run_group_tests_name("grader cuts", tests, NULL, NULL);
}
