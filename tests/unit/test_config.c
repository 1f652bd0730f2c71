/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
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

#define HASH "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc="

/* A fresh folder for each test, removed with the files that the tests may write. */
static char folder[64];
static const char *const file_names[] = {"xqueue.yml", "lms", "courier", "empty", "long", "basic", "s3"};

static const char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *bytes, size_t length)
{
    FILE *file = fopen(path_of(name), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path_of(name), S_IRUSR | S_IWUSR), 0);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test_config.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof file_names / sizeof *file_names; at++)
        (void)unlink(path_of(file_names[at]));
    unsetenv("XQUEUE_PASSWORD_LMS");
    unsetenv("XQUEUE_PASSWORD_A_B");
    unsetenv("XQUEUE_CONFIG");
    return rmdir(folder);
}

static struct config *accept(const char *text)
{
    struct config *config = NULL;
    struct error error = {.text = "no text"};
    if (config_parse("t.yml", folder, text, strlen(text), &config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    return config;
}

static void refuse_bytes(const char *bytes, size_t length, const char *message)
{
    struct config *config = NULL;
    struct error error = {.text = "no text"};
    enum status status = config_parse("t.yml", folder, bytes, length, &config, &error);
    if (status != STATUS_INVALID || !strstr(error.text, message))
        fail_msg("%s, '%s' instead of '%s' for:\n%s", status_name(status), error.text, message, bytes);
    assert_null(config);
}

static void refuse(const char *text, const char *message)
{
    refuse_bytes(text, strlen(text), message);
}

static void a_file_with_one_queue_has_all_defaults(void **state)
{
    (void)state;

    struct config *config = accept("queues:\n  cs101:\n");

    assert_int_equal(config->log.level, LOG_INFO);
    assert_int_equal(config->log.format, LOG_LOGFMT);
    assert_int_equal(config->service.listen.count, 1);
    assert_string_equal(config->service.listen.items[0], "127.0.0.1:8041");
    assert_false(config->service.allow_plaintext);
    assert_string_equal(config->service.database, path_of("xqueue.db"));
    assert_int_equal(config->service.session_ms, 1209600000);
    assert_int_equal(config->delivery.retry_delay_ms_max, 3600000);
    assert_string_equal(config->rest.core, "127.0.0.1:8041");
    assert_string_equal(config->rest.public_url, "http://127.0.0.1:8040");
    assert_string_equal(config->rest.user, "");
    assert_string_equal(config->rest.files, path_of("files"));
    assert_int_equal(config->rest.file_url_ms, 31536000000);
    assert_int_equal(config->rest.file_keep_ms, 31536000000);
    assert_int_equal(config->rest.trusted_proxies.count, 0);
    assert_int_equal(config->callbacks.timeout_ms, 30000);
    assert_string_equal(config->callbacks.ca_file, "");
    assert_int_equal(config->callbacks.basic_auth_count, 0);
    assert_int_equal(config->queue_count, 1);
    assert_string_equal(config->queues[0].push_url, "");
    assert_int_equal(config->queues[0].lease_ms, 60000);
    assert_int_equal(config->queues[0].body_bytes_max, 3145728);
    assert_int_equal(config->user_count, 0);
    config_destroy(config);
}

static void every_kind_of_value_is_read(void **state)
{
    (void)state;
    write_text("courier", "courier's secret\nand more\n");
    write_text("basic", "basic secret\r\n");

    struct config *config = accept("log: {level: debug, format: json}\n"
                                   "service:\n"
                                   "  listen: ['0.0.0.0:0', 'unix:/run/x', '[::1]:65535']\n"
                                   "  allow_plaintext: true\n"
                                   "  database: /var/lib/x.db\n"
                                   "rest:\n"
                                   "  listen: '[::1]:80'\n"
                                   "  user: courier\n"
                                   "  media_url: https://files.example.org/x?y=\n"
                                   "  trusted_proxies: [10.0.0.1, 'fe80::1']\n"
                                   "callbacks:\n"
                                   "  allow: ['https://lms.example.org:8443', '*.example.org', localhost]\n"
                                   "  basic_auth:\n"
                                   "    - { origin: 'https://lms.example.org', user: u, password_file: basic }\n"
                                   "queues:\n"
                                   "  z: { push_url: 'http://127.0.0.1:9000/', push_parallel_max: 1000, lease_ms: 1000 }\n"
                                   "  'a b': { attempts_max: 1000 }\n"
                                   "users:\n"
                                   "  lms: { password_hash: '" HASH "', roles: submit }\n"
                                   "  courier: { password_file: courier, roles: [grade, deliver, admin] }\n"
                                   "  cs: { password_file: courier, queue_roles: [{ roles: grade, queues: z },"
                                   " { roles: [submit, grade], queues: [later, 'a b'] }] }\n");

    assert_int_equal(config->log.level, LOG_DEBUG);
    assert_int_equal(config->log.format, LOG_JSON);
    assert_int_equal(config->service.listen.count, 3);
    assert_string_equal(config->service.listen.items[2], "[::1]:65535");
    assert_string_equal(config->service.database, "/var/lib/x.db");
    assert_string_equal(config->rest.core, "0.0.0.0:0");
    assert_string_equal(config->rest.public_url, "http://[::1]:80");
    assert_string_equal(config->rest.trusted_proxies.items[1], "fe80::1");
    assert_string_equal(config->callbacks.allow.items[1], "*.example.org");
    assert_int_equal(config->callbacks.basic_auth_count, 1);
    assert_string_equal(config->callbacks.basic_auth[0].origin, "https://lms.example.org");
    assert_string_equal(config->callbacks.basic_auth[0].password, "basic secret");
    assert_string_equal(config->queues[0].name, "z");
    assert_string_equal(config->queues[0].push_url, "http://127.0.0.1:9000/");
    assert_int_equal(config->queues[0].push_parallel_max, 1000);
    assert_int_equal(config->queues[0].push_timeout_ms, 30000);
    assert_ptr_equal(config_find_queue(config, "a b"), &config->queues[1]);
    assert_null(config_find_queue(config, "a"));
    const struct config_user *lms = config_find_user(config, "lms");
    assert_string_equal(lms->password_hash, HASH);
    assert_string_equal(lms->password, "");
    assert_int_equal(lms->roles, CONFIG_ROLE_SUBMIT);
    const struct config_user *courier = config_find_user(config, "courier");
    assert_string_equal(courier->password, "courier's secret");
    assert_string_equal(courier->password_hash, "");
    assert_int_equal(courier->roles, CONFIG_ROLE_GRADE | CONFIG_ROLE_DELIVER | CONFIG_ROLE_ADMIN);
    const struct config_user *cs = config_find_user(config, "cs");
    assert_int_equal(cs->roles, 0);
    assert_int_equal(cs->queue_roles_count, 2);
    assert_int_equal(cs->queue_roles[0].roles, CONFIG_ROLE_GRADE);
    assert_string_equal(cs->queue_roles[0].queues.items[0], "z");
    assert_int_equal(cs->queue_roles[1].roles, CONFIG_ROLE_SUBMIT | CONFIG_ROLE_GRADE);
    assert_int_equal(cs->queue_roles[1].queues.count, 2);
    assert_string_equal(cs->queue_roles[1].queues.items[1], "a b");
    assert_null(config_find_user(config, "nobody"));
    config_destroy(config);
}

#define QUEUE "queues: {q: }\n"

static void files_stay_as_long_as_their_urls_unless_said_otherwise(void **state)
{
    static const struct {
        const char *rest;
        int64_t keep_ms;
    } cases[] = {
        {"{file_url_ms: 5000}", 5000},
        {"{media_url: 'http://a/'}", 0},
        {"{media_url: 'http://a/', file_keep_ms: 7}", 7},
        {"{file_keep_ms: 0}", 0},
    };
    char text[256];

    (void)state;
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        (void)snprintf(text, sizeof text, QUEUE "rest: %s\n", cases[at].rest);
        struct config *config = accept(text);
        assert_int_equal(config->rest.file_keep_ms, cases[at].keep_ms);
        config_destroy(config);
    }
    refuse(QUEUE "rest: {file_keep_ms: -1}\n", "rest.file_keep_ms: must be a number from 0 to");
    refuse(QUEUE "rest: {file_url_ms: 999}\n", "rest.file_url_ms: must be a number from 1000 to");
}

static void object_storage_needs_all_that_it_is_reached_with(void **state)
{
    (void)state;
    write_text("s3", "a secret\n");

    struct config *config = accept(QUEUE);
    assert_string_equal(config->rest.s3.endpoint, "");
    assert_string_equal(config->rest.s3.secret_key, "");
    config_destroy(config);
    config = accept(
        QUEUE "rest:\n  s3: {endpoint: 'https://a:1', bucket: b, access_key: 'k:l', secret_key_file: s3, url_ms: 604800000}\n");
    assert_string_equal(config->rest.s3.endpoint, "https://a:1");
    assert_string_equal(config->rest.s3.region, "us-east-1");
    assert_string_equal(config->rest.s3.prefix, "xqueue");
    assert_string_equal(config->rest.s3.secret_key, "a secret");
    assert_true(config->rest.s3.path_style);
    assert_int_equal(config->rest.s3.url_ms, 604800000);
    assert_int_equal(config->rest.s3.timeout_ms, 30000);
    config_destroy(config);

    refuse(QUEUE "rest:\n  s3: {endpoint: 'https://a'}\n", "t.yml:3: rest.s3: needs all of");
    refuse(QUEUE "rest:\n  s3: {endpoint: 'https://a', bucket: b, access_key: k, secret_key_file: none}\n",
           "t.yml:3: password_file");
    refuse(QUEUE "rest:\n  s3:\n    endpoint: 'https://a/b'\n", "t.yml:4: rest.s3.endpoint: 'https://a/b' is not an origin");
    refuse(QUEUE "rest:\n  s3: {bucket: a/b}\n", "rest.s3.bucket: 'a/b' has other characters");
    refuse(QUEUE "rest:\n  s3: {prefix: /x}\n", "rest.s3.prefix: '/x' begins or ends");
    refuse(QUEUE "rest:\n  s3: {url_ms: 604800001}\n", "rest.s3.url_ms: must be a number from 1000 to 604800000");
    refuse(QUEUE "rest:\n  s3: {secret_key: x}\n", "rest.s3: unknown key 'secret_key'");
    refuse(QUEUE "rest:\n  s3: [x]\n", "rest.s3: must be a map");
}

static void what_is_not_plain_yaml_is_refused_with_its_line(void **state)
{
    (void)state;

    refuse("", "t.yml:1: queues: at least one queue");
    refuse("just text", "t.yml:1: must be a map");
    refuse("log: [\n", "t.yml:2: ");
    refuse("log: {}\n\tservice: x\n", "t.yml:2: ");
    refuse("log: &a {}\n", "t.yml:1: anchors");
    refuse("log:\n  level: *a\n", "t.yml:2: aliases");
    refuse("log:\n  level: !!str info\n", "t.yml:2: tags");
    refuse("log: {}\nlog: {}\n", "t.yml:2: 'log' is given twice, first in line 1");
    refuse("log:\n  level: info\n  format: json\n  level: warn\n", "t.yml:4: 'level' is given twice, first in line 2");
    refuse(QUEUE "---\nlog: {}\n", "t.yml:2: only one document");
    refuse("[[[[[[[[[[[[]]]]]]]]]]]]", "t.yml:1: more than 8 levels");
    refuse("? [a]\n: b\n", "t.yml:1: a key must be");
    refuse("'': b\n", "t.yml:1: an empty key");
    refuse("rest: { user: \"a\\0b\" }\n", "t.yml:1: a text contains a NUL");
    refuse("rest: { user: \"a\\nb\" }\n", "t.yml:1: rest.user: longer than 150 bytes, or with control");
    refuse_bytes("a: b\nc: \xff\n", 11, "t.yml:2: ");
    refuse_bytes("\xff\xfe"
                 "a\0",
                 4, "t.yml:1: ");
}

static void unknown_keys_are_refused_with_the_nearest_one(void **state)
{
    (void)state;

    refuse(QUEUE "servise: {}\n", "t.yml:2: unknown key 'servise'; did you mean 'service'?");
    refuse(QUEUE "service:\n  drain: 5\n", "t.yml:3: service: unknown key 'drain'");
    refuse(QUEUE "service:\n  drian_ms: 5\n", "t.yml:3: service: unknown key 'drian_ms'; did you mean 'drain_ms'?");
    refuse("queues:\n  cs101: {lease: 5}\n", "t.yml:2: queues.cs101: unknown key 'lease'");
}

static void values_of_the_wrong_form_are_refused(void **state)
{
    (void)state;

    refuse("service: 5\n", "t.yml:1: service: must be a map");
    refuse("service: {drain_ms: }\n", "service.drain_ms: the value is missing");
    refuse("service: {drain_ms: [1]}\n", "service.drain_ms: must be a single value");
    refuse("service: {drain_ms: 3600001}\n", "service.drain_ms: must be a number from 0 to 3600000, not '3600001'");
    refuse("service: {drain_ms: -1}\n", "service.drain_ms: must be a number");
    refuse("service: {drain_ms: 15s}\n", "service.drain_ms: must be a number");
    refuse("service: {allow_plaintext: yes}\n", "service.allow_plaintext: must be true or false, not 'yes'");
    refuse("service: {listen: []}\n", "service.listen: must have 1 to 8 entries, with those of service.tls, not 0");
    refuse("service: {tls: [{listen: '0.0.0.0:1', certificate_file: c}]}\n",
           "service.tls: an entry needs listen, certificate_file and key_file");
    refuse("service: {tls: [{listen: '0.0.0.0:1', certificate_file: c, key_file: k, client_certificates: required}]}\n",
           "service.tls: client_ca_file and client_certificates (optional or required) go together");
    refuse("service: {tls: [{listen: 'unix:/x', certificate_file: c, key_file: k}]}\n", "service.tls.listen: 'unix:/x'");
    refuse("users: {a: {roles: grade, no_password: true, password_file: f}}\n",
           "needs exactly one of password_hash, password_file, no_password");
    refuse("service: {database: ''}\n", "service.database: must not be empty");
    refuse("log: {level: loud}\n", "log.level: 'loud' is not one of debug, info, warn, error");
    refuse("users: {a: {roles: [grade, sleep]}}\n", "users.a.roles: 'sleep' is not one of submit, grade, deliver, admin");
    refuse("users: {a: {queue_roles: [{roles: [sleep], queues: q}]}}\n", "'sleep' is not one of submit, grade, deliver, admin");
    refuse("users: {a: {queue_roles: [{roles: grade, queues: []}]}}\n", "queues: must have 1 to 100 entries, not 0");
    refuse("users: {a: {queue_roles: [{roles: grade, queues: ['']}]}}\n", "'' is not the name of a queue");
    refuse("callbacks: {basic_auth: {}}\n", "callbacks.basic_auth: must be a list");
    refuse("queues: [a]\n", "queues: must be a map of names");
    refuse("queues: {\"a\\tb\": }\n", "queues: a name has 1 to 128 bytes");
    refuse("users: 7\n", "users: must be a map of names");
}

static void a_wrong_password_hash_is_not_repeated(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error error;
    const char *text = "users:\n  a: {password_hash: hunter2, roles: grade}\n";

    assert_int_equal(config_parse("t.yml", "", text, strlen(text), &config, &error), STATUS_INVALID);

    assert_non_null(strstr(error.text, "t.yml:2: users.a.password_hash: is not of the form"));
    assert_null(strstr(error.text, "hunter2"));
}

/* Reads "section: {key: 'value'}". */
static void check_value(const char *section_and_key, const char *value, bool right)
{
    char text[512];
    struct config *config = NULL;
    struct error error;
    (void)snprintf(text, sizeof text, QUEUE "%s'%s'}\n", section_and_key, value);
    enum status status = config_parse("t.yml", folder, text, strlen(text), &config, &error);
    if ((status == STATUS_OK) != right)
        fail_msg("%s %s", text, right ? error.text : "is accepted");
    if (status == STATUS_OK)
        config_destroy(config);
}

static void listeners_and_targets_have_a_host_and_a_port(void **state)
{
    (void)state;
    static const char *const right[] = {"127.0.0.1:0", "localhost:65535", "127.255.0.1:1", "[::1]:8041"};
    static const char *const wrong[] = {
        "",        "8041",     "127.0.0.1",     "127.0.0.1:",    "127.0.0.1:65536", "127.0.0.1:99999",
        "[::1]",   "::1:8041", "[::1:8041",     "[x]:8041",      "127.0.0.1:-1",    "127.0.0.1:8041/x",
        "a b:1",   ":8041",    "unix:relative", "unix:/",        "http://a:1",      "127.0.0.1:000080",
        "[]:8041", "unix:",    "a@b:1",         "127.0.0.1:0x10"};

    for (size_t at = 0; at < sizeof right / sizeof *right; at++) {
        check_value("service: {listen: ", right[at], true);
        check_value("rest: {listen: ", right[at], true);
    }
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        check_value("service: {listen: ", wrong[at], false);
        check_value("rest: {listen: ", wrong[at], false);
        check_value("rest: {core: ", wrong[at], wrong[at][0] == '\0');
    }
    check_value("service: {listen: ", "unix:/run/x.sock", true);
    check_value("rest: {listen: ", "unix:/run/x.sock", false);
    check_value("rest: {core: ", "unix:/run/x.sock", true);
    check_value("rest: {core: ", "xqueued:8041", true);
    check_value("rest: {core: ", "xqueued:0", false);
}

