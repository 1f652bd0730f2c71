/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/tools/submit_help.h"
#include "grader-sdk/tools/submit_say.h"

#define ADDRESS_DEFAULT "127.0.0.1:8041"

enum { MS_PER_SECOND = 1000, CODE_FIRST = 1000, LETTERS_MAX = 2 * SUBMIT_OPTION_COUNT + 1 };

static int usage(void)
{
    (void)fprintf(stderr, "Try 'xqueue-submit --help'.\n");
    return SUBMIT_EXIT_USAGE;
}

/* 0, or what to exit with. */
static int read_number(const struct submit_option *option, const char *text, int64_t *out)
{
    bool is_seconds = option->kind == SUBMIT_KIND_SECONDS;
    enum status status = is_seconds ? text_to_scaled(text, MS_PER_SECOND, option->min, option->max, out)
                                    : text_to_int64(text, option->min, option->max, out);
    if (status == STATUS_OK)
        return 0;
    if (is_seconds)
        return submit_fail(SUBMIT_EXIT_USAGE, "--%s: '%s' is not a number of seconds from %g to %.0f", option->name, text,
                           (double)option->min / MS_PER_SECOND, (double)option->max / MS_PER_SECOND);
    return submit_fail(SUBMIT_EXIT_USAGE, "--%s: '%s' is not a whole number from %" PRId64 " to %" PRId64, option->name, text,
                       option->min, option->max);
}

/* The index of text among words, which end with NULL. */
static int read_word(const char *name, const char *text, const char *const *words, unsigned *out_index)
{
    for (unsigned at = 0; words[at]; at++) {
        if (strcmp(words[at], text) == 0) {
            *out_index = at;
            return 0;
        }
    }
    return submit_fail(SUBMIT_EXIT_USAGE, "--%s: there is no '%s', see --help", name, text);
}

static int add_pair(struct submit_pair *pairs, size_t *count, size_t count_max, const struct submit_option *option)
{
    const char *equals = strchr(optarg, '=');
    if (!equals || equals == optarg || equals[1] == '\0')
        return submit_fail(SUBMIT_EXIT_USAGE, "--%s: '%s' is not %s", option->name, optarg, option->value);
    if (*count == count_max)
        return submit_fail(SUBMIT_EXIT_USAGE, "--%s: given more than %zu times", option->name, count_max);
    char *name = memory_copy_text(optarg);
    name[equals - optarg] = '\0';
    pairs[(*count)++] = (struct submit_pair){.name = name, .value = equals + 1};
    return 0;
}

/* Takes an option that is like no other. false: exit with *out_exit_code. */
static bool take_special(struct submit_options *options, const struct submit_option *option, int *out_exit_code)
{
    static const char *const priorities[] = {"normal", "high", "low", NULL};
    static const char *const outputs[] = {"score", "raw", "json", NULL};
    unsigned word = 0;
    switch ((enum submit_special)option->offset) {
    case SUBMIT_SPECIAL_FILE:
        *out_exit_code = add_pair(options->files, &options->file_count, SUBMIT_FILES_MAX, option);
        return *out_exit_code == 0;
    case SUBMIT_SPECIAL_LABEL:
        *out_exit_code = add_pair(options->labels, &options->label_count, SUBMIT_LABELS_MAX, option);
        return *out_exit_code == 0;
    case SUBMIT_SPECIAL_PRIORITY:
        *out_exit_code = read_word(option->name, optarg, priorities, &word);
        options->priority = word;
        return *out_exit_code == 0;
    case SUBMIT_SPECIAL_OUTPUT:
        *out_exit_code = read_word(option->name, optarg, outputs, &word);
        options->output = (enum submit_output)word;
        return *out_exit_code == 0;
    case SUBMIT_SPECIAL_JSON:
        options->output = SUBMIT_OUTPUT_JSON;
        return true;
    case SUBMIT_SPECIAL_COMPLETION:
        *out_exit_code = strcmp(optarg, "bash") == 0
                             ? SUBMIT_EXIT_OK
                             : submit_fail(SUBMIT_EXIT_USAGE, "--completion: there is none for '%s', only for bash", optarg);
        if (*out_exit_code == SUBMIT_EXIT_OK)
            submit_help_complete();
        return false;
    case SUBMIT_SPECIAL_HELP:
        submit_help_print();
        *out_exit_code = SUBMIT_EXIT_OK;
        return false;
    case SUBMIT_SPECIAL_VERSION:
        (void)printf("xqueue-submit %s\n", XQUEUE_VERSION);
        *out_exit_code = SUBMIT_EXIT_OK;
        return false;
    }
    return true;
}

