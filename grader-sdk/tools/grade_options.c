/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DECIMAL = 10, MS_PER_SECOND = 1000, DRAIN_S_MAX = 86400 };

/* What getopt answers; limits are LIMIT_FIRST + enum grade_limit. */
enum {
    OPTION_ADDRESS = 1000,
    OPTION_AT_LIMIT,
    OPTION_DRAIN,
    OPTION_FOLDER,
    OPTION_GRADER,
    OPTION_HELP,
    OPTION_INPUT,
    OPTION_LABEL,
    OPTION_NETWORK,
    OPTION_NAMESPACES,
    OPTION_OUTPUT,
    OPTION_PASSWORD_FILE,
    OPTION_PASS,
    OPTION_QUEUE,
    OPTION_SANDBOX,
    OPTION_SLOTS,
    OPTION_USER,
    OPTION_VERBOSE,
    OPTION_VERSION,
    OPTION_LIMIT_FIRST,
};

static const struct {
    const char *name, *argument, *meaning;
    int id;
} fixed[] = {
    {"queue", "NAME", "take from this queue; may be given more than once (XQUEUE_QUEUES)", OPTION_QUEUE},
    {"slots", "N", "grade so many at one time (XQUEUE_SLOTS; 1)", OPTION_SLOTS},
    {"address", "ADDRESS", "of xqueued (XQUEUE_ADDRESS; 127.0.0.1:8041)", OPTION_ADDRESS},
    {"grader", "NAME", "of this grader, one that lasts (XQUEUE_GRADER)", OPTION_GRADER},
    {"user", "NAME", "log in as; the password is XQUEUE_PASSWORD or in a file (XQUEUE_USER)", OPTION_USER},
    {"password-file", "FILE", "its first line is the password (XQUEUE_PASSWORD_FILE)", OPTION_PASSWORD_FILE},
    {"label", "KEY=VALUE", "what this grader can do; may be given more than once", OPTION_LABEL},
    {"drain-timeout", "SECONDS", "cancel when draining takes longer (no bound)", OPTION_DRAIN},
    {"input", "json|raw|files", "standard input: JSON, the body as it came, or nothing (json)", OPTION_INPUT},
    {"output", "json|raw", "standard output: checked as a result, or passed on as it is (json)", OPTION_OUTPUT},
    {"at-limit", "retry|ungradable|wrong", "what becomes of a submission at a limit (retry)", OPTION_AT_LIMIT},
    {"sandbox", "auto|require|none", "shut the program in (auto: where the system can)", OPTION_SANDBOX},
    {"network", NULL, "leave the network to the program in its sandbox", OPTION_NETWORK},
    {"namespaces", NULL, "let the program make namespaces in its sandbox, to run a student's apart", OPTION_NAMESPACES},
    {"pass", "VARIABLE", "give the program this variable of the environment; may be given more than once", OPTION_PASS},
    {"folder", "DIR", "where scratch folders go (TMPDIR; /tmp)", OPTION_FOLDER},
    {"verbose", NULL, "log more", OPTION_VERBOSE},
    {"help", NULL, "print this", OPTION_HELP},
    {"version", NULL, "print the version", OPTION_VERSION},
};

enum { FIXED_COUNT = sizeof(fixed) / sizeof(fixed[0]), OPTION_COUNT = FIXED_COUNT + GRADE_LIMIT_COUNT };

void grade_options_explain(void)
{
    (void)printf(
        "usage: xqueue-grade [OPTION...] -- PROGRAM [ARGUMENT...]\n"
        "Runs PROGRAM once for each submission that comes from a queue of xqueued, and answers with what it prints.\n\n");
    for (size_t i = 0; i < FIXED_COUNT; i++)
        (void)printf("  --%s%s%s\n        %s\n", fixed[i].name, fixed[i].argument ? " " : "",
                     fixed[i].argument ? fixed[i].argument : "", fixed[i].meaning);
    (void)printf("\nLimits:\n");
    for (size_t i = 0; i < GRADE_LIMIT_COUNT; i++) {
        const struct grade_limit_kind *kind = &grade_limit_kinds[i];
        (void)printf("  --%s N\n        %s, %" PRIu64 " to %" PRIu64 " (%" PRIu64 ")\n", kind->option, kind->meaning,
                     kind->least, kind->most, kind->usual);
    }
    (void)printf("\nThe program ends with 0 (standard output is the result), 65 (not gradable, standard output says why) or\n"
                 "75 (could not grade, try again; standard error says why). Lines \"PERCENT PHASE: NOTE\" on descriptor 3 are\n"
                 "progress. See xqueue-grade(1).\n");
}

