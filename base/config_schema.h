/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the configuration: one row for each key says where its value goes, its default, its range and what it means.
 * Reading (config_value.c), freeing and config_describe all go by these rows.
 *
 * Threading: immutable.
 */
#ifndef BASE_CONFIG_SCHEMA_H
#define BASE_CONFIG_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

enum config_kind {
    CONFIG_KIND_NUMBER,  /* int64_t */
    CONFIG_KIND_TRUTH,   /* bool */
    CONFIG_KIND_CHOICE,  /* an enum: the index of the word */
    CONFIG_KIND_ROLES,   /* unsigned: bit n stands for word n; a word or a list of words */
    CONFIG_KIND_TEXT,    /* char * */
    CONFIG_KIND_PATH,    /* char *, made relative to the folder of the file */
    CONFIG_KIND_TEXTS,   /* struct config_texts; one text or a list */
    CONFIG_KIND_SECTION, /* a struct inside of the section's; a map */
    CONFIG_KIND_RECORDS, /* an array of structs and a size_t count; a list of maps */
};

struct config_key {
    const char *name;
    enum config_kind kind;
    size_t offset;                          /* of the value in the section's struct */
    int64_t min, max;                       /* NUMBER: its range; TEXT, PATH: bytes; TEXTS, RECORDS: entries */
    int64_t fallback;                       /* NUMBER (-1: what config_complete says), TRUTH, CHOICE */
    const char *fallback_text;              /* TEXT, PATH, and TEXTS (one entry); NULL: "" or none */
    const char *const *words;               /* CHOICE, ROLES: ends with NULL */
    const char *(*check)(const char *text); /* TEXT, TEXTS: of config_syntax.h; NULL: any text */
    const struct config_section *record;    /* SECTION: its keys; RECORDS: those of one entry */
    size_t count_offset;                    /* RECORDS: of the count in the section's struct */
    const char *meaning;
};

struct config_section {
    const char *name;
    const char *meaning;
    const struct config_key *keys;
    size_t key_count;
    size_t size; /* of the section's struct */
};

extern const struct config_section config_section_log, config_section_service, config_section_delivery, config_section_rest,
    config_section_callbacks, config_section_basic_auth, config_section_s3, config_section_queue, config_section_user,
    config_section_queue_roles, config_section_tls, config_section_core_tls;

/* The sections of the file that are one struct inside of struct config. */
struct config_place {
    const struct config_section *section;
    size_t offset; /* in struct config */
};

enum { CONFIG_PLACES = 5 };
extern const struct config_place config_places[CONFIG_PLACES];

/* The two sections that map names to settings. */
#define CONFIG_QUEUES_KEY "queues"
#define CONFIG_USERS_KEY  "users"

#endif
