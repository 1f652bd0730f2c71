/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_schema.h"

#include <inttypes.h>

#include "base/config.h"
#include "base/config_syntax.h"
#include "base/secret.h"

enum {
    PATH_BYTES_MAX = 4096,
    URL_BYTES_MAX = 2048,
    USER_BYTES_MAX = 150,
};

// Milliseconds.
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

/* The largest message of the contract leaves 3 MiB for what a person hands in. */
#define BODY_BYTES_MAX INT64_C(3145728)

/* Default of a number that config_complete makes out of others. */
#define UNSET INT64_C(-1)

// A row of each kind. OWNER is the section's struct and is defined before each table.
#define NUMBER(field_, min_, max_, fallback_, meaning_)                                                               \
    {                                                                                                                 \
        .name = #field_, .kind = CONFIG_KIND_NUMBER, .offset = offsetof(OWNER, field_), .min = (min_), .max = (max_), \
        .fallback = (fallback_), .meaning = (meaning_)                                                                \
    }
#define TRUTH(field_, fallback_, meaning_)                                                                      \
    {                                                                                                           \
        .name = #field_, .kind = CONFIG_KIND_TRUTH, .offset = offsetof(OWNER, field_), .fallback = (fallback_), \
        .meaning = (meaning_)                                                                                   \
    }
#define WORDS(kind_, field_, words_, fallback_, meaning_)                                                                \
    {                                                                                                                    \
        .name = #field_, .kind = (kind_), .offset = offsetof(OWNER, field_), .words = (words_), .fallback = (fallback_), \
        .meaning = (meaning_)                                                                                            \
    }
#define TEXT(field_, min_, max_, fallback_, check_, meaning_)                                                       \
    {                                                                                                               \
        .name = #field_, .kind = CONFIG_KIND_TEXT, .offset = offsetof(OWNER, field_), .min = (min_), .max = (max_), \
        .fallback_text = (fallback_), .check = (check_), .meaning = (meaning_)                                      \
    }
#define PATH(field_, min_, fallback_, meaning_)                                                                             \
    {                                                                                                                       \
        .name = #field_, .kind = CONFIG_KIND_PATH, .offset = offsetof(OWNER, field_), .min = (min_), .max = PATH_BYTES_MAX, \
        .fallback_text = (fallback_), .meaning = (meaning_)                                                                 \
    }
#define TEXTS(field_, min_, max_, fallback_, check_, meaning_)                                                       \
    {                                                                                                                \
        .name = #field_, .kind = CONFIG_KIND_TEXTS, .offset = offsetof(OWNER, field_), .min = (min_), .max = (max_), \
        .fallback_text = (fallback_), .check = (check_), .meaning = (meaning_)                                       \
    }