/* false: exit with *out_exit_code. */
static bool take(struct submit_options *options, const struct submit_option *option, int *out_exit_code)
{
    void *field = (char *)options + option->offset;
    switch (option->kind) {
    case SUBMIT_KIND_TEXT:
        *(const char **)field = optarg;
        return true;
    case SUBMIT_KIND_CONNECT:
        *connection_options_field(&options->connect, option->name) = optarg;
        return true;
    case SUBMIT_KIND_FLAG:
        *(bool *)field = true;
        return true;
    case SUBMIT_KIND_NUMBER:
    case SUBMIT_KIND_SECONDS:
        *out_exit_code = read_number(option, optarg, field);
        return *out_exit_code == 0;
    case SUBMIT_KIND_SPECIAL:
        break;
    }
    return take_special(options, option, out_exit_code);
}

static const struct submit_option *find_option(int code)
{
    size_t at = code >= CODE_FIRST ? (size_t)(code - CODE_FIRST) : 0;
    while (code < CODE_FIRST && submit_option_table[at].letter != code)
        at++;
    return &submit_option_table[at];
}

static bool take_all(struct submit_options *options, int argc, char **argv, int *out_exit_code)
{
    struct option known[SUBMIT_OPTION_COUNT + 1] = {0};
    char letters[LETTERS_MAX];
    char *letter = letters;
    for (size_t at = 0; at < SUBMIT_OPTION_COUNT; at++) {
        const struct submit_option *option = &submit_option_table[at];
        known[at] = (struct option){option->name, option->value ? required_argument : no_argument, NULL,
                                    option->letter ? option->letter : CODE_FIRST + (int)at};
        if (option->letter)
            *letter++ = option->letter;
        if (option->letter && option->value)
            *letter++ = ':';
    }
    *letter = '\0';
    optind = 0; // starts anew
    for (;;) {
        int code = getopt_long(argc, argv, letters, known, NULL); // NOLINT(concurrency-mt-unsafe): main thread only
        if (code == -1)
            break;
        if (code == '?') { // getopt_long has said what is wrong
            *out_exit_code = usage();
            return false;
        }
        if (!take(options, find_option(code), out_exit_code))
            return false;
    }
    options->paths = (const char *const *)argv + optind;
    options->path_count = (size_t)(argc - optind);
    return true;
}

/* ---- what fits together ---- */

bool submit_options_are_many(const struct submit_options *options)
{
    return options->from || options->path_count > 1 || options->repeat > 1;
}

/* What is wrong with the texts that have bounds, or NULL. */
static const char *find_wrong_text(const struct submit_options *options)
{
    if (options->queue && !text_is_name(options->queue, SUBMIT_QUEUE_BYTES_MAX))
        return "--queue: must be 1 to 128 bytes of UTF-8 without control characters";
    if (options->request_id && !text_is_name(options->request_id, SUBMIT_REQUEST_ID_BYTES_MAX))
        return "--request-id: must be 1 to 128 bytes of UTF-8 without control characters";
    if (options->fairness_key && !text_is_name(options->fairness_key, SUBMIT_FAIRNESS_KEY_BYTES_MAX))
        return "--fairness-key: must be 1 to 128 bytes of UTF-8 without control characters";
    if (options->replace_key && (!options->replace_key[0] || strlen(options->replace_key) > SUBMIT_REPLACE_KEY_BYTES_MAX))
        return "--replace-key: must be 1 to 64 bytes";
    for (size_t at = 0; at < options->label_count; at++) {
        if (!text_is_name(options->labels[at].name, SUBMIT_LABEL_BYTES_MAX) ||
            !text_is_name(options->labels[at].value, SUBMIT_LABEL_BYTES_MAX))
            return "--label: key and value must be 1 to 64 bytes of UTF-8 without control characters";
    }
    for (size_t at = 0; at < options->file_count; at++) {
        if (!text_is_name(options->files[at].name, SUBMIT_FILE_NAME_BYTES_MAX))
            return "--file: the name must be 1 to 255 bytes of UTF-8 without control characters";
    }
    return NULL;
}

