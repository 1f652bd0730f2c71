/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_xqueued */
/* Files of a submission are fetched: whole, broken off, wrong, into places that do not take them, and by one who must stop. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/secret.h"
#include "base/text.h"
#include "tests/support/grader_rig.h"

#define AWAIT(kind_) scripted_xqueued_await(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_##kind_)

enum { FILE_BYTES = 1000000, PATH_BYTES = 256, FOLDER_BYTES = 64, SLOTS = 3, UNTOUCHED = 99 };

static uint8_t content[FILE_BYTES];

/* What the handler is to do, and what came of it. Written by one side only while the other waits for a message. */
static struct {
    struct grader_rig rig;
    struct xqueue_fetch_options options;
    char folder[FOLDER_BYTES];
    char path[PATH_BYTES];
    int descriptor;

    enum xqueue_status status;
    struct xqueue_error error;
    void *bytes;
    size_t length;
} test;

static enum xqueue_status fetch(struct xqueue_submission *submission, const char *how)
{
    if (strcmp(how, "path") == 0)
        return xqueue_submission_fetch_path(submission, 0, &test.options, test.path, &test.error);
    if (strcmp(how, "descriptor") == 0)
        return xqueue_submission_fetch_descriptor(submission, 0, &test.options, test.descriptor, &test.error);
    if (strcmp(how, "answered") == 0)
        (void)xqueue_submission_complete(submission, "early", strlen("early"));
    return xqueue_submission_fetch_memory(submission, 0, &test.options, &test.bytes, &test.length, &test.error);
}

static void handle(struct xqueue_submission *submission, void *context)
{
    struct grader_rig *rig = context;
    char how[32];
    size_t length = 0;
    const char *body = xqueue_submission_body(submission, &length);
    (void)snprintf(how, sizeof(how), "%.*s", (int)length, body);
    enum xqueue_status status = fetch(submission, how);
    pthread_mutex_lock(&rig->mutex);
    test.status = status;
    rig->returned++;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
    (void)xqueue_submission_complete(submission, "graded", strlen("graded"));
}

static int set_up(void **state)
{
    memset(&test, 0, sizeof(test));
    grader_rig_init(&test.rig, NULL);
    test.rig.options.handler = handle;
    test.rig.options.slots = SLOTS;
    test.bytes = NULL;
    test.length = UNTOUCHED;
    xqueue_fetch_options_init(&test.options);
    (void)snprintf(test.folder, sizeof(test.folder), "/tmp/test-grader-files-XXXXXX");
    assert_non_null(mkdtemp(test.folder));
    (void)snprintf(test.path, sizeof(test.path), "%s/main.py", test.folder);
    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (uint8_t)(i * 7 + i / 251);
    *state = &test.rig;
    return 0;
}

static int tear_down(void **state)
{
    grader_rig_finish(*state);
    xqueue_memory_free(test.bytes);
    (void)unlink(test.path);
    return rmdir(test.folder); // nothing else may be in it
}

static const struct scripted_file whole_file = {.bytes = content, .length = sizeof(content)};

/* How the next submission's file is served. */
static void serves(const struct scripted_file *file)
{
    scripted_files_serve(scripted_xqueued_files(test.rig.core), file);
}

static struct grader_rig *connected(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_start(rig);
    assert_non_null(AWAIT(HELLO));
    scripted_xqueued_welcome(rig->core, NULL);
    return rig;
}

/* A submission with the content as its file; how: what its handler does. */
static void is_granted(struct grader_rig *rig, uint64_t id, const char *how)
{
    char name[] = "solution";
    char file_id[] = "0011";
    uint8_t digest[SECRET_DIGEST_BYTES];
    Xqueue__V1__File file = XQUEUE__V1__FILE__INIT;
    secret_digest(content, sizeof(content), digest);
    file.name = name;
    file.file_id = file_id;
    file.size_bytes = sizeof(content);
    file.sha256 = (ProtobufCBinaryData){.len = sizeof(digest), .data = digest};
    scripted_xqueued_grant_file(rig->core, id, how, &file);
}

/* A submission's file without size and digest. */
static void is_granted_unknown(struct grader_rig *rig, uint64_t id, const char *how)
{
    char file_id[] = "0011";
    Xqueue__V1__File file = XQUEUE__V1__FILE__INIT;
    file.file_id = file_id;
    scripted_xqueued_grant_file(rig->core, id, how, &file);
}