static void urls_origins_and_addresses_are_checked(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://a", "https://a.example:8443/x/?y=z", "http://[::1]:80/"};
    static const char *const not_urls[] = {"a",           "ftp://a",     "http://",    "http:///x",   "http://a b/",
                                           "http://u@a/", "http://a:0/", "http://a:/", "http://a#b",  "http://a:99999/",
                                           "HTTP//a",     "//a",         "http://a\\", "http://[x]/", "http://a:123456/"};
    for (size_t at = 0; at < sizeof urls / sizeof *urls; at++) {
        check_value("rest: {public_url: ", urls[at], true);
        check_value("rest: {media_url: ", urls[at], true);
    }
    check_value("rest: {media_url: ", "media/", true);
    check_value("rest: {media_url: ", "/media", true);
    check_value("rest: {media_url: ", "//a/media/", false);
    check_value("rest: {media_url: ", "ftp://a/", false);
    check_value("rest: {media_url: ", "media/?x=", false);
    check_value("rest: {media_url: ", "a b/", false);
    for (size_t at = 0; at < sizeof not_urls / sizeof *not_urls; at++) {
        check_value("rest: {public_url: ", not_urls[at], false);
        check_value("callbacks: {insecure_origins: ", not_urls[at], false);
    }
    check_value("callbacks: {insecure_origins: ", "https://a:1", true);
    check_value("callbacks: {insecure_origins: ", "https://a/", false);
    check_value("callbacks: {insecure_origins: ", "", false);
    check_value("callbacks: {allow: ", "a.example", true);
    check_value("callbacks: {allow: ", "*.example", true);
    check_value("callbacks: {allow: ", "*", false);
    check_value("callbacks: {allow: ", "*.", false);
    check_value("callbacks: {allow: ", "a.*.example", false);
    check_value("callbacks: {allow: ", "https://a/x", false);
    check_value("rest: {trusted_proxies: ", "10.0.0.1", true);
    check_value("rest: {trusted_proxies: ", "10.0.0.0/8", true);
    check_value("rest: {trusted_proxies: ", "fd00::/8", true);
    check_value("rest: {trusted_proxies: ", "10.0.0.1/8", false);
    check_value("rest: {trusted_proxies: ", "10.0.0.0/33", false);
    check_value("rest: {trusted_proxies: ", "10.0.0", false);
    check_value("rest: {trusted_proxies: ", "proxy", false);
}

