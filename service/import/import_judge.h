/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one submission of the original is to us, seen by itself: its callback URL and files out of the original's JSON, its
 * state, its digest.
 *
 * Threading: pure.
 */
#ifndef SERVICE_IMPORT_IMPORT_JUDGE_H
#define SERVICE_IMPORT_IMPORT_JUDGE_H

#include "base/config.h"
#include "base/secret.h"
#include "service/import/import_report.h"
#include "service/import/legacy_row.h"
#include "service/rules/lease.h"
#include "service/store/store.h"

enum {
    IMPORT_HEADER_BYTES_MAX = 65536,         /* the contract's bounds, which no submission of ours passes either */
    IMPORT_BODY_BYTES_MAX = 3 * 1024 * 1024, /* likewise */
    IMPORT_FILE_URLS_BYTES_MAX = 65536,      /* the list of files; the original's column has 1,024 */
};

struct import_judgement {
    enum import_fate fate;            /* never IMPORT_SUPERSEDED, IMPORT_ALREADY: those need to see the others */
    const struct config_queue *queue; /* NULL: the configuration does not name it */
    char *callback_url;               /* owned; the whole one of the header; "" when it cannot be used */
    uint8_t replace_key[SECRET_DIGEST_BYTES];
    bool has_replace_key;
    char why_dead[ERROR_TEXT_MAX];        /* IMPORT_DEAD: what is wrong with the callback URL */
    char lease_key[LEASE_KEY_LENGTH + 1]; /* "" = none */
    bool key_is_unusable;                 /* there is one, but it has not the form of a key */
    bool files_are_external;
    bool files_are_unreadable;
    struct store_file *files; /* owned; names and URLs; kept as far as they make sense */
    size_t file_count;
};

/* Judges submission at now_ms. Free with import_judgement_finish. Both arguments are borrowed; queue stays config's. */
void import_judge(const struct config *config, const struct legacy_submission *submission, int64_t now_ms,
                  struct import_judgement *out_judgement);
void import_judgement_finish(struct import_judgement *judgement);

/* Of what does not change of a submission in the original's database, whatever form that comes in. */
void import_digest(const struct legacy_submission *submission, uint8_t out[SECRET_DIGEST_BYTES]);

#endif