static bool has_standard_input(const struct submit_options *options)
{
    for (size_t at = 0; at < options->path_count; at++) {
        if (strcmp(options->paths[at], "-") == 0)
            return true;
    }
    return false;
}

/* More than one is to be submitted. */
static const char *find_wrong_many(const struct submit_options *options)
{
    if (options->output == SUBMIT_OUTPUT_RAW)
        return "--output raw is for one submission; use --results DIR";
    if (options->replace_key)
        return "--replace-key with many submissions: each would take the place of the one before";
    return has_standard_input(options) ? "standard input can be submitted once" : NULL;
}

static const char *find_wrong_mix(const struct submit_options *options)
{
    bool is_many = submit_options_are_many(options);
    bool has_input = options->from || options->path_count > 0;
    if (options->watch_id > 0)
        return has_input || options->queue || options->no_wait || options->repeat > 1
                   ? "--watch ID looks at what is submitted already: it goes with neither --queue, FILE, --no-wait nor --repeat"
                   : NULL;
    if (!options->queue)
        return "--queue is missing";
    if (!has_input)
        return "what is to be submitted? FILE, - for standard input, or --from DIR";
    if (options->from && options->path_count > 0)
        return "give either FILE or --from DIR";
    if (options->glob && !options->from)
        return "--glob needs --from DIR";
    if (options->results && !is_many)
        return "--results is for many submissions: several FILEs, --from, or --repeat";
    if (is_many && find_wrong_many(options))
        return find_wrong_many(options);
    if (options->is_raw && (options->payload || options->student))
        return "--raw sends the file as it is: --payload and --student have no place";
    return options->no_wait && options->is_check ? "--check needs a result, --no-wait gives none" : NULL;
}

static bool check(const struct submit_options *options, int *out_exit_code)
{
    const char *wrong = find_wrong_text(options);
    wrong = wrong ? wrong : find_wrong_mix(options);
    if (!wrong && !connection_options_are_complete(&options->connect))
        wrong = options->connect.user ? "a user needs a password: --password-file or XQUEUE_PASSWORD_FILE"
                                      : "say who you are: --user and --password-file (XQUEUE_USER, XQUEUE_PASSWORD_FILE), "
                                        "--token-file (XQUEUE_TOKEN_FILE), or --certificate-file";
    if (!wrong)
        return true;
    (void)submit_fail(SUBMIT_EXIT_USAGE, "%s", wrong);
    *out_exit_code = usage();
    return false;
}

bool submit_options_read(struct submit_options *options, int argc, char **argv, int *out_exit_code)
{
    *options =
        (struct submit_options){.reconnect_ms = SUBMIT_RECONNECT_MS_DEFAULT, .parallel = SUBMIT_PARALLEL_DEFAULT, .repeat = 1};
    connection_options_init(&options->connect, "xqueue-submit");
    if (!options->connect.address)
        options->connect.address = ADDRESS_DEFAULT;
    if (!take_all(options, argc, argv, out_exit_code))
        return false;
    connection_options_settle(&options->connect);
    // No call takes longer than all together may.
    if (options->timeout_ms > 0 && options->timeout_ms < options->connect.timeout_ms)
        options->connect.timeout_ms = options->timeout_ms;
    return check(options, out_exit_code);
}

void submit_options_finish(struct submit_options *options)
{
    for (size_t at = 0; at < options->file_count; at++)
        memory_free(options->files[at].name);
    for (size_t at = 0; at < options->label_count; at++)
        memory_free(options->labels[at].name);
}