static void values_that_do_not_go_together_are_refused(void **state)
{
    (void)state;

    refuse("queues:\n  a:\n  q: {lease_ms: 9000, hard_limit_ms: 8999}\n", "t.yml:3: queues.q: hard_limit_ms (8999) is less");
    refuse("queues:\n  q: {retry_delay_ms_max: 1}\n", "t.yml:2: queues.q: retry_delay_ms_max (1) is less");
    refuse(QUEUE "delivery:\n  retry_delay_ms_max: 999\n", "t.yml:3: delivery.retry_delay_ms_max is less");
    refuse(QUEUE "callbacks:\n  timeout_ms: 55001\n", "t.yml:3: callbacks.timeout_ms + connect_timeout_ms (60001) is more");
    refuse(QUEUE "delivery:\n  lease_ms: 34999\n", "callbacks.timeout_ms + connect_timeout_ms (35000) is more");
    refuse(QUEUE "service:\n  listen: 0.0.0.0:8041\n", "t.yml:3: service.listen: '0.0.0.0:8041' is reachable");
    refuse(QUEUE "service:\n  listen: 127.example.org:8041\n", "is reachable");
    refuse(QUEUE "rest:\n  user: x\n", "t.yml:3: rest.user: there is no user 'x'");
    refuse(QUEUE "rest: {user: x}\nusers:\n  x: {password_hash: '" HASH "', roles: grade}\n", "lacks the role deliver");
    refuse(QUEUE "rest: {user: x}\nusers:\n  x: {password_hash: '" HASH "', roles: deliver}\n", "not as a hash");
    refuse("rest: {user: x}\nqueues:\n  p: {push_url: 'http://g'}\nusers:\n  x: {password_hash: '" HASH "', roles: deliver}\n",
           "t.yml:1: rest.user: 'x' lacks the role grade, which the push_url of queue 'p' needs");
    refuse("queues:\n  p: {push_url: 'http://g', hard_limit_ms: 60000, push_timeout_ms: 60001}\n",
           "t.yml:2: queues.p: push_timeout_ms (60001) is more than hard_limit_ms (60000)");
    refuse(QUEUE "users:\n  x: {password_hash: '" HASH "'}\n", "t.yml:3: users.x: roles is required");
    refuse(QUEUE "callbacks: {basic_auth: [{user: x}]}\n", "t.yml:2: callbacks.basic_auth: needs all of");
}

