/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Backups of the running service: what is acknowledged before one is in it, and it can take the database's place. */
#include <xqueue/v1/admin.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "tests/support/conversation.h"

enum { BEFORE = 200, AFTER = 20, NAME_BYTES_MAX = 160 };

static const struct running_service_options with_folder = {.service = "  backup_folder: copies\n"};

static int set_up_with_folder(void **state)
{
    *state = conversation_start_core(&with_folder);
    return 0;
}

/* The file's name in out_file. */
static enum status admin_backs_up(struct conversation *talk, char *label, char out_file[NAME_BYTES_MAX], struct error *error)
{
    struct rpc_message *reply = NULL;
    Xqueue__V1__BackupRequest request = XQUEUE__V1__BACKUP_REQUEST__INIT;
    request.label = label;
    const struct core_question question = {
        .path = "/xqueue.v1.Admin/Backup", .reply = &xqueue__v1__backup_response__descriptor, .request = &request.base};
    enum status status = core_caller_ask(talk->admin, &question, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__BackupResponse *backup = (const Xqueue__V1__BackupResponse *)rpc_message_body(reply);
    assert_true(text_copy(out_file, NAME_BYTES_MAX, backup->file));
    assert_true(backup->size_bytes > 0);
    rpc_message_free(reply);
    return STATUS_OK;
}

/* The database is lost, the copy takes its place. */
static void operator_restores(struct conversation *talk, const char *file)
{
    char database[RUNNING_SERVICE_TEXT_MAX];
    char copy[RUNNING_SERVICE_TEXT_MAX];
    char name[NAME_BYTES_MAX + 16];
    running_service_kill_core(&talk->service);
    assert_int_equal(unlink(running_service_path(&talk->service, "xqueue.db", database)), 0);
    (void)unlink(running_service_path(&talk->service, "xqueue.db-wal", database));
    (void)unlink(running_service_path(&talk->service, "xqueue.db-shm", database));
    (void)snprintf(name, sizeof name, "copies/%s", file);
    running_service_path(&talk->service, "xqueue.db", database);
    assert_int_equal(rename(running_service_path(&talk->service, name, copy), database), 0);
    running_service_start_core(&talk->service);
}

static void what_was_acknowledged_before_a_backup_is_in_it(void **state)
{
    static char label[] = "before-exam";
    struct conversation *talk = *state;
    struct error error;
    struct stat file_status;
    char file[NAME_BYTES_MAX];
    char name[NAME_BYTES_MAX + 16];
    char path[RUNNING_SERVICE_TEXT_MAX];
    uint64_t ids[BEFORE];
    struct core_view view;
    for (int at = 0; at < BEFORE; at++)
        ids[at] = student_submits(talk, "calm", NULL, "x");

    assert_int_equal(admin_backs_up(talk, label, file, &error), STATUS_OK);

    assert_memory_equal(file, "xqueue-2", 8);
    assert_non_null(strstr(file, "-before-exam.db"));
    (void)snprintf(name, sizeof name, "copies/%s", file);
    assert_int_equal(stat(running_service_path(&talk->service, name, path), &file_status), 0);
    assert_int_equal(file_status.st_mode & 0777, 0600);
    uint64_t later = 0;
    for (int at = 0; at < AFTER; at++)
        later = student_submits(talk, "calm", NULL, "x");
    operator_restores(talk, file);
    for (int at = 0; at < BEFORE; at++) {
        assert_int_equal(core_get(talk->admin, ids[at], &view), STATUS_OK);
        assert_int_equal(view.state, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_READY);
    }
    assert_int_equal(core_get(talk->admin, later, &view), STATUS_NOT_FOUND);
    student_submits(talk, "calm", NULL, "x");
}

static void labels_that_are_no_part_of_a_name_are_refused(void **state)
{
    static char bad[] = "../x";
    static char none[] = "";
    struct conversation *talk = *state;
    struct error error;
    char file[NAME_BYTES_MAX];

    assert_int_equal(admin_backs_up(talk, bad, file, &error), STATUS_INVALID);
    assert_string_equal(error.reason, "BACKUP_INVALID");
    assert_int_equal(admin_backs_up(talk, none, file, &error), STATUS_OK);
}

static void without_a_folder_there_is_no_backup(void **state)
{
    static char none[] = "";
    struct conversation *talk = *state;
    struct error error;
    char file[NAME_BYTES_MAX];

    assert_int_equal(admin_backs_up(talk, none, file, &error), STATUS_WRONG_STATE);

    assert_string_equal(error.reason, "BACKUP_FOLDER_MISSING");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acknowledged_before_a_backup_is_in_it, set_up_with_folder,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(labels_that_are_no_part_of_a_name_are_refused, set_up_with_folder,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(without_a_folder_there_is_no_backup, conversation_set_up_core, conversation_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
