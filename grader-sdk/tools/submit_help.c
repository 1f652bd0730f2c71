/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_help.h"

#include <stdio.h>
#include <string.h>

#include "grader-sdk/tools/submit_options.h"

enum { HEAD_WIDTH = 28, HEAD_BYTES_MAX = 128 };

#define FIELD(member_) offsetof(struct submit_options, member_)
#define SECOND         INT64_C(1000)
#define DAY            (86400 * SECOND)

/* clang-format off */
const struct submit_option submit_option_table[SUBMIT_OPTION_COUNT] = {
    {"queue", "NAME", "submit to this queue", SUBMIT_KIND_TEXT, FIELD(queue), 0, 0, 'q'},
    {"payload", "TEXT|@FILE", "the grader payload: what the course says to the grader", SUBMIT_KIND_TEXT, FIELD(payload), 0, 0, 'p'},
    {"student", "NAME", "whose it is, for the grader (anonymous_student_id); xqueue-submit", SUBMIT_KIND_TEXT, FIELD(student), 0, 0, 0},
    {"raw", NULL, "the file's bytes are the submission's body as they are", SUBMIT_KIND_FLAG, FIELD(is_raw), 0, 0, 0},
    {"header", "TEXT|@FILE", "the submitter's own words, up to 65536 bytes", SUBMIT_KIND_TEXT, FIELD(header), 0, 0, 0},
    {"file", "NAME=PATH", "attach this file; up to 100 times", SUBMIT_KIND_SPECIAL, SUBMIT_SPECIAL_FILE, 0, 0, 0},
    {"label", "KEY=VALUE", "what the grader must have; up to 16 times", SUBMIT_KIND_SPECIAL, SUBMIT_SPECIAL_LABEL, 0, 0, 0},
    {"priority", "normal|high|low", "before or behind the others of the queue; normal", SUBMIT_KIND_SPECIAL, SUBMIT_SPECIAL_PRIORITY, 0, 0, 0},
    {"not-before", "SECONDS", "do not grade before so long; up to 30 days", SUBMIT_KIND_SECONDS, FIELD(not_before_ms), 0, 30 * DAY, 0},
    {"expire-after", "SECONDS", "give up when not graded within so long; up to a year", SUBMIT_KIND_SECONDS, FIELD(expire_after_ms), 1, 365 * DAY, 0},
    {"replace-key", "TEXT", "take the place of an earlier one with this key that has no result", SUBMIT_KIND_TEXT, FIELD(replace_key), 0, 0, 0},
    {"fairness-key", "TEXT", "share a place in the fair order with others of this key", SUBMIT_KIND_TEXT, FIELD(fairness_key), 0, 0, 0},
    {"request-id", "TEXT", "the same again submits nothing new; random", SUBMIT_KIND_TEXT, FIELD(request_id), 0, 0, 0},
    {"no-wait", NULL, "do not wait for the result: print the id", SUBMIT_KIND_FLAG, FIELD(no_wait), 0, 0, 0},
    {"watch", "ID", "submit nothing: wait for the result of this one", SUBMIT_KIND_NUMBER, FIELD(watch_id), 1, INT64_MAX, 0},
    {"timeout", "SECONDS", "wait so long from handing in to the result; as long as it takes", SUBMIT_KIND_SECONDS, FIELD(timeout_ms), SECOND / 10, 365 * DAY, 0},
    {"reconnect", "SECONDS", "try so long to find xqueued again; 60", SUBMIT_KIND_SECONDS, FIELD(reconnect_ms), 0, DAY, 0},
    {"cancel-on-interrupt", NULL, "take back what is not graded when interrupted", SUBMIT_KIND_FLAG, FIELD(cancel_on_interrupt), 0, 0, 0},
    {"check", NULL, "exit with 9 when it is graded and not correct", SUBMIT_KIND_FLAG, FIELD(is_check), 0, 0, 0},
    {"output", "score|raw|json", "print the score, the result as it came, or one JSON document; score", SUBMIT_KIND_SPECIAL, SUBMIT_SPECIAL_OUTPUT, 0, 0, 'o'},
    {"json", NULL, "the same as --output json", SUBMIT_KIND_SPECIAL, SUBMIT_SPECIAL_JSON, 0, 0, 0},
    {"quiet", NULL, "do not show how far it is, nor a summary", SUBMIT_KIND_FLAG, FIELD(is_quiet), 0, 0, 0},
    {"from", "DIR", "submit each file of this folder", SUBMIT_KIND_TEXT, FIELD(from), 0, 0, 0},
    {"glob", "PATTERN", "only those whose names match", SUBMIT_KIND_TEXT, FIELD(glob), 0, 0, 0},
    {"parallel", "N", "of many, so many open at one time; 4, up to 1000", SUBMIT_KIND_NUMBER, FIELD(parallel), 1, SUBMIT_PARALLEL_MAX, 'j'},
    {"repeat", "K", "submit each so often", SUBMIT_KIND_NUMBER, FIELD(repeat), 1, SUBMIT_ITEMS_MAX, 0},
    {"results", "DIR", "write what came of each into this folder, as NAME.json", SUBMIT_KIND_TEXT, FIELD(results), 0, 0, 0},
    {"address", "ADDRESS", "of xqueued: HOST:PORT, tls://HOST:PORT or unix:/path (XQUEUE_ADDRESS; 127.0.0.1:8041)", SUBMIT_KIND_CONNECT, 0, 0, 0, 0},
    {"user", "NAME", "log in as; the password is in XQUEUE_PASSWORD or a file (XQUEUE_USER)", SUBMIT_KIND_CONNECT, 0, 0, 0, 0},
    {"password-file", "FILE", "its first line is the password (XQUEUE_PASSWORD_FILE)", SUBMIT_KIND_CONNECT, 0, 0, 0, 0},
    {"token-file", "FILE", "instead of user and password: its first line is a token (XQUEUE_TOKEN_FILE)", SUBMIT_KIND_CONNECT, 0, 0, 0, 0},
    {"ca-file", "FILE", "for tls://: the authorities to trust (XQUEUE_CA_FILE; the system's)", SUBMIT_KIND_CONNECT, 0, 0, 0, 0},
    {"certificate-file", "FILE", "for tls://: a certificate to show (XQUEUE_CERTIFICATE_FILE)", SUBMIT_KIND_CONNECT, 0, 0, 0, 0},
    {"key-file", "FILE", "its private key (XQUEUE_KEY_FILE)", SUBMIT_KIND_CONNECT, 0, 0, 0, 0},
    {"server-name", "NAME", "for tls://: whose certificate xqueued has (XQUEUE_SERVER_NAME; the address's host)", SUBMIT_KIND_CONNECT, 0, 0, 0, 0},
    {"completion", "SHELL", "print what a shell (bash) needs to complete these command lines", SUBMIT_KIND_SPECIAL, SUBMIT_SPECIAL_COMPLETION, 0, 0, 0},
    {"help", NULL, "print this", SUBMIT_KIND_SPECIAL, SUBMIT_SPECIAL_HELP, 0, 0, 'h'},
    {"version", NULL, "print the version", SUBMIT_KIND_SPECIAL, SUBMIT_SPECIAL_VERSION, 0, 0, 0},
};
/* clang-format on */