static void a_password_comes_from_exactly_one_place(void **state)
{
    (void)state;
    write_text("lms", "from file");

    refuse(QUEUE "users:\n  lms: {roles: submit}\n", "t.yml:3: users.lms: needs exactly one of");
    refuse(QUEUE "users:\n  lms: {roles: submit, password_file: lms, password_hash: '" HASH "'}\n", "needs exactly one of");
    struct config *config = accept(QUEUE "users:\n  lms: {roles: submit, password_file: lms}\n");
    assert_string_equal(config->users[0].password, "from file");
    assert_string_equal(config->users[0].password_file, path_of("lms"));
    config_destroy(config);
}

static void the_environment_wins_over_the_file(void **state)
{
    (void)state;
    setenv("XQUEUE_PASSWORD_LMS", "from the environment", 1);
    setenv("XQUEUE_PASSWORD_A_B", "x", 1);

    struct config *config = accept(QUEUE "users:\n  lms: {roles: submit, password_hash: '" HASH "'}\n"
                                         "  a-b: {roles: grade, password_file: there-is-none}\n");
    assert_string_equal(config->users[0].password, "from the environment");
    assert_string_equal(config->users[0].password_hash, "");
    assert_string_equal(config->users[1].password, "x");
    config_destroy(config);
    refuse(QUEUE "users:\n  a-b: {roles: grade}\n  a_b: {roles: grade}\n", "t.yml:4: users 'a-b' and 'a_b' share the variable");
    setenv("XQUEUE_PASSWORD_A_B", "", 1);
    refuse(QUEUE "users:\n  a-b: {roles: grade}\n", "needs exactly one of");
}

