/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one configuration file of both programs: YAML, read once at start. Each program uses its parts and checks all of it.
 *
 * Every key has a unit, a default and a range; they stand in the tables of config_schema.c, from which docs/xqueue.yml.md is
 * printed (xqueued --describe-config). An unknown key, a value out of range, a key given twice is an error with file and line.
 *
 * Secrets: passwords are given as hashes (password_hash) or as files (password_file, first line). The environment overrides:
 * XQUEUE_PASSWORD_<USER> (user name in upper case, other characters than letters and digits become '_').
 *
 * Threading: immutable after config_load.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/status.h"

enum {
    CONFIG_FILE_BYTES_MAX = 1024 * 1024,
    CONFIG_QUEUES_MAX = 10000,
    CONFIG_USERS_MAX = 10000,
    CONFIG_LIST_MAX = 100, /* entries of any other list */
    CONFIG_LISTENERS_MAX = 8,
    CONFIG_USER_QUEUES_MAX = 1000, /* in all queue_roles of one user */
    CONFIG_NAME_BYTES_MAX = 128,
};

enum config_role {
    CONFIG_ROLE_SUBMIT = 1 << 0,
    CONFIG_ROLE_GRADE = 1 << 1,
    CONFIG_ROLE_DELIVER = 1 << 2,
    CONFIG_ROLE_ADMIN = 1 << 3,
};

/* Of clients, on a listener with TLS. */
enum config_client_certificates { CONFIG_CLIENTS_OFF, CONFIG_CLIENTS_OPTIONAL, CONFIG_CLIENTS_REQUIRED };
/* Which name in a client's certificate is that of its user. */
enum config_certificate_user { CONFIG_CERTIFICATE_COMMON_NAME, CONFIG_CERTIFICATE_DNS_NAME, CONFIG_CERTIFICATE_URI };

/* A list of texts. Owned by its config. */
struct config_texts {
    char **items;
    size_t count;
};

struct config_queue {
    char *name;                 /* 1 to CONFIG_NAME_BYTES_MAX bytes; unique */
    char *push_url;             /* "" = graders come for submissions; else xqueue-rest posts them there */
    int64_t push_parallel_max;  /* 1 to 1,000; 4: posts that run at the same time */
    int64_t push_timeout_ms;    /* 100 to 86,400,000; 30,000: for one post and its answer; at most hard_limit_ms */
    int64_t lease_ms;           /* 1,000 to 86,400,000; 60,000 */
    int64_t hard_limit_ms;      /* 1,000 to 604,800,000; 86,400,000: renewing ends there; at least lease_ms */
    int64_t accept_within_ms;   /* 100 to 60,000; 10,000 */
    int64_t attempts_max;       /* 1 to 1,000; 5: counted failures until DEAD */
    int64_t poison_graders_max; /* 1 to 1,000; 3: different graders lost on one submission until DEAD */
    int64_t retry_delay_ms;     /* 0 to 86,400,000; 5,000: after the first failure, doubling */
    int64_t retry_delay_ms_max; /* 0 to 86,400,000; 300,000 */
    int64_t ready_max;          /* 1 to 100,000,000; 1,000,000: submissions that may wait */
    int64_t body_bytes_max;     /* 1 to 3,145,728; 3,145,728 */
    /* 0 (no bound) to 1,000,000; 0: submissions of each submitter */
    int64_t submits_per_minute_max;
};

/* Roles for single queues. */
struct config_queue_roles {
    unsigned roles;             /* of enum config_role; at least one */
    struct config_texts queues; /* names, which need not be configured */
};

struct config_user {
    char *name;          /* 1 to 150 bytes; unique */
    char *password_hash; /* "" when password is set */
    char *password_file; /* where password was read from, or ""; for messages */
    char *password;      /* from password_file or the environment, "" when password_hash is set, or with no_password */
    bool no_password;    /* comes with a token or a certificate only; false */
    unsigned roles;      /* of enum config_role, for all queues */
    struct config_queue_roles *queue_roles;
    size_t queue_roles_count;
};

/* Credentials that go to one origin only. */
struct config_basic_auth {
    char *origin; /* "https://lms.example.org[:port]" */
    char *user;
    char *password_file;
    char *password; /* from password_file */
};

/* Listeners with TLS. */
struct config_tls {
    struct config_texts listen; /* "0.0.0.0:8443" */
    char *certificate_file;     /* PEM: the chain, own certificate first */
    char *key_file;
    char *client_ca_file; /* "" only with CONFIG_CLIENTS_OFF */
    enum config_client_certificates client_certificates;
};