void submit_help_print(void)
{
    (void)printf("xqueue-submit - submits to a queue of xqueued, waits, and prints the result\n"
                 "\n"
                 "Usage: xqueue-submit --queue NAME [OPTION...] FILE       one; FILE - is standard input\n"
                 "       xqueue-submit --queue NAME [OPTION...] FILE...    many\n"
                 "       xqueue-submit --queue NAME [OPTION...] --from DIR all of a folder\n"
                 "       xqueue-submit --watch ID [OPTION...]              look again\n"
                 "\n");
    for (size_t at = 0; at < SUBMIT_OPTION_COUNT; at++) {
        const struct submit_option *option = &submit_option_table[at];
        char head[HEAD_BYTES_MAX];
        char letter[] = "-x, ";
        letter[1] = option->letter;
        (void)snprintf(head, sizeof head, "%s--%s%s%s", option->letter ? letter : "", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        if (strlen(head) < HEAD_WIDTH)
            (void)printf("  %-*s%s\n", HEAD_WIDTH, head, option->help);
        else
            (void)printf("  %s\n  %-*s%s\n", head, HEAD_WIDTH, "", option->help);
    }
    (void)printf(
        "\nExit codes: 0 graded, 1 failed, 2 wrong usage, 3 xqueued cannot be reached, 4 refused (password, role),\n"
        "5 not gradable, 6 given up, 7 canceled or superseded, 8 no result within --timeout, 9 not correct (--check),\n"
        "130 interrupted. Of many: 0 when all were graded. See xqueue-submit(1).\n");
}

void submit_help_complete(void)
{
    (void)printf("# bash completion for xqueue-submit, made by `xqueue-submit --completion bash`\n"
                 "_xqueue_submit()\n"
                 "{\n"
                 "    local current=${COMP_WORDS[COMP_CWORD]} options=\"");
    for (size_t at = 0; at < SUBMIT_OPTION_COUNT; at++)
        (void)printf("%s--%s", at > 0 ? " " : "", submit_option_table[at].name);
    // Words without a completion of ours are files, by -o default: so are most values.
    (void)printf("\"\n"
                 "    COMPREPLY=()\n"
                 "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n"
                 "    --priority) mapfile -t COMPREPLY < <(compgen -W 'normal high low' -- \"$current\") ;;\n"
                 "    -o | --output) mapfile -t COMPREPLY < <(compgen -W 'score raw json' -- \"$current\") ;;\n"
                 "    --completion) mapfile -t COMPREPLY < <(compgen -W 'bash' -- \"$current\") ;;\n"
                 "    --from | --results) mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
                 "    *) [[ $current != -* ]] || mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\") ;;\n"
                 "    esac\n"
                 "}\n"
                 "complete -o default -F _xqueue_submit xqueue-submit\n");
}