static void a_password_file_has_a_first_line_of_limited_length(void **state)
{
    (void)state;
    char line[1026];
    memset(line, 'x', sizeof line);
    static const char *const user = QUEUE "users:\n  u: {roles: submit, password_file: long}\n";

    write_file("long", line, 1025);
    refuse(user, "t.yml:3: password_file '");
    line[1024] = '\n';
    write_file("long", line, 1026);
    struct config *config = accept(user);
    assert_int_equal(strlen(config->users[0].password), 1024);
    config_destroy(config);
    write_file("long", "a\0b\n", 4);
    refuse(user, "NUL character");
    write_text("empty", "\nsecond line");
    refuse(QUEUE "users:\n  u: {roles: submit, password_file: empty}\n", "the first line is empty");
    refuse(QUEUE "users:\n  u: {roles: submit, password_file: none}\n", "No such file");
    refuse(QUEUE "users:\n  u: {roles: submit, password_file: /dev/zero}\n", "Invalid argument");
    refuse(QUEUE "users:\n  u: {roles: submit, password_file: .}\n", "Invalid argument");
}

static void a_password_file_that_all_may_read_is_warned_about(void **state)
{
    (void)state;
    int ends[2];
    char line[512] = "";
    assert_int_equal(pipe(ends), 0);
    write_text("lms", "x");
    assert_int_equal(chmod(path_of("lms"), S_IRUSR | S_IROTH), 0);

    log_redirect(ends[1]);
    config_destroy(accept(QUEUE "users:\n  lms: {roles: submit, password_file: lms}\n"));
    log_redirect(STDERR_FILENO);

    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "event=password_file_open_to_all file="));
    close(ends[0]);
}