static enum xqueue_status outcome(struct grader_rig *rig)
{
    assert_true(grader_rig_await_returned(rig, 1));
    if (test.status != XQUEUE_STATUS_OK)
        assert_int_equal(test.error.status, test.status);
    return test.status;
}

static enum xqueue_status fetched(struct grader_rig *rig, const char *how)
{
    is_granted(rig, 1, how);
    return outcome(rig);
}

static void assert_nothing_kept(void)
{
    assert_null(test.bytes);
    assert_int_equal(test.length, UNTOUCHED);
    assert_int_not_equal(access(test.path, F_OK), 0);
}

static void assert_content(const char *path)
{
    static uint8_t read_back[FILE_BYTES + 1];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(read_back, 1, sizeof(read_back), file), sizeof(content));
    (void)fclose(file);
    assert_memory_equal(read_back, content, sizeof(content));
}

/* ---- all goes well ---- */

static void a_file_comes_into_memory(void **state)
{
    struct grader_rig *rig = connected(state);
    serves(&whole_file);

    assert_int_equal(fetched(rig, "memory"), XQUEUE_STATUS_OK);

    assert_int_equal(test.length, sizeof(content));
    assert_memory_equal(test.bytes, content, sizeof(content));
    assert_int_equal(scripted_files_calls(scripted_xqueued_files(rig->core)), 1);
}

static void a_file_replaces_what_was_at_its_path_and_is_for_its_owner(void **state)
{
    struct grader_rig *rig = connected(state);
    struct stat about;
    serves(&whole_file);
    assert_int_equal(symlink("/nowhere/else", test.path), 0);

    assert_int_equal(fetched(rig, "path"), XQUEUE_STATUS_OK);

    assert_int_equal(lstat(test.path, &about), 0);
    assert_int_equal(about.st_mode, S_IFREG | 0600);
    assert_content(test.path);
}

static void a_file_goes_behind_what_a_descriptor_has_and_the_descriptor_stays(void **state)
{
    struct grader_rig *rig = connected(state);
    uint8_t *both = malloc(sizeof(content) + 6);
    serves(&whole_file);
    test.descriptor = open(test.path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(test.descriptor, "before", 6), 6);

    assert_int_equal(fetched(rig, "descriptor"), XQUEUE_STATUS_OK);

    assert_int_equal(lseek(test.descriptor, 0, SEEK_CUR), sizeof(content) + 6);
    assert_int_equal(pread(test.descriptor, both, sizeof(content) + 6, 0), sizeof(content) + 6);
    assert_memory_equal(both, "before", 6);
    assert_memory_equal(both + 6, content, sizeof(content));
    assert_int_equal(close(test.descriptor), 0);
    free(both);
}

static void what_is_not_known_of_a_file_is_taken_from_the_service(void **state)
{
    struct grader_rig *rig = connected(state);
    serves(&(struct scripted_file){.bytes = content, .length = 0});
    is_granted_unknown(rig, 1, "memory");

    assert_int_equal(outcome(rig), XQUEUE_STATUS_OK);

    assert_non_null(test.bytes);
    assert_int_equal(test.length, 0);
}

static void a_file_that_is_cut_off_goes_on_from_where_it_was(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_files *files = scripted_xqueued_files(rig->core);
    struct scripted_file file = whole_file;
    file.cut_calls = 3;
    file.cut_chunks = 1;
    file.status = STATUS_UNAVAILABLE;
    serves(&file);

    assert_int_equal(fetched(rig, "path"), XQUEUE_STATUS_OK);

    assert_int_equal(scripted_files_calls(files), 4);
    assert_int_equal(scripted_files_offset(files), 3 * SCRIPTED_FILE_CHUNK_BYTES);
    assert_content(test.path);
    assert_int_equal(grader_rig_count_log(rig, "is interrupted at 262144 bytes"), 1);
    assert_int_equal(grader_rig_count_log(rig, "is interrupted"), 1);
}

static void a_service_that_cannot_now_is_asked_again(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.cut_calls = 3;
    file.status = STATUS_FULL; // too many fetches at one time
    serves(&file);

    assert_int_equal(fetched(rig, "memory"), XQUEUE_STATUS_OK);

    assert_int_equal(scripted_files_calls(scripted_xqueued_files(rig->core)), 4);
}