__attribute__((format(printf, 2, 3))) static bool wrong(struct grade_options *options, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(options->wrong, sizeof(options->wrong), format, arguments);
    va_end(arguments);
    return false;
}

struct range {
    const char *option;
    uint64_t least, most;
};

static bool read_number(struct grade_options *options, const char *text, struct range range, uint64_t *out_number)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, DECIMAL);
    bool is_number = text[0] >= '0' && text[0] <= '9' && !*end && errno == 0;
    if (!is_number || number < range.least || number > range.most)
        return wrong(options, "--%s: %s: must be a number from %" PRIu64 " to %" PRIu64, range.option, text, range.least,
                     range.most);
    *out_number = number;
    return true;
}

/* The index of text among words, which end with NULL. */
static bool read_word(struct grade_options *options, const char *option, const char *text, const char *const *words,
                      unsigned *out_index)
{
    for (unsigned i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *out_index = i;
            return true;
        }
    }
    return wrong(options, "--%s: %s: no such word, see --help", option, text);
}

static bool read_choice(struct grade_options *options, int id, const char *text)
{
    static const char *const inputs[] = {"json", "raw", "files", NULL};
    static const char *const outputs[] = {"json", "raw", NULL};
    static const char *const at_limits[] = {"retry", "ungradable", "wrong", NULL};
    static const char *const sandboxes[] = {"auto", "require", "none", NULL};
    unsigned chosen = 0;
    bool is_known;
    switch (id) {
    case OPTION_INPUT:
        is_known = read_word(options, "input", text, inputs, &chosen);
        options->settings.input = (enum grade_input)chosen;
        return is_known;
    case OPTION_OUTPUT:
        is_known = read_word(options, "output", text, outputs, &chosen);
        options->settings.output = (enum grade_output)chosen;
        return is_known;
    case OPTION_AT_LIMIT:
        is_known = read_word(options, "at-limit", text, at_limits, &chosen);
        options->settings.at_limit = (enum grade_at_limit)chosen;
        return is_known;
    default:
        is_known = read_word(options, "sandbox", text, sandboxes, &chosen);
        options->settings.sandbox = (enum grade_sandbox)chosen;
        return is_known;
    }
}

static bool add_queue(struct grade_options *options, const char *text)
{
    if (options->grader.queue_count == XQUEUE_QUEUES_MAX)
        return wrong(options, "--queue: at most %d", XQUEUE_QUEUES_MAX);
    options->queues[options->grader.queue_count++] = text;
    options->grader.queues = options->queues;
    return true;
}

static bool add_label(struct grade_options *options, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t at = options->grader.label_count;
    if (!equals || equals == text || strlen(text) >= GRADE_OPTIONS_LABEL_MAX)
        return wrong(options, "--label: %.200s: must be KEY=VALUE", text);
    if (at == XQUEUE_LABELS_MAX)
        return wrong(options, "--label: at most %d", XQUEUE_LABELS_MAX);
    (void)snprintf(options->label_texts[at], GRADE_OPTIONS_LABEL_MAX, "%s", text);
    options->label_texts[at][equals - text] = '\0';
    options->labels[at] =
        (struct xqueue_label){.key = options->label_texts[at], .value = options->label_texts[at] + (equals - text) + 1};
    options->grader.labels = options->labels;
    options->grader.label_count++;
    return true;
}

static bool add_passed_on(struct grade_options *options, const char *text)
{
    if (strchr(text, '=') || !text[0])
        return wrong(options, "--pass: %.200s: must be the name of a variable", text);
    if (options->settings.passed_on_count == GRADE_OPTIONS_PASSED_ON_MAX)
        return wrong(options, "--pass: at most %d", GRADE_OPTIONS_PASSED_ON_MAX);
    options->passed_on[options->settings.passed_on_count++] = text;
    options->settings.passed_on = options->passed_on;
    return true;
}

/* Options that are a text or a mark. */
static bool take_text(struct grade_options *options, int id, const char *text)
{
    switch (id) {
    case OPTION_ADDRESS:
        options->grader.address = text;
        return true;
    case OPTION_FOLDER:
        options->parent = text;
        return true;
    case OPTION_GRADER:
        options->grader.grader = text;
        return true;
    case OPTION_PASSWORD_FILE:
        options->grader.password_file = text;
        return true;
    case OPTION_USER:
        options->grader.user = text;
        return true;
    case OPTION_NETWORK:
        options->settings.has_network = true;
        return true;
    case OPTION_NAMESPACES:
        options->settings.has_namespaces = true;
        return true;
    default:
        options->grader.log_level = XQUEUE_LOG_DEBUG;
        return true;
    }
}