static void a_file_is_loaded_with_paths_relative_to_its_folder(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error error;
    write_text("xqueue.yml", QUEUE);

    assert_int_equal(config_load(path_of("xqueue.yml"), &config, &error), STATUS_OK);
    assert_string_equal(config->file, path_of("xqueue.yml"));
    assert_string_equal(config->service.database, path_of("xqueue.db"));
    config_destroy(config);

    config = NULL;
    assert_int_equal(config_load(path_of("none"), &config, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, "No such file"));
    assert_int_equal(config_load(folder, &config, &error), STATUS_NOT_FOUND);
    assert_null(config);
}

static void a_file_of_more_than_the_maximum_is_full(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error error;
    char *bytes = memory_allocate(CONFIG_FILE_BYTES_MAX + 1);
    memcpy(bytes, QUEUE, sizeof QUEUE);
    memset(bytes + strlen(QUEUE), '\n', CONFIG_FILE_BYTES_MAX + 1 - strlen(QUEUE));

    write_file("xqueue.yml", bytes, CONFIG_FILE_BYTES_MAX + 1);
    assert_int_equal(config_load(path_of("xqueue.yml"), &config, &error), STATUS_FULL);
    write_file("xqueue.yml", bytes, CONFIG_FILE_BYTES_MAX);
    assert_int_equal(config_load(path_of("xqueue.yml"), &config, &error), STATUS_OK);

    config_destroy(config);
    memory_free(bytes);
}