#define RECORDS(field_, record_, meaning_)                                                                       \
    {                                                                                                            \
        .name = #field_, .kind = CONFIG_KIND_RECORDS, .offset = offsetof(OWNER, field_), .max = CONFIG_LIST_MAX, \
        .record = (record_), .count_offset = offsetof(OWNER, field_##_count), .meaning = (meaning_)              \
    }
#define INNER(field_, section_, meaning_)                                                                      \
    {                                                                                                          \
        .name = #field_, .kind = CONFIG_KIND_SECTION, .offset = offsetof(OWNER, field_), .record = (section_), \
        .meaning = (meaning_)                                                                                  \
    }
#define SECTION(name_, keys_, meaning_)                                                                        \
    {                                                                                                          \
        .name = (name_), .meaning = (meaning_), .keys = (keys_), .key_count = sizeof(keys_) / sizeof *(keys_), \
        .size = sizeof(OWNER)                                                                                  \
    }

static const char *const level_words[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL};
static const char *const format_words[] = {[LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json", NULL};
static const char *const client_words[] = {
    [CONFIG_CLIENTS_OFF] = "off", [CONFIG_CLIENTS_OPTIONAL] = "optional", [CONFIG_CLIENTS_REQUIRED] = "required", NULL};
static const char *const certificate_user_words[] = {[CONFIG_CERTIFICATE_COMMON_NAME] = "common_name",
                                                     [CONFIG_CERTIFICATE_DNS_NAME] = "dns_name",
                                                     [CONFIG_CERTIFICATE_URI] = "uri",
                                                     NULL};
static const char *const role_words[] = {"submit", "grade", "deliver", "admin", NULL}; // bits of enum config_role

#define OWNER struct config_log
static const struct config_key log_keys[] = {
    WORDS(CONFIG_KIND_CHOICE, level, level_words, LOG_INFO, "Events below this level are not logged."),
    WORDS(CONFIG_KIND_CHOICE, format, format_words, LOG_LOGFMT, "How a line looks: key=value pairs, or one JSON object."),
};
const struct config_section config_section_log = SECTION("log", log_keys, "What both programs write to standard error.");
#undef OWNER

#define OWNER struct config_tls
static const struct config_key tls_keys[] = {
    TEXTS(listen, 1, CONFIG_LISTENERS_MAX, NULL, config_check_http_listener,
          "Addresses: 'HOST:PORT' or '[IPV6]:PORT' (port 0: any free one). Required."),
    PATH(
        certificate_file, 1, NULL,
        "PEM: the certificate, and after it those between it and the authority. Read again when it has changed, and at SIGHUP. "
        "Required."),
    PATH(key_file, 1, NULL,
         "PEM: the private key, without a passphrase, which others than owner and group must not be able to read. Required."),
    PATH(client_ca_file, 0, "",
         "PEM: the authorities that sign certificates of clients. Required unless client_certificates is off."),
    WORDS(CONFIG_KIND_CHOICE, client_certificates, client_words, CONFIG_CLIENTS_OFF,
          "Whether clients show a certificate: one that an authority of client_ca_file has signed makes its holder the user "
          "that it names."),
};
const struct config_section config_section_tls =
    SECTION("service.tls", tls_keys, "Entries of the list service.tls: addresses where gRPC runs with TLS, 1.2 at least.");
#undef OWNER

#define OWNER struct config_service
static const struct config_key service_keys[] = {
    TEXTS(
        listen, 0, CONFIG_LISTENERS_MAX, "127.0.0.1:8041", config_check_listener,
        "Where xqueued offers gRPC in plain text: 'HOST:PORT', '[IPV6]:PORT' (port 0: any free one) or 'unix:/absolute/path'. "
        "May be [] when there is service.tls."),
    RECORDS(tls, &config_section_tls, "Where xqueued offers gRPC with TLS; with listen at most 8 addresses."),
    WORDS(CONFIG_KIND_CHOICE, certificate_user, certificate_user_words, CONFIG_CERTIFICATE_COMMON_NAME,
          "Which name in a client's certificate is the name of its user; it must have exactly one of it."),
    TRUTH(
        allow_plaintext, 0,
        "Allows listen to reach beyond this machine. Passwords and tokens can be read on the way: only in a network of trusted "
        "machines, such as one of containers."),
    PATH(database, 1, "xqueue.db", "The SQLite file with all submissions; made if it is not there."),
    PATH(backup_folder, 0, "", "Where `xqueuectl backup` puts copies of it; made if it is not there. Default: nowhere."),
    NUMBER(drain_ms, 0, HOUR, 15 * SECOND, "How long a stop waits for running calls."),
    NUMBER(session_ms, MINUTE, YEAR, 14 * DAY, "How long a login of the REST interface lasts."),
    NUMBER(ping_period_ms, 100, 10 * MINUTE, 10 * SECOND, "How often the service pings an open grader stream."),
    NUMBER(grader_leases_max, 1, 10000, 1000, "Leases of one grader, over all ways to get them."),
    NUMBER(
        grader_failures_max, 0, 1000, 10,
        "Failures of a grader in a row (it said TRANSIENT, or its lease ran out), with no result between, after which it is "
        "left "
        "alone for grader_quiet_ms; 0: never. Then it may hold one lease at a time until it has handed in a result; with one "
        "more failure it is left alone for twice as long."),
    NUMBER(grader_quiet_ms, SECOND, DAY, 10 * SECOND, "How long a failing grader is granted nothing; doubles."),
    NUMBER(grader_quiet_ms_max, SECOND, DAY, 5 * MINUTE, "The longest; at least grader_quiet_ms."),
    NUMBER(request_ids_ms, MINUTE, YEAR, DAY,
           "How long a request id is remembered at least, so that a repeated submit is one."),
    NUMBER(commands_max, 100, 1000000, 10000, "Calls that wait for the engine; more are told to come back later."),
    TRUTH(reflection, 1,
          "Lets public gRPC tools ask this server for its contract, by the standard server reflection; as the contract is "
          "public, "
          "without credentials."),
    NUMBER(message_bytes_max, 65536, 67108864, 4194304,
           "Of one message that comes in; a submission is one message. Less than the default does not take the largest "
           "submissions."),
    NUMBER(header_bytes_max, 4096, 65536, 16384, "All metadata of one call, the token among it."),
    NUMBER(send_queue_bytes_max, 65536, 268435456, 16777216,
           "Messages of one stream that its client does not read; then the stream is ended (SLOW_READER)."),
    NUMBER(stream_unread_ms, SECOND, HOUR, MINUTE,
           "How long a client may leave what a Watch or a results stream told it unread, before the stream is ended "
           "(SLOW_READER)."),
    NUMBER(streams_per_connection_max, 10, 100000, 1000, "Calls at the same time on one connection; more wait at the client."),
    NUMBER(streams_per_user_max, 1, 1000000, 10000, "Streams of one user at the same time; more are refused (STREAMS_FULL)."),
    NUMBER(calls_per_user_max, 1, 1000000, 20000,
           "Calls of one user at the same time, long polls and streams among them; more are refused (CALLS_FULL)."),
    PATH(files, 0, "",
         "The folder of files uploaded over gRPC; made if it is not there. Default: database with '.files' behind it."),
    NUMBER(file_bytes_max, 1, INT64_C(1099511627776), 104857600, "Of one such file."),
    NUMBER(file_streams_max, 1, 10000, 100,
           "Uploads and fetches of such files at the same time; more are told to come back later."),
    NUMBER(file_unnamed_ms, SECOND, YEAR, HOUR, "A file that no submission names is removed so long after its last upload."),
};
const struct config_section config_section_service =
    SECTION("service", service_keys, "The core: the program xqueued, which keeps the submissions.");
#undef OWNER

#define OWNER struct config_delivery
static const struct config_key delivery_keys[] = {
    NUMBER(lease_ms, SECOND, HOUR, MINUTE, "How long a courier may take for one try; not less than the time of a callback."),
    NUMBER(attempts_max, 1, 10000, 100, "Tries after which a result is undeliverable."),
    NUMBER(retry_delay_ms, 10, DAY, SECOND, "Wait after the first failure; doubles, with jitter."),
    NUMBER(retry_delay_ms_max, 10, DAY, HOUR, "The longest wait between two tries; at least retry_delay_ms."),
};
const struct config_section config_section_delivery =
    SECTION("delivery", delivery_keys, "How results are handed to the couriers that carry them to the LMS.");
#undef OWNER

#define OWNER struct config_s3
static const struct config_key s3_keys[] = {
    TEXT(endpoint, 0, URL_BYTES_MAX, "", config_check_origin_or_nothing,
         "'http[s]://HOST[:PORT]' of the server. Default: files stay in the folder of files."),
    TEXT(region, 1, 64, "us-east-1", config_check_s3_name, "What the server calls its region."),
    TEXT(bucket, 0, 63, "", config_check_s3_name, "It must be there. Required with endpoint."),
    TEXT(prefix, 0, 512, "xqueue", config_check_s3_prefix, "Before the names of all objects: 'PREFIX/QUEUE/KEY'."),
    TEXT(access_key, 0, 128, "", NULL, "Required with endpoint."),
    PATH(secret_key_file, 0, "", "The secret key is the first line of this file. Required with endpoint."),
    TRUTH(path_style, 1, "URLs are ENDPOINT/BUCKET/...; false: BUCKET.HOST/..."),
    NUMBER(url_ms, SECOND, 7 * DAY, DAY,
           "How long the presigned URL that graders are given, or sent on to, is good; no longer, by the protocol."),
    NUMBER(connect_timeout_ms, 100, MINUTE, 3 * SECOND, "To get a connection."),
    NUMBER(timeout_ms, 100, 10 * MINUTE, 30 * SECOND, "For one file, while the LMS waits."),
};
const struct config_section config_section_s3 =
    SECTION("rest.s3", s3_keys, "Uploaded files in a bucket of an S3-compatible server instead of the folder of files.");
#undef OWNER

#define OWNER struct config_core_tls
static const struct config_key core_tls_keys[] = {
    PATH(ca_file, 0, "", "PEM: the authorities to trust. Default: the system's."),
    PATH(certificate_file, 0, "", "PEM: a certificate to show, where xqueued asks for one. Read at start."),
    PATH(key_file, 0, "", "PEM: its key, which others than owner and group must not be able to read."),
    TEXT(server_name, 0, 253, "", NULL, "The name that xqueued's certificate must have. Default: the host of rest.core."),
};
const struct config_section config_section_core_tls = SECTION(
    "rest.core_tls", core_tls_keys, "How xqueue-rest reaches an xqueued with TLS; for a rest.core that begins with tls://.");
#undef OWNER

#define OWNER struct config_rest
static const struct config_key rest_keys[] = {
    TEXTS(
        listen, 1, CONFIG_LISTENERS_MAX, "127.0.0.1:8040", config_check_http_listener,
        "Where xqueue-rest offers HTTP: 'HOST:PORT' or '[IPV6]:PORT' (port 0: any free one). Without TLS: beyond this machine "
        "it belongs behind a reverse proxy."),
    TEXT(core, 0, PATH_BYTES_MAX, "", config_check_target,
         "Where xqueued is; 'tls://HOST:PORT' with TLS. Default: the first of service.listen, else of service.tls."),
    INNER(core_tls, &config_section_core_tls, "For a core with TLS; see rest.core_tls."),
    TEXT(user, 0, USER_BYTES_MAX, "", NULL,
         "As which of the users xqueue-rest works: one with the role deliver, and grade where a queue has a push_url, whose "
         "password is in a file or in the environment, unless there is a token_file."),
    PATH(token_file, 0, "",
         "The first line of this file is a token of that user, made by 'xqueuectl tokens create'; read again when it is "
         "refused."),
    TEXT(public_url, 0, URL_BYTES_MAX, "", config_check_url,
         "How graders reach this program, for the URLs of files. Default: 'http://' and the first of listen."),
    TEXT(media_url, 0, URL_BYTES_MAX, "", config_check_media_url,
         "Prefix of the URLs of files when another web server serves the folder of files: 'MEDIA_URL/QUEUE/KEY', for ever; a "
         "URL, or a path such as 'media/' that graders complete themselves. "
         "Default: this program serves them, under signed URLs."),
    NUMBER(file_url_ms, SECOND, 10 * YEAR, YEAR, "How long the URL of a file that this program serves is good."),
    INNER(s3, &config_section_s3, "Uploaded files in a bucket; see rest.s3."),
    NUMBER(
        file_keep_ms, 0, 20 * YEAR, UNSET,
        "How long files stay in the folder; 0: for ever. Default: as file_url_ms says, or for ever with media_url, whose URLs "
        "do not end."),
    PATH(files, 1, "files", "The folder of uploaded files."),
    NUMBER(threads, 2, 1000, 64, "Requests handled at the same time."),
    NUMBER(
        connections_max, 16, 1000000, 10000,
        "HTTP connections at the same time, fewer when there are not two file descriptors for each. Beyond it the one that has "
        "waited longest without progress is closed for a new one."),
    NUMBER(requests_waiting_max, 1, 100000, 1000, "Complete requests that wait for a thread; more get 503."),
    NUMBER(
        spool_bytes_max, 1048576, INT64_C(1099511627776), INT64_C(2147483648),
        "Bodies of requests and replies on their way, in temporary files in the folder files; not less than the largest form."),
    NUMBER(core_timeout_ms, 100, MINUTE, 5 * SECOND, "For one call to xqueued."),
    NUMBER(
        request_timeout_ms, SECOND, 10 * MINUTE, 30 * SECOND,
        "For a client to send a request's head, and between the requests of one connection; beyond it bodies and replies must "
        "move with 1 KiB/s."),
    NUMBER(form_bytes_max, 1024, BODY_BYTES_MAX, 2621440, "All fields of a form without its files."),
    NUMBER(form_fields_max, 1, 10000, 1000, "Fields of a form."),
    NUMBER(file_bytes_max, 1, 1073741824, 104857600, "All files of one submission."),
    NUMBER(header_bytes_max, 1024, 65536, 65536, "Of the field xqueue_header."),
    TRUTH(fair_by_student, 1,
          "Submissions of one student (anonymous_student_id in the body's student_info) share a place in the fair order. "
          "false: first come, first served."),
    TEXTS(trusted_proxies, 0, CONFIG_LIST_MAX, NULL, config_check_network,
          "IP addresses of reverse proxies whose X-Real-IP is believed, and networks of such: '10.0.0.0/8', 'fd00::/8'."),
};
const struct config_section config_section_rest =
    SECTION("rest", rest_keys, "The REST interface of the original: the program xqueue-rest.");
#undef OWNER

#define OWNER struct config_basic_auth
static const struct config_key basic_auth_keys[] = {
    TEXT(origin, 1, URL_BYTES_MAX, NULL, config_check_origin, "'http[s]://HOST[:PORT]' that gets these credentials. Required."),
    TEXT(user, 1, USER_BYTES_MAX, NULL, NULL, "Required."),
    PATH(password_file, 1, NULL, "The password is the first line of this file. Required."),
};
const struct config_section config_section_basic_auth =
    SECTION("callbacks.basic_auth", basic_auth_keys, "Entries of the list callbacks.basic_auth.");
#undef OWNER

#define OWNER struct config_callbacks
static const struct config_key callbacks_keys[] = {
    TEXTS(allow, 0, CONFIG_LIST_MAX, NULL, config_check_origin_pattern,
          "Origins ('https://lms.example.org'), hosts or '*.DOMAIN' that results may be sent to. Empty: any, but for addresses "
          "that never make sense."),
    NUMBER(parallel_max, 1, 1000, 64, "Callbacks that run at the same time."),
    NUMBER(per_origin_max, 1, 1000, 16, "Callbacks that run at the same time to one origin."),
    NUMBER(connect_timeout_ms, 100, MINUTE, 5 * SECOND, "To get a connection."),
    NUMBER(timeout_ms, 100, 10 * MINUTE, 30 * SECOND,
           "For a whole callback. With connect_timeout_ms at most delivery.lease_ms, so that no result is under way twice."),
    NUMBER(reply_bytes_max, 0, 1048576, 65536, "Read of the LMS's answer."),
    PATH(ca_file, 0, "", "Certificates of the authorities to trust. Default: the system's."),
    TEXTS(insecure_origins, 0, CONFIG_LIST_MAX, NULL, config_check_origin, "Origins whose TLS certificate is not checked."),
    RECORDS(basic_auth, &config_section_basic_auth, "Credentials for the callbacks to one origin each."),
};
const struct config_section config_section_callbacks =
    SECTION("callbacks", callbacks_keys, "How xqueue-rest sends results to the LMS.");
#undef OWNER

#define OWNER struct config_queue
static const struct config_key queue_keys[] = {
    TEXT(push_url, 0, URL_BYTES_MAX, "", config_check_url,
         "Where xqueue-rest posts submissions to; the answer is the result. Default: graders come for them."),
    NUMBER(push_parallel_max, 1, 1000, 4, "Posts to push_url that run at the same time; each adapter has as many."),
    NUMBER(push_timeout_ms, 100, DAY, 30 * SECOND, "For a post to push_url and its answer; at most hard_limit_ms."),
    NUMBER(lease_ms, SECOND, DAY, MINUTE, "How long a grader may take before it must renew."),
    NUMBER(hard_limit_ms, SECOND, 7 * DAY, DAY, "How long a grader may take with renewing; at least lease_ms."),
    NUMBER(accept_within_ms, 100, MINUTE, 10 * SECOND, "How long a grader may take to confirm that it got a submission."),
    NUMBER(attempts_max, 1, 1000, 5, "Counted failures after which a submission is dead."),
    NUMBER(
        poison_graders_max, 1, 1000, 3,
        "Different graders lost on one submission (their leases ran out, or they came back without it) after which it is dead, "
        "although attempts are left; not less than attempts_max: never."),
    NUMBER(retry_delay_ms, 0, DAY, 5 * SECOND, "Wait after the first failure; doubles."),
    NUMBER(retry_delay_ms_max, 0, DAY, 5 * MINUTE, "The longest wait; at least retry_delay_ms."),
    NUMBER(ready_max, 1, 100000000, 1000000, "Submissions that may wait; more are refused."),
    NUMBER(body_bytes_max, 1, BODY_BYTES_MAX, BODY_BYTES_MAX, "Of one submission."),
    NUMBER(submits_per_minute_max, 0, 1000000, 0, "Submissions of each submitter; more are refused for a while. 0: no bound."),
};
const struct config_section config_section_queue =
    SECTION("queues.NAME", queue_keys, "One entry for each queue, at least one; 'NAME:' alone takes all defaults.");
#undef OWNER

#define OWNER struct config_queue_roles
static const struct config_key queue_roles_keys[] = {
    WORDS(CONFIG_KIND_ROLES, roles, role_words, 0, "What the user may do there. Required."),
    TEXTS(queues, 1, CONFIG_LIST_MAX, NULL, config_check_queue_name, "The names of those queues. Required."),
};
const struct config_section config_section_queue_roles = SECTION(
    "users.NAME.queue_roles", queue_roles_keys,
    "Entries of the list queue_roles of a user; what stands in several of them counts together. A queue need not be "
    "there yet. With admin for a queue a user sees how that queue and its graders stand, and looks after its submissions.");
#undef OWNER

#define OWNER struct config_user
static const struct config_key user_keys[] = {
    TEXT(password_hash, 0, SECRET_HASH_TEXT_MAX - 1, "", config_check_password_hash,
         "'pbkdf2_sha256$ROUNDS$SALT$BASE64', as Django writes it. Quote it."),
    PATH(password_file, 0, "", "The password is the first line of this file."),
    TRUTH(no_password, 0, "The user has no password, and comes with a token or a certificate only."),
    WORDS(CONFIG_KIND_ROLES, roles, role_words, 0, "What the user may do, in all queues. This or queue_roles is required."),
    RECORDS(queue_roles, &config_section_queue_roles, "What the user may do in single queues beside that."),
};
const struct config_section config_section_user = SECTION("users.NAME", user_keys,
                                                          "Who may log in. Each needs one of password_hash, password_file, "
                                                          "no_password and the environment variable XQUEUE_PASSWORD_NAME (in "
                                                          "upper case, with '_' for all but letters and digits), which wins.");
#undef OWNER

const struct config_place config_places[CONFIG_PLACES] = {
    {&config_section_log, offsetof(struct config, log)},
    {&config_section_service, offsetof(struct config, service)},
    {&config_section_delivery, offsetof(struct config, delivery)},
    {&config_section_rest, offsetof(struct config, rest)},
    {&config_section_callbacks, offsetof(struct config, callbacks)},
};

static void describe_default(FILE *stream, const struct config_key *key)
{
    switch (key->kind) {
    case CONFIG_KIND_NUMBER:
        if (key->fallback != UNSET)
            fprintf(stream, "%" PRId64, key->fallback);
        break;
    case CONFIG_KIND_TRUTH:
        fputs(key->fallback ? "true" : "false", stream);
        break;
    case CONFIG_KIND_CHOICE:
        fputs(key->words[key->fallback], stream);
        break;
    default:
        if (key->fallback_text && *key->fallback_text)
            fprintf(stream, "`%s`", key->fallback_text);
    }
}

static void describe_range(FILE *stream, const struct config_key *key)
{
    switch (key->kind) {
    case CONFIG_KIND_NUMBER:
        fprintf(stream, "%" PRId64 " to %" PRId64, key->min, key->max);
        break;
    case CONFIG_KIND_TRUTH:
        fputs("true, false", stream);
        break;
    case CONFIG_KIND_CHOICE:
    case CONFIG_KIND_ROLES:
        for (size_t at = 0; key->words[at]; at++)
            fprintf(stream, "%s%s", at ? ", " : "", key->words[at]);
        break;
    case CONFIG_KIND_TEXT:
    case CONFIG_KIND_PATH:
        fprintf(stream, "up to %" PRId64 " bytes", key->max);
        break;
    case CONFIG_KIND_SECTION:
        break;
    case CONFIG_KIND_TEXTS:
    case CONFIG_KIND_RECORDS:
        fprintf(stream, "%" PRId64 " to %" PRId64 " entries", key->min, key->max);
        break;
    }
}

static void describe_section(FILE *stream, const struct config_section *section)
{
    static const char *const kind_names[] = {
        [CONFIG_KIND_NUMBER] = "number", [CONFIG_KIND_TRUTH] = "truth", [CONFIG_KIND_CHOICE] = "word",
        [CONFIG_KIND_ROLES] = "words",   [CONFIG_KIND_TEXT] = "text",   [CONFIG_KIND_PATH] = "path",
        [CONFIG_KIND_TEXTS] = "texts",   [CONFIG_KIND_SECTION] = "map", [CONFIG_KIND_RECORDS] = "maps",
    };
    fprintf(stream, "\n## %s\n\n%s\n\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n", section->name,
            section->meaning);
    for (size_t at = 0; at < section->key_count; at++) {
        const struct config_key *key = &section->keys[at];
        fprintf(stream, "| `%s` | %s | ", key->name, kind_names[key->kind]);
        describe_default(stream, key);
        fputs(" | ", stream);
        describe_range(stream, key);
        fprintf(stream, " | %s |\n", key->meaning);
    }
}

void config_describe(FILE *stream)
{
    fputs("# The configuration file\n\n"
          "One YAML file for xqueued and xqueue-rest. Times are milliseconds (`_ms`), sizes are bytes (`_bytes`). Paths are "
          "relative to the folder of\nthe file. Where a list is asked for, one entry may stand alone. Unknown keys, keys given "
          "twice, YAML anchors, aliases and tags are errors.\n",
          stream);
    for (size_t at = 0; at < CONFIG_PLACES; at++)
        describe_section(stream, config_places[at].section);
    describe_section(stream, &config_section_tls);
    describe_section(stream, &config_section_core_tls);
    describe_section(stream, &config_section_s3);
    describe_section(stream, &config_section_basic_auth);
    describe_section(stream, &config_section_queue);
    describe_section(stream, &config_section_user);
    describe_section(stream, &config_section_queue_roles);
}