static bool take(struct grade_options *options, int id, const char *text)
{
    uint64_t number = 0;
    if (id >= OPTION_LIMIT_FIRST) {
        const struct grade_limit_kind *kind = &grade_limit_kinds[id - OPTION_LIMIT_FIRST];
        return read_number(options, text, (struct range){kind->option, kind->least, kind->most},
                           &options->settings.limits.value[id - OPTION_LIMIT_FIRST]);
    }
    switch (id) {
    case OPTION_AT_LIMIT:
    case OPTION_INPUT:
    case OPTION_OUTPUT:
    case OPTION_SANDBOX:
        return read_choice(options, id, text);
    case OPTION_QUEUE:
        return add_queue(options, text);
    case OPTION_LABEL:
        return add_label(options, text);
    case OPTION_PASS:
        return add_passed_on(options, text);
    case OPTION_SLOTS:
        if (!read_number(options, text, (struct range){"slots", 1, XQUEUE_SLOTS_MAX}, &number))
            return false;
        options->grader.slots = (unsigned)number;
        return true;
    case OPTION_DRAIN:
        if (!read_number(options, text, (struct range){"drain-timeout", 1, DRAIN_S_MAX}, &number))
            return false;
        options->grader.drain_timeout_ms = (int64_t)number * MS_PER_SECOND;
        return true;
    default:
        return take_text(options, id, text);
    }
}

/* ---- the program ---- */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

/* As the shell would find it; its absolute path in settings.path. */
static bool find_program(struct grade_options *options, const char *name)
{
    char absolute[PATH_MAX];
    char candidate[PATH_MAX];
    const char *path = getenv("PATH"); // NOLINT(concurrency-mt-unsafe): before any thread
    const char *found = strchr(name, '/') && is_program(name) ? name : NULL;
    while (!found && !strchr(name, '/') && path && *path) {
        size_t length = strcspn(path, ":");
        (void)snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, path, name);
        if (length > 0 && is_program(candidate))
            found = candidate;
        path += length + (path[length] == ':');
    }
    if (!found)
        return wrong(options, "%s: there is no such program that may be run", name);
    // Links are followed no further than their folder: programs look at the name under which they were called.
    const char *slash = strrchr(found, '/');
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - found), found);
    if (!realpath(folder, absolute) || (size_t)snprintf(options->settings.path, sizeof(options->settings.path), "%s/%s",
                                                        absolute, slash + 1) >= sizeof(options->settings.path))
        return wrong(options, "%s: its path is too long or not to be found", name);
    return true;
}

static void set_usual(struct grade_options *options)
{
    memset(options, 0, sizeof(*options));
    xqueue_grader_options_init(&options->grader);
    for (size_t i = 0; i < GRADE_LIMIT_COUNT; i++)
        options->settings.limits.value[i] = grade_limit_kinds[i].usual;
}

static void list_known(struct option known[OPTION_COUNT + 1])
{
    for (size_t i = 0; i < FIXED_COUNT; i++)
        known[i] = (struct option){fixed[i].name, fixed[i].argument ? required_argument : no_argument, NULL, fixed[i].id};
    for (size_t i = 0; i < GRADE_LIMIT_COUNT; i++)
        known[FIXED_COUNT + i] =
            (struct option){grade_limit_kinds[i].option, required_argument, NULL, OPTION_LIMIT_FIRST + (int)i};
    known[OPTION_COUNT] = (struct option){NULL, 0, NULL, 0};
}

enum grade_options_outcome grade_options_read(struct grade_options *options, int argc, char **argv)
{
    struct option known[OPTION_COUNT + 1];
    int id;
    set_usual(options);
    list_known(known);
    optind = 0;                                                       // from the start, whatever was read before
    while ((id = getopt_long(argc, argv, "+:", known, NULL)) != -1) { // NOLINT(concurrency-mt-unsafe): before any thread
        if (id == OPTION_HELP)
            return GRADE_OPTIONS_HELP;
        if (id == OPTION_VERSION)
            return GRADE_OPTIONS_VERSION;
        bool is_taken = id != '?' && id != ':'
                            ? take(options, id, optarg)
                            : wrong(options, "%.200s: %s", argv[optind - 1],
                                    id == ':' ? "its value is missing" : "no such option, or too short a name");
        if (!is_taken)
            return GRADE_OPTIONS_WRONG;
    }
    if (optind == argc)
        (void)wrong(options, "the program that grades is missing: xqueue-grade [OPTION...] -- PROGRAM [ARGUMENT...]");
    else if (find_program(options, argv[optind])) {
        options->settings.command = &argv[optind];
        options->settings.command[0] = options->settings.path;
        return GRADE_OPTIONS_RUN;
    }
    return GRADE_OPTIONS_WRONG;
}