static void as_many_queues_as_allowed_and_no_more(void **state)
{
    (void)state;
    char *bytes = memory_allocate(CONFIG_FILE_BYTES_MAX);
    size_t length = (size_t)snprintf(bytes, CONFIG_FILE_BYTES_MAX, "queues:\n");
    for (int at = 0; at < CONFIG_QUEUES_MAX; at++)
        length += (size_t)snprintf(bytes + length, CONFIG_FILE_BYTES_MAX - length, "  queue-%d:\n", at);

    struct config *config = accept(bytes);
    assert_int_equal(config->queue_count, CONFIG_QUEUES_MAX);
    assert_string_equal(config->queues[9999].name, "queue-9999");
    config_destroy(config);
    (void)snprintf(bytes + length, CONFIG_FILE_BYTES_MAX - length, "  one-more:\n");
    refuse(bytes, "t.yml:10002: more than 10000 entries");
    memory_free(bytes);
}

static void the_description_names_every_section_and_limit(void **state)
{
    (void)state;
    static const char *const expected[] = {"## service\n",
                                           "## queues.NAME\n",
                                           "| `drain_ms` | number | 15000 | 0 to 3600000 | ",
                                           "| `level` | word | info | debug, info, warn, error | ",
                                           "| `listen` | texts | `127.0.0.1:8041` | 0 to 8 entries | ",
                                           "| `allow_plaintext` | truth | false | true, false | ",
                                           "| `basic_auth` | maps |  | 0 to 100 entries | "};
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);

    config_describe(stream);

    assert_int_equal(fclose(stream), 0);
    for (size_t at = 0; at < sizeof expected / sizeof *expected; at++) {
        if (!strstr(text, expected[at]))
            fail_msg("'%s' is missing in:\n%s", expected[at], text);
    }
    free(text);
}

/* The arguments behind the program's name; at most three. */
static bool run(struct config **config, int *exit_code, const char *first, const char *second, const char *third)
{
    char *arguments[] = {memory_copy_text("xqueued"), memory_copy_text(first), memory_copy_text(second),
                         memory_copy_text(third), NULL};
    char *given[5] = {arguments[0], arguments[1], arguments[2], arguments[3], NULL}; // getopt_long changes the order
    int count = 1;
    while (given[count])
        count++;
    bool runs = config_from_arguments(count, given, "xqueued", "keeps submissions", config, exit_code);
    for (size_t at = 0; at < 4; at++)
        memory_free(arguments[at]);
    return runs;
}