static void fetches_on_several_slots_end_each_with_its_own_lease(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_files *files = scripted_xqueued_files(rig->core);
    struct scripted_file file = whole_file;
    file.cut_calls = SLOTS;
    file.cut_chunks = 1;
    file.hangs = true;
    serves(&file);
    for (uint64_t id = 1; id <= SLOTS; id++)
        is_granted(rig, id, "memory");
    assert_true(scripted_files_await_hanging(files, SLOTS));

    for (uint64_t id = 1; id <= SLOTS; id++) {
        scripted_xqueued_lose(rig->core, id, XQUEUE__V1__LOST_REASON__LOST_REASON_SUPERSEDED);
        assert_true(grader_rig_await_returned(rig, (int)id));
        assert_true(scripted_files_await_closed(files, (int)id));
    }

    assert_nothing_kept();
}

static void a_session_that_has_ended_is_renewed(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.user = "grader";
    rig->options.password = "secret";
    scripted_xqueued_require_login(rig->core, "grader", "secret");
    (void)connected(state);
    scripted_xqueued_expire_tokens(rig->core);
    serves(&whole_file);

    assert_int_equal(fetched(rig, "memory"), XQUEUE_STATUS_OK);

    assert_int_equal(scripted_xqueued_login_count(rig->core), 2);
    scripted_xqueued_refuse_logins(rig->core, STATUS_UNAUTHENTICATED);
    scripted_xqueued_expire_tokens(rig->core);
    is_granted(rig, 2, "path");
    assert_true(grader_rig_await_returned(rig, 2));
    assert_int_equal(test.status, XQUEUE_STATUS_UNAUTHENTICATED);
}

/* ---- it is not what it should be ---- */

static const uint8_t other_digest[SECRET_DIGEST_BYTES] = {1};

static void another_file_than_the_submission_names_is_not_taken(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.said_sha256 = other_digest;
    serves(&file);

    assert_int_equal(fetched(rig, "path"), XQUEUE_STATUS_DATA_LOSS);

    assert_nothing_kept();
}

static void another_size_than_the_submission_names_is_not_taken(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.said_size_bytes = sizeof(content) + 1;
    serves(&file);

    assert_int_equal(fetched(rig, "memory"), XQUEUE_STATUS_DATA_LOSS);

    assert_nothing_kept();
}

static void other_bytes_than_the_digest_promises_are_not_kept(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.said_sha256 = other_digest;
    serves(&file);
    is_granted_unknown(rig, 1, "path");

    assert_int_equal(outcome(rig), XQUEUE_STATUS_DATA_LOSS);

    assert_string_equal(test.error.text, "other bytes came than the file's digest says");
    assert_nothing_kept();
}

static void more_bytes_than_announced_are_not_kept(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.said_size_bytes = SCRIPTED_FILE_CHUNK_BYTES + 1;
    serves(&file);
    is_granted_unknown(rig, 1, "memory");

    assert_int_equal(outcome(rig), XQUEUE_STATUS_DATA_LOSS);

    assert_string_equal(test.error.text, "more bytes came than the file has");
    assert_nothing_kept();
}

static void fewer_bytes_than_announced_are_not_kept(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.said_size_bytes = sizeof(content) + 1;
    serves(&file);
    is_granted_unknown(rig, 1, "memory");

    assert_int_equal(outcome(rig), XQUEUE_STATUS_DATA_LOSS);

    assert_string_equal(test.error.text, "the service ended the file too early");
    assert_nothing_kept();
}

static void a_file_that_changes_in_between_is_not_kept(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.cut_calls = 1;
    file.cut_chunks = 1;
    file.status = STATUS_UNAVAILABLE;
    file.then_sha256 = other_digest;
    serves(&file);

    assert_int_equal(fetched(rig, "path"), XQUEUE_STATUS_DATA_LOSS);

    assert_string_equal(test.error.text, "the service's file has changed");
    assert_nothing_kept();
}

static void a_file_over_the_maximum_is_not_fetched(void **state)
{
    struct grader_rig *rig = connected(state);
    serves(&whole_file);
    test.options.bytes_max = sizeof(content) - 1;

    assert_int_equal(fetched(rig, "memory"), XQUEUE_STATUS_FULL);
    assert_int_equal(scripted_files_calls(scripted_xqueued_files(rig->core)), 0);
    is_granted_unknown(rig, 2, "path");
    assert_true(grader_rig_await_returned(rig, 2));

    assert_int_equal(test.status, XQUEUE_STATUS_FULL);
    assert_nothing_kept();
}

