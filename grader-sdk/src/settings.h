/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a grader, checked and copied: options first, then environment variables, then defaults.
 *
 * Threading: immutable after settings_create.
 */
#ifndef GRADER_SDK_SRC_SETTINGS_H
#define GRADER_SDK_SRC_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "grader-sdk/include/xqueue/grader.h"

enum { SETTINGS_TOKEN_MAX = 513 }; /* bytes of a token including the final NUL: what the service takes, and one */

struct settings {
    xqueue_handler *handler; /* NULL: the host takes submissions itself */
    xqueue_on_lost *on_lost; /* may be NULL */
    void *context;           /* the host's */
    char *address;           /* owned, as all below */
    char *grader;
    char **queues;
    size_t queue_count;
    unsigned slots;
    char *user;          /* NULL: no login */
    char *password;      /* NULL: password_file */
    char *password_file; /* NULL: password */
    char *token;         /* NULL: token_file, or none */
    char *token_file;    /* NULL: token, or none */
    char *ca_file;       /* these four NULL: not given */
    char *certificate_file;
    char *key_file;
    char *server_name;
    struct xqueue_label *labels;
    size_t label_count;
    int64_t drain_timeout_ms; /* 0: no bound */
    bool report_lost;
};

/* Free with settings_destroy. Reads the environment, which no other thread may change meanwhile. */
enum xqueue_status settings_create(const struct xqueue_grader_options *options, struct settings **out_settings,
                                   struct xqueue_error *error);
void settings_destroy(struct settings *settings); /* wipes the password; NULL is fine */

/*
 * The password to log in with, from the option or, read now, from the first line of the file. out holds
 * XQUEUE_PASSWORD_BYTES_MAX + 1; wipe it after use. STATUS_INVALID, with error filled: the file cannot be read, is empty or its
 * line too long.
 */
enum status settings_password(const struct settings *settings, char *out, struct error *error) STATUS_CHECKED;

/* Is there a token, in place of a login? */
bool settings_have_token(const struct settings *settings);
/* The same for the token; out holds SETTINGS_TOKEN_MAX. */
enum status settings_token(const struct settings *settings, char *out, struct error *error) STATUS_CHECKED;

#endif