static void the_command_line_runs_checks_or_explains(void **state)
{
    (void)state;
    struct config *config = NULL;
    int exit_code = -1;
    write_text("xqueue.yml", QUEUE "log: {level: warn}\n");
    setenv("XQUEUE_CONFIG", path_of("xqueue.yml"), 1);

    assert_true(run(&config, &exit_code, NULL, NULL, NULL));
    assert_int_equal(config->queue_count, 1);
    assert_false(log_enabled(LOG_INFO));
    config_destroy(config);
    assert_true(run(&config, &exit_code, "--log-level=debug", "--log-format", "json"));
    assert_true(log_enabled(LOG_DEBUG));
    config_destroy(config);
    assert_false(run(&config, &exit_code, "--check-config", NULL, NULL));
    assert_int_equal(exit_code, 0);
    assert_false(run(&config, &exit_code, "--version", NULL, NULL));
    assert_int_equal(exit_code, 0);
    assert_false(run(&config, &exit_code, "--help", NULL, NULL));
    assert_int_equal(exit_code, 0);
    log_configure("test", LOG_INFO, LOG_LOGFMT);
}

static void bad_usage_and_bad_files_exit_with_2(void **state)
{
    (void)state;
    struct config *config = NULL;
    static const char *const wrong[][3] = {
        {"--nonsense"}, {"--config"}, {"surplus"}, {"--log-level", "loud"}, {"--log-format", "xml"}, {"-c", "/there/is/none"},
    };
    write_text("xqueue.yml", QUEUE);
    setenv("XQUEUE_CONFIG", path_of("xqueue.yml"), 1);

    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        int exit_code = -1;
        assert_false(run(&config, &exit_code, wrong[at][0], wrong[at][1], wrong[at][2]));
        assert_int_equal(exit_code, 2);
    }
    write_text("xqueue.yml", "queues: 1\n");
    int exit_code = -1;
    assert_false(run(&config, &exit_code, "--check-config", NULL, NULL));
    assert_int_equal(exit_code, 2);
    assert_null(config);
}

#define IN_FOLDER(test_) cmocka_unit_test_setup_teardown(test_, make_folder, remove_folder)

static void a_client_reads_what_it_may(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error error;
    write_text("lms", "secret\n");
    write_text("xqueue.yml",
               "queues: {q: }\nrest: {user: courier}\nusers:\n  courier: {password_file: courier, roles: deliver}\n"
               "  lms: {password_file: lms, roles: admin}\n");

    assert_int_equal(config_load(path_of("xqueue.yml"), &config, &error), STATUS_INVALID);
    assert_int_equal(config_load_as_client(path_of("xqueue.yml"), &config, &error), STATUS_OK);

    assert_string_equal(config_find_user(config, "courier")->password, "");
    assert_string_equal(config_find_user(config, "lms")->password, "secret");
    config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_with_one_queue_has_all_defaults),
        IN_FOLDER(every_kind_of_value_is_read),
        IN_FOLDER(files_stay_as_long_as_their_urls_unless_said_otherwise),
        IN_FOLDER(object_storage_needs_all_that_it_is_reached_with),
        IN_FOLDER(what_is_not_plain_yaml_is_refused_with_its_line),
        IN_FOLDER(unknown_keys_are_refused_with_the_nearest_one),
        IN_FOLDER(values_of_the_wrong_form_are_refused),
        IN_FOLDER(a_wrong_password_hash_is_not_repeated),
        IN_FOLDER(listeners_and_targets_have_a_host_and_a_port),
        IN_FOLDER(urls_origins_and_addresses_are_checked),
        IN_FOLDER(values_that_do_not_go_together_are_refused),
        IN_FOLDER(a_password_comes_from_exactly_one_place),
        IN_FOLDER(the_environment_wins_over_the_file),
        IN_FOLDER(a_password_file_has_a_first_line_of_limited_length),
        IN_FOLDER(a_password_file_that_all_may_read_is_warned_about),
        IN_FOLDER(a_file_is_loaded_with_paths_relative_to_its_folder),
        IN_FOLDER(a_file_of_more_than_the_maximum_is_full),
        IN_FOLDER(a_client_reads_what_it_may),
        IN_FOLDER(as_many_queues_as_allowed_and_no_more),
        IN_FOLDER(the_description_names_every_section_and_limit),
        IN_FOLDER(the_command_line_runs_checks_or_explains),
        IN_FOLDER(bad_usage_and_bad_files_exit_with_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