static void a_refusal_is_told_with_its_reason_and_not_repeated(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.cut_calls = 1;
    file.status = STATUS_NOT_FOUND;
    serves(&file);

    assert_int_equal(fetched(rig, "path"), XQUEUE_STATUS_NOT_FOUND);

    assert_string_equal(test.error.reason, "SCRIPTED");
    assert_int_equal(scripted_files_calls(scripted_xqueued_files(rig->core)), 1);
    assert_nothing_kept();
}

/* ---- who must stop ---- */

static void a_lost_lease_ends_a_fetch_that_waits_for_bytes(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.cut_calls = 1;
    file.cut_chunks = 2;
    file.hangs = true;
    serves(&file);
    is_granted(rig, 1, "path");
    assert_true(scripted_files_await_hanging(scripted_xqueued_files(rig->core), 1));

    scripted_xqueued_lose(rig->core, 1, XQUEUE__V1__LOST_REASON__LOST_REASON_CANCELED);

    assert_int_equal(outcome(rig), XQUEUE_STATUS_LOST);
    assert_true(scripted_files_await_closed(scripted_xqueued_files(rig->core), 1));
    assert_nothing_kept();
}

static void a_canceled_grader_ends_a_fetch_that_is_asked_again_and_again(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.cut_calls = INT32_MAX;
    file.status = STATUS_UNAVAILABLE;
    serves(&file);
    is_granted(rig, 1, "memory");
    assert_true(scripted_files_await_closed(scripted_xqueued_files(rig->core), 3));

    xqueue_grader_stop(rig->grader);
    xqueue_grader_stop(rig->grader);

    assert_int_equal(outcome(rig), XQUEUE_STATUS_LOST);
    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_CANCELED);
    assert_nothing_kept();
}

static void a_fetch_ends_when_its_time_is_up(void **state)
{
    struct grader_rig *rig = connected(state);
    struct scripted_file file = whole_file;
    file.cut_calls = INT32_MAX;
    file.status = STATUS_UNAVAILABLE;
    serves(&file);
    test.options.timeout_ms = 50;

    assert_int_equal(fetched(rig, "path"), XQUEUE_STATUS_TIMEOUT);

    assert_string_equal(test.error.text, "the file did not come in time: the script says so");
    assert_nothing_kept();
}

static void who_has_answered_does_not_fetch(void **state)
{
    struct grader_rig *rig = connected(state);
    serves(&whole_file);

    assert_int_equal(fetched(rig, "answered"), XQUEUE_STATUS_WRONG_STATE);

    assert_nothing_kept();
}

/* ---- places that do not take it, and wrong arguments ---- */

static void a_full_disk_is_said_and_nothing_is_kept(void **state)
{
    struct grader_rig *rig = connected(state);
    struct rlimit before;
    serves(&whole_file);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 300000, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);

    enum xqueue_status status = fetched(rig, "path");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_int_equal(status, XQUEUE_STATUS_SYSTEM);
    assert_string_equal(test.error.text, "the file cannot be written: File too large");
    assert_true(test.error.retriable);
    assert_nothing_kept();
}

static void a_device_without_room_is_said(void **state)
{
    struct grader_rig *rig = connected(state);
    serves(&whole_file);
    test.descriptor = open("/dev/full", O_WRONLY);

    assert_int_equal(fetched(rig, "descriptor"), XQUEUE_STATUS_SYSTEM);

    assert_string_equal(test.error.text, "the file cannot be written: No space left on device");
    assert_int_equal(close(test.descriptor), 0);
}