struct config_service {
    struct config_texts listen; /* gRPC: "127.0.0.1:8041", "unix:/path"; default 127.0.0.1:8041 */
    struct config_tls *tls;
    size_t tls_count;
    enum config_certificate_user certificate_user;
    bool allow_plaintext;               /* must be true to listen beyond this machine without TLS; false */
    char *database;                     /* path; default "xqueue.db" beside the configuration file */
    char *backup_folder;                /* where Admin.Backup puts copies of it; "" = nowhere */
    int64_t drain_ms;                   /* 0 to 3,600,000; 15,000: how long a stop waits for running calls */
    int64_t session_ms;                 /* 60,000 to 31,536,000,000; 1,209,600,000 (14 days, as the original) */
    int64_t ping_period_ms;             /* 100 to 600,000; 10,000 */
    int64_t grader_leases_max;          /* 1 to 10,000; 1,000: of one grader over all paths */
    int64_t grader_failures_max;        /* 0 (never) to 1,000; 10: in a row, then the grader is granted nothing for a while */
    int64_t grader_quiet_ms;            /* 1,000 to 86,400,000; 10,000: that while; doubles */
    int64_t grader_quiet_ms_max;        /* 1,000 to 86,400,000; 300,000 */
    int64_t request_ids_ms;             /* 60,000 to 31,536,000,000; 86,400,000: how long a request id is remembered at least */
    int64_t commands_max;               /* 100 to 1,000,000; 10,000: waiting for the engine; more get UNAVAILABLE */
    int64_t message_bytes_max;          /* 65,536 to 67,108,864; 4,194,304: of one message that comes in */
    int64_t header_bytes_max;           /* 4,096 to 65,536; 16,384: all metadata of a call */
    int64_t send_queue_bytes_max;       /* 65,536 to 268,435,456; 16,777,216: unread messages of one stream, ended then */
    int64_t stream_unread_ms;           /* 1,000 to 3,600,000; 60,000: that a message may stay unread */
    int64_t streams_per_connection_max; /* 10 to 100,000; 1,000 */
    int64_t streams_per_user_max;       /* 1 to 1,000,000; 10,000 */
    int64_t calls_per_user_max;         /* 1 to 1,000,000; 20,000: streams, too */
    bool reflection;                    /* true: gRPC server reflection, without credentials */
    char *files;                        /* folder of uploaded files; default: database with ".files" behind it */
    int64_t file_bytes_max;             /* 1 to 1,099,511,627,776; 104,857,600: of one uploaded file */
    int64_t file_streams_max;           /* 1 to 10,000; 100: uploads and fetches at the same time */
    int64_t file_unnamed_ms; /* 1,000 to 31,536,000,000; 3,600,000: then a file that no submission names is removed */
};

struct config_delivery {
    int64_t lease_ms;           /* 1,000 to 3,600,000; 60,000: how long a courier may take for one try */
    int64_t attempts_max;       /* 1 to 10,000; 100: then UNDELIVERABLE */
    int64_t retry_delay_ms;     /* 10 to 86,400,000; 1,000: after the first failure, doubling, with jitter */
    int64_t retry_delay_ms_max; /* 10 to 86,400,000; 3,600,000 */
};

/* Object storage for uploaded files. */
struct config_s3 {
    char *endpoint;             /* origin: "https://s3.example.org"; "" = files stay in the folder */
    char *region;               /* us-east-1 */
    char *bucket;               /* "" only without endpoint */
    char *prefix;               /* of objects' names, without slashes at its ends; xqueue */
    char *access_key;           /* "" only without endpoint */
    char *secret_key_file;      /* likewise */
    char *secret_key;           /* from secret_key_file, or "" */
    bool path_style;            /* ENDPOINT/BUCKET/..., else BUCKET.HOST/...; true */
    int64_t url_ms;             /* 1,000 to 604,800,000; 86,400,000: how long a presigned URL is good */
    int64_t connect_timeout_ms; /* 100 to 60,000; 3,000 */
    int64_t timeout_ms;         /* 100 to 600,000; 30,000: for one file */
};

/* Of the adapter, for a core with TLS. */
struct config_core_tls {
    char *ca_file;          /* these four: "" = not given */
    char *certificate_file; /* with key_file */
    char *key_file;
    char *server_name;
};

struct config_rest {
    struct config_texts listen; /* HTTP: "127.0.0.1:8040", "[::1]:8040"; default 127.0.0.1:8040 */
    char *core; /* where xqueued is: "127.0.0.1:8041", "unix:/path", "tls://host:8443"; default: config_core_address */
    struct config_core_tls core_tls;
    char *token_file; /* "" = user's password */
    char *user; /* of users, with role deliver, and grade where queues have a push_url: as whom the adapter works; its password
                   must be a file or from the environment, or there is a token_file */
    char *public_url;    /* how graders reach this adapter, for file URLs; default "http://" and the first listener */
    char *media_url;     /* "" = files are served by the adapter; else prefix of file URLs */
    int64_t file_url_ms; /* 1,000 to 315,360,000,000; 31,536,000,000 (a year, as the original): how long one is good */
    char *files;         /* folder of uploaded files; default "files" beside the configuration file */
    struct config_s3 s3;
    int64_t file_keep_ms;         /* 0 (for ever) to 630,720,000,000; default: file_url_ms, or 0 with media_url */
    int64_t threads;              /* 2 to 1,000; 64: requests handled at the same time */
    int64_t connections_max;      /* 16 to 1,000,000; 10,000: of clients at the same time */
    int64_t requests_waiting_max; /* 1 to 100,000; 1,000: complete requests that wait for a thread */
    int64_t spool_bytes_max;      /* 1,048,576 to 1,099,511,627,776; 2,147,483,648: bodies on their way, in temporary files */
    int64_t core_timeout_ms;      /* 100 to 60,000; 5,000: for one call to the core */
    int64_t request_timeout_ms;   /* 1,000 to 600,000; 30,000: for a client to send its request, and between requests of one
                                     connection */
    int64_t form_bytes_max;       /* 1,024 to 3,145,728; 2,621,440: all fields without files */
    int64_t form_fields_max;      /* 1 to 10,000; 1,000 */
    int64_t file_bytes_max;       /* 1 to 1,073,741,824; 104,857,600: all files of one submission */
    int64_t header_bytes_max;     /* 1,024 to 65,536; 65,536: of xqueue_header */
    bool fair_by_student;         /* true: who a body's student_info names is its fairness key */
    struct config_texts trusted_proxies; /* addresses and networks whose X-Real-IP counts */
};

