/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_ctl */
/* Configurations of the original, as people have them, become ours: values, notes, and where the secrets go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/memory.h"
#include "service/ctl/input_file.h"
#include "service/ctl/legacy_plan.h"
#include "service/ctl/legacy_secrets.h"
#include "service/ctl/legacy_writer.h"

enum { PATH_BYTES_MAX = 512, MODE_BITS = 0777, LONG_BYTES = 3000, TEXT_BYTES = 10000 };

/* What one test has. */
struct world {
    char folder[64];
    struct legacy_plan plan;
    struct text text;
    struct config *config;
};

static int setup(void **state)
{
    struct world *world = MEMORY_NEW(struct world);
    (void)snprintf(world->folder, sizeof world->folder, "/tmp/xqueue-test-XXXXXX");
    text_init(&world->text, LEGACY_CONFIG_BYTES_MAX);
    *state = world;
    return mkdtemp(world->folder) ? 0 : -1;
}

static const char *path_of(const struct world *world, const char *name)
{
    static char path[PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", world->folder, name);
    return path;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (size_t at = 0; at < world->plan.secret_count; at++)
        (void)unlink(path_of(world, world->plan.secrets[at].name));
    (void)unlink(path_of(world, "legacy.yml"));
    int outcome = rmdir(world->folder);
    config_destroy(world->config);
    text_finish(&world->text);
    legacy_plan_finish(&world->plan);
    memory_free(world);
    return outcome;
}

static void take(struct world *world, const char *path)
{
    struct config_node *root = NULL;
    struct error error = {.text = ""};
    if (input_file_read_tree(path, &root, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    legacy_plan_take(&world->plan, path, root);
    input_file_free_tree(root);
}

/* Completes, writes it down and reads it as xqueued would. */
static void conclude(struct world *world)
{
    struct error error = {.text = ""};
    legacy_plan_complete(&world->plan);
    legacy_writer_write(&world->plan, world->folder, &world->text);
    assert_int_equal(text_status(&world->text), STATUS_OK);
    if (config_parse_as_client("result", "", world->text.bytes, world->text.length, &world->config, &error) != STATUS_OK)
        fail_msg("%s\n%s", error.text, world->text.bytes);
}

/* Takes a sample of tests/support/legacy. */
static void convert_sample(struct world *world, const char *name)
{
    char path[PATH_BYTES_MAX];
    const char *slash = strrchr(__FILE__, '/');
    assert_non_null(slash);
    (void)snprintf(path, sizeof path, "%.*s/../support/legacy/%s", (int)(slash - __FILE__), __FILE__, name);
    take(world, path);
    conclude(world);
}

static void convert_text(struct world *world, const char *text)
{
    FILE *file = fopen(path_of(world, "legacy.yml"), "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    take(world, path_of(world, "legacy.yml"));
    conclude(world);
}

static bool has_note(const struct world *world, const char *key, const char *part)
{
    for (size_t at = 0; at < world->plan.note_count; at++) {
        if (strcmp(world->plan.notes[at].key, key) == 0 && strstr(world->plan.notes[at].text, part))
            return true;
    }
    return false;
}

static const char *secret_of(const struct world *world, const char *user)
{
    for (size_t at = 0; at < world->plan.user_count; at++) {
        if (strcmp(world->plan.users[at].name, user) == 0)
            return world->plan.secrets[world->plan.users[at].secret].value;
    }
    fail_msg("no user %s", user);
    return NULL;
}

static void a_production_file_is_taken_over(void **state)
{
    struct world *world = *state;
    static const char *const origins[] = {"https://LMS.example.org"};
    world->plan.lms_origins = origins;
    world->plan.lms_origin_count = 1;

    convert_sample(world, "production.yml");

    const struct config *config = world->config;
    assert_int_equal(config->queue_count, 5);
    assert_string_equal(config->queues[0].name, "certificates");
    assert_string_equal(config->queues[0].push_url, "");
    assert_string_equal(config->queues[1].push_url, "http://grader.example.org:8600/grade");
    for (size_t at = 0; at < config->queue_count; at++) {
        assert_int_equal(config->queues[at].lease_ms, 90000);
        assert_int_equal(config->queues[at].attempts_max, 4);
    }
    assert_int_equal(config->queues[1].push_timeout_ms, 120000);
    assert_int_equal(config->queues[0].push_timeout_ms, 30000); // the default: it is not pushed
    assert_int_equal(config->service.session_ms, 1209600000);
    assert_int_equal(config->callbacks.connect_timeout_ms, 5000);
    assert_int_equal(config->callbacks.basic_auth_count, 3);
    assert_string_equal(config->callbacks.basic_auth[0].origin, "https://lms.example.org");
    assert_string_equal(config->callbacks.basic_auth[0].user, "edx");
    assert_string_equal(config->callbacks.basic_auth[1].origin, "http://grader.example.org:8600");
    assert_string_equal(secret_of(world, "watcher"), "watcher-password: with # signs");
    assert_int_equal(config_find_user(config, "lms")->roles, CONFIG_ROLE_SUBMIT | CONFIG_ROLE_GRADE);
    assert_int_equal(config_find_user(config, "courier")->roles, CONFIG_ROLE_DELIVER | CONFIG_ROLE_GRADE);
    assert_int_equal(config_find_user(config, "admin")->roles, CONFIG_ROLE_ADMIN);
    assert_string_equal(config->rest.user, "courier");
    assert_true(has_note(world, "CONSUMER_DELAY", "no longer needed"));
    assert_true(has_note(world, "DATABASES", "import-db"));
    assert_true(has_note(world, "CLOUDWATCH_QUEUE_COUNT_METRICS", "'edX-DemoX' was 200"));
    assert_true(has_note(world, "XQUEUE_WORKERS_PER_QUEUE", ""));
}

static void no_secret_is_in_the_result(void **state)
{
    struct world *world = *state;
    static const char *const secrets[] = {"lms-password",      "watcher-password", "basic-auth-password", "wJalrXUtnFEMI",
                                          "database-password", "the-secret-key",   "not-a-valid-key"};
    static const char *const origins[] = {"https://lms.example.org"};
    world->plan.lms_origins = origins;
    world->plan.lms_origin_count = 1;

    convert_sample(world, "production.yml");

    for (size_t at = 0; at < sizeof secrets / sizeof *secrets; at++)
        assert_null(strstr(world->text.bytes, secrets[at]));
}

static void basic_auth_without_an_origin_goes_to_graders_only(void **state)
{
    struct world *world = *state;

    convert_text(world, "REQUESTS_BASIC_AUTH: [edx, secret]\nXQUEUES: {q: null}\n");

    assert_int_equal(world->config->callbacks.basic_auth_count, 0);
    assert_int_equal(world->plan.secret_count, 2);
    assert_true(has_note(world, "REQUESTS_BASIC_AUTH", "--lms-origin"));
}

static void more_push_queues_than_origins_with_credentials_are_said(void **state)
{
    enum { QUEUES = 150, BYTES_MAX = 65536 };
    struct world *world = *state;
    struct text legacy;
    text_init(&legacy, BYTES_MAX);
    text_append_string(&legacy, "REQUESTS_BASIC_AUTH: [edx, secret]\nXQUEUES:\n");
    for (int at = 0; at < QUEUES; at++)
        text_append_format(&legacy, "  q%d: 'http://grader%d.example.org/%d'\n", at, at < 101 ? at : 0, at);

    convert_text(world, legacy.bytes);

    assert_int_equal(world->config->queue_count, QUEUES);
    assert_string_equal(world->config->queues[QUEUES - 1].push_url, "http://grader0.example.org/149");
    assert_int_equal(world->config->callbacks.basic_auth_count, 100);
    assert_true(has_note(world, "REQUESTS_BASIC_AUTH", "'http://grader100.example.org' is one more"));
    text_finish(&legacy);
}

static void tutors_settings_are_taken_over(void **state)
{
    struct world *world = *state;

    convert_sample(world, "tutor.yml");

    assert_int_equal(world->config->queue_count, 1);
    assert_string_equal(world->config->queues[0].name, "openedx");
    assert_string_equal(secret_of(world, "lms"), "eightChr");
    assert_string_equal(world->config->rest.files, "/openedx/data/media");
    assert_string_equal(world->config->rest.media_url, "");
    assert_true(has_note(world, "MEDIA_URL", "no whole URL"));
    assert_true(has_note(world, "LOGGING", ""));
}

static void what_is_not_said_has_its_default(void **state)
{
    struct world *world = *state;

    convert_text(world, "");

    assert_int_equal(world->config->queue_count, 1);
    assert_string_equal(world->config->queues[0].name, "test-pull");
    assert_int_equal(world->config->queues[0].lease_ms, 60000);
    assert_int_equal(world->config->user_count, 2);
    assert_true(has_note(world, "USERS", "import-db"));
}

static void odd_files_neither_lead_astray_nor_are_silently_cut(void **state)
{
    struct world *world = *state;

    convert_sample(world, "hostile.yml");

    const struct config *config = world->config;
    assert_int_equal(config->queues[0].lease_ms, 1000);
    assert_int_equal(config->queues[0].attempts_max, 1000);
    assert_int_equal(config->delivery.lease_ms, 118000);
    assert_non_null(config_find_queue(config, "name: with # \"signs\\"));
    assert_string_equal(config_find_queue(config, "pushed")->push_url, "http://grader.example.org/x?y=1");
    assert_string_equal(config_find_queue(config, "twice")->push_url, "http://grader.example.org/twice");
    assert_string_equal(config->rest.user, "xqueue-courier");
    assert_string_equal(secret_of(world, "quote\"back\\slash: # x"), "pass\"word");
    assert_string_equal(secret_of(world, "courier"), "one");
    assert_string_equal(secret_of(world, "number"), "12345");
    for (size_t at = 0; at < world->plan.secret_count; at++) {
        assert_null(strchr(world->plan.secrets[at].name, '/'));
        assert_true(world->plan.secrets[at].name[0] != '.');
        for (size_t other = 0; other < at; other++)
            assert_string_not_equal(world->plan.secrets[at].name, world->plan.secrets[other].name);
    }
    assert_null(strstr(world->text.bytes, "secret-of-the-url"));
    assert_null(strstr(world->text.bytes, "not-to-be-printed"));
    assert_true(has_note(world, "GRADING_TIMEOUT", "not a number"));
    assert_true(has_note(world, "defaults", "not known"));
    assert_true(has_note(world, "USERS", "'lines' has a password of several lines"));
    assert_true(has_note(world, "XQUEUES", "'map': is neither"));
    assert_true(has_note(world, "MEDIA_URL", "more than once"));
}

static void texts_that_are_too_long_are_said(void **state)
{
    struct world *world = *state;
    char *text = memory_allocate(TEXT_BYTES);
    char *url = memory_allocate(LONG_BYTES);
    memset(url, 'x', LONG_BYTES - 1);
    (void)snprintf(text, TEXT_BYTES, "XQUEUES: {q: 'http://h/%s'}\nMEDIA_URL: 'http://h/%s'\n", url, url);

    convert_text(world, text);

    assert_string_equal(world->config->queues[0].push_url, "");
    assert_string_equal(world->config->rest.media_url, "");
    assert_true(has_note(world, "XQUEUES", "is too long or has"));
    assert_true(has_note(world, "MEDIA_URL", ""));
    memory_free(url);
    memory_free(text);
}

static void a_bucket_becomes_rest_s3_or_is_said(void **state)
{
    struct world *world = *state;

    convert_text(world, "UPLOAD_BUCKET: uploads\nUPLOAD_PATH_PREFIX: /a/b/\nUPLOAD_URL_EXPIRE: 31536000\n"
                        "AWS_ACCESS_KEY_ID: ID\nAWS_SECRET_ACCESS_KEY: the-secret-key\nAWS_S3_REGION_NAME: eu-west-1\n");

    assert_null(strstr(world->text.bytes, "the-secret-key"));
    if (!legacy_plan_key(&config_section_rest, "s3")) {
        assert_true(has_note(world, "UPLOAD_BUCKET", "does not keep files in S3"));
        return;
    }
    assert_non_null(strstr(world->text.bytes, "endpoint: \"https://s3.eu-west-1.amazonaws.com\""));
    assert_non_null(strstr(world->text.bytes, "bucket: \"uploads\""));
    assert_non_null(strstr(world->text.bytes, "prefix: \"a/b\""));
    assert_non_null(strstr(world->text.bytes, "url_ms: 604800000"));
    assert_non_null(strstr(world->text.bytes, "/s3-secret-key\""));
}

static void a_bucket_without_keys_is_said(void **state)
{
    struct world *world = *state;

    convert_text(world, "UPLOAD_BUCKET: uploads\nDEFAULT_FILE_STORAGE: storages.backends.s3boto3.S3Boto3Storage\n");

    assert_false(world->plan.has_s3);
    assert_true(has_note(world, "UPLOAD_BUCKET", "AWS_ACCESS_KEY_ID"));
}

static void the_last_of_several_files_counts(void **state)
{
    struct world *world = *state;
    FILE *file = fopen(path_of(world, "legacy.yml"), "we");
    assert_non_null(file);
    assert_true(fputs("XQUEUES: {first: null}\nSUBMISSION_PROCESSING_DELAY: 2\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    take(world, path_of(world, "legacy.yml"));

    convert_text(world, "XQUEUES: {second: null}\nUSERS: {a: b}\n");

    assert_int_equal(world->config->queue_count, 1);
    assert_string_equal(world->config->queues[0].name, "second");
    assert_int_equal(world->config->queues[0].lease_ms, 120000);
}

static void read_back(const char *path, char out[PATH_BYTES_MAX])
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(out, PATH_BYTES_MAX, file));
    assert_int_equal(fclose(file), 0);
}

static void secrets_go_into_files_of_their_own(void **state)
{
    struct world *world = *state;
    struct stat facts;
    struct error error = {.text = ""};
    char made_up[PATH_BYTES_MAX];
    char line[PATH_BYTES_MAX];
    convert_text(world, "USERS: {lms: the password}\n");

    assert_int_equal(legacy_secrets_write(&world->plan, world->folder, &error), STATUS_OK);

    read_back(path_of(world, "lms"), line);
    assert_string_equal(line, "the password\n");
    assert_int_equal(stat(path_of(world, "lms"), &facts), 0);
    assert_int_equal(facts.st_mode & MODE_BITS, 0640);
    read_back(path_of(world, "courier"), made_up);
    assert_int_equal(strlen(made_up), 33);
    // Now xqueued itself can read the result.
    config_destroy(world->config);
    world->config = NULL;
    assert_int_equal(config_parse("result", "", world->text.bytes, world->text.length, &world->config, &error), STATUS_OK);
    assert_string_equal(config_find_user(world->config, "lms")->password, "the password");

    // Once more: what was made up stays.
    assert_int_equal(legacy_secrets_write(&world->plan, world->folder, &error), STATUS_OK);
    read_back(path_of(world, "courier"), line);
    assert_string_equal(line, made_up);
}

static void another_secret_is_never_written_over(void **state)
{
    struct world *world = *state;
    struct error error = {.text = ""};
    char line[PATH_BYTES_MAX];
    convert_text(world, "USERS: {lms: the password}\n");
    FILE *file = fopen(path_of(world, "lms"), "we");
    assert_non_null(file);
    assert_true(fputs("another\n", file) >= 0);
    assert_int_equal(fclose(file), 0);

    assert_int_equal(legacy_secrets_write(&world->plan, world->folder, &error), STATUS_EXISTS);

    read_back(path_of(world, "lms"), line);
    assert_string_equal(line, "another\n");
    assert_null(strstr(error.text, "the password"));
}

static void the_folder_of_secrets_may_be_made_below_one_that_is_there(void **state)
{
    struct world *world = *state;
    char out[LEGACY_PATH_MAX];
    char path[PATH_BYTES_MAX];
    struct error error = {.text = ""};

    (void)snprintf(path, sizeof path, "%s/new/", world->folder);
    assert_int_equal(legacy_secrets_folder(path, out, &error), STATUS_OK);
    assert_string_equal(out, path_of(world, "new"));
    assert_int_equal(legacy_secrets_folder(world->folder, out, &error), STATUS_OK);
    assert_string_equal(out, world->folder);
    (void)snprintf(path, sizeof path, "%s/no/new", world->folder);
    assert_int_equal(legacy_secrets_folder(path, out, &error), STATUS_NOT_FOUND);
    assert_int_equal(legacy_secrets_folder("", out, &error), STATUS_INVALID);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_production_file_is_taken_over),
        IN_WORLD(no_secret_is_in_the_result),
        IN_WORLD(basic_auth_without_an_origin_goes_to_graders_only),
        IN_WORLD(more_push_queues_than_origins_with_credentials_are_said),
        IN_WORLD(tutors_settings_are_taken_over),
        IN_WORLD(what_is_not_said_has_its_default),
        IN_WORLD(odd_files_neither_lead_astray_nor_are_silently_cut),
        IN_WORLD(texts_that_are_too_long_are_said),
        IN_WORLD(a_bucket_becomes_rest_s3_or_is_said),
        IN_WORLD(a_bucket_without_keys_is_said),
        IN_WORLD(the_last_of_several_files_counts),
        IN_WORLD(secrets_go_into_files_of_their_own),
        IN_WORLD(another_secret_is_never_written_over),
        IN_WORLD(the_folder_of_secrets_may_be_made_below_one_that_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