static void a_wrong_place_is_said_before_anything_is_fetched(void **state)
{
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"/nowhere/main.py", "the folder for the file cannot be opened: No such file or directory"},
        {"/proc/main.py", "no file can be made in the folder: No such file or directory"},
        {"/tmp/", "the path does not end with the name of a file"},
        {"", "the path does not end with the name of a file"},
        {"/tmp/..", "the path does not end with the name of a file"},
        {"/dev/null/main.py", "the folder for the file cannot be opened: Not a directory"},
        {"/tmp", "the path is a folder's: Is a directory"},
    };
    struct grader_rig *rig = connected(state);
    char own[PATH_BYTES];
    serves(&whole_file);
    (void)text_copy(own, sizeof(own), test.path);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)text_copy(test.path, sizeof(test.path), cases[i].path);
        is_granted(rig, i + 1, "path");
        assert_true(grader_rig_await_returned(rig, (int)i + 1));
        assert_int_equal(test.status, XQUEUE_STATUS_INVALID);
        assert_string_equal(test.error.text, cases[i].text);
        assert_non_null(AWAIT(COMPLETE));
        scripted_xqueued_ack(rig->core, i + 1, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE,
                             XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
        assert_true(grader_rig_await_log(rig, "answer confirmed"));
    }
    (void)text_copy(test.path, sizeof(test.path), own);
    assert_int_equal(scripted_files_calls(scripted_xqueued_files(rig->core)), 0);
}

static void a_file_that_only_has_a_url_is_the_callers(void **state)
{
    struct grader_rig *rig = connected(state);
    char url[] = "http://example.org/main.py";
    Xqueue__V1__File file = XQUEUE__V1__FILE__INIT;
    file.url = url;
    scripted_xqueued_grant_file(rig->core, 1, "memory", &file);

    assert_int_equal(outcome(rig), XQUEUE_STATUS_UNIMPLEMENTED);

    assert_non_null(strstr(test.error.text, "fetch file->url"));
    assert_nothing_kept();
}

static void wrong_arguments_are_refused(void **state)
{
    struct grader_rig *rig = connected(state);
    void *bytes;
    size_t length;
    serves(&whole_file);
    test.options.timeout_ms = -1;
    assert_int_equal(fetched(rig, "memory"), XQUEUE_STATUS_INVALID);
    test.options.timeout_ms = 0;
    test.options.struct_size = 1;
    is_granted(rig, 2, "path");
    assert_true(grader_rig_await_returned(rig, 2));
    assert_int_equal(test.status, XQUEUE_STATUS_INVALID);
    test.options.struct_size = sizeof(test.options);
    test.descriptor = -1;
    is_granted(rig, 3, "descriptor");
    assert_true(grader_rig_await_returned(rig, 3));
    assert_int_equal(test.status, XQUEUE_STATUS_INVALID);

    assert_int_equal(xqueue_submission_fetch_memory(NULL, 0, NULL, &bytes, &length, NULL), XQUEUE_STATUS_INVALID);
    assert_int_equal(xqueue_submission_fetch_memory(NULL, 0, NULL, NULL, &length, NULL), XQUEUE_STATUS_INVALID);
    assert_int_equal(xqueue_submission_fetch_path(NULL, 0, NULL, NULL, NULL), XQUEUE_STATUS_INVALID);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_comes_into_memory),
        CASE(a_file_replaces_what_was_at_its_path_and_is_for_its_owner),
        CASE(a_file_goes_behind_what_a_descriptor_has_and_the_descriptor_stays),
        CASE(what_is_not_known_of_a_file_is_taken_from_the_service),
        CASE(a_file_that_is_cut_off_goes_on_from_where_it_was),
        CASE(a_service_that_cannot_now_is_asked_again),
        CASE(fetches_on_several_slots_end_each_with_its_own_lease),
        CASE(a_session_that_has_ended_is_renewed),
        CASE(another_file_than_the_submission_names_is_not_taken),
        CASE(another_size_than_the_submission_names_is_not_taken),
        CASE(other_bytes_than_the_digest_promises_are_not_kept),
        CASE(more_bytes_than_announced_are_not_kept),
        CASE(fewer_bytes_than_announced_are_not_kept),
        CASE(a_file_that_changes_in_between_is_not_kept),
        CASE(a_file_over_the_maximum_is_not_fetched),
        CASE(a_refusal_is_told_with_its_reason_and_not_repeated),
        CASE(a_lost_lease_ends_a_fetch_that_waits_for_bytes),
        CASE(a_canceled_grader_ends_a_fetch_that_is_asked_again_and_again),
        CASE(a_fetch_ends_when_its_time_is_up),
        CASE(who_has_answered_does_not_fetch),
        CASE(a_full_disk_is_said_and_nothing_is_kept),
        CASE(a_device_without_room_is_said),
        CASE(a_wrong_place_is_said_before_anything_is_fetched),
        CASE(a_file_that_only_has_a_url_is_the_callers),
        CASE(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