struct config_callbacks {
    struct config_texts allow;  /* origins or hosts ("https://lms.example.org", "*.example.org"); empty = any but never_to */
    int64_t parallel_max;       /* 1 to 1,000; 64 */
    int64_t per_origin_max;     /* 1 to 1,000; 16 */
    int64_t connect_timeout_ms; /* 100 to 60,000; 5,000 */
    int64_t timeout_ms;         /* 100 to 600,000; 30,000; less than delivery.lease_ms */
    int64_t reply_bytes_max;    /* 0 to 1,048,576; 65,536: read of the LMS's answer */
    char *ca_file;              /* "" = the system's */
    struct config_texts insecure_origins; /* TLS not verified there */
    struct config_basic_auth *basic_auth;
    size_t basic_auth_count;
};

struct config_log {
    enum log_level level;   /* debug, info, warn, error; info */
    enum log_format format; /* logfmt, json; logfmt */
};

struct config {
    char *file; /* as given to config_load */
    struct config_log log;
    struct config_service service;
    struct config_delivery delivery;
    struct config_rest rest;
    struct config_callbacks callbacks;
    struct config_queue *queues; /* in the order of the file */
    size_t queue_count;
    struct config_user *users;
    size_t user_count;
};

/*
 * Reads, checks and completes file. On success *out_config is the caller's, to be freed with config_destroy. On failure error
 * says "FILE:LINE: what is wrong": STATUS_NOT_FOUND (no such file, or unreadable), STATUS_INVALID, STATUS_FULL (larger than
 * CONFIG_FILE_BYTES_MAX). Relative paths are taken relative to the folder of the configuration file.
 */
enum status config_load(const char *file, struct config **out_config, struct error *error) STATUS_CHECKED;

/*
 * The same for a person's program, which may not be allowed to read every password file: what cannot be read is left "". Such a
 * config is good for finding xqueued and logging in, not for running a service.
 */
enum status config_load_as_client(const char *file, struct config **out_config, struct error *error) STATUS_CHECKED;

/* config_load from memory; name stands in error texts, folder for relative paths. For tests and the fuzzer. */
enum status config_parse(const char *name, const char *folder, const char *bytes, size_t length, struct config **out_config,
                         struct error *error) STATUS_CHECKED;

/* config_load_as_client from memory. */
enum status config_parse_as_client(const char *name, const char *folder, const char *bytes, size_t length,
                                   struct config **out_config, struct error *error) STATUS_CHECKED;

void config_destroy(struct config *config); /* wipes passwords; NULL is fine */

const struct config_queue *config_find_queue(const struct config *config, const char *name); /* NULL: none */
const struct config_user *config_find_user(const struct config *config, const char *name);   /* NULL: none */

/*
 * A queue that stands in no file: all defaults, with a copy of name. Free what it holds with config_queue_finish (zeroed is
 * fine).
 */
void config_queue_init(struct config_queue *queue, const char *name);
void config_queue_finish(struct config_queue *queue);
/* What is wrong with its numbers, one by one and against each other, as text in out (CONFIG_FAULT_MAX); false: nothing. */
enum { CONFIG_FAULT_MAX = 160 };
bool config_queue_fault(const struct config_queue *queue, char out[CONFIG_FAULT_MAX]);

/* Where a client on this machine finds xqueued: the first of service.listen; without one the first with TLS. Free with
 * memory_free. */
char *config_core_address(const struct config *config);

/* Prints every key with type, default, range and meaning as Markdown. */
void config_describe(FILE *stream);

/*
 * The command line that both programs share: --config FILE, --check-config, --describe-config, --help, --version, --log-level
 * L, --log-format F. Handles all but running: returns true with *out_config set when the program shall run, false when it shall
 * exit with *out_exit_code.
 */
bool config_from_arguments(int argc, char **argv, const char *program, const char *purpose, struct config **out_config,
                           int *out_exit_code);

#endif
