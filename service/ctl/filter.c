/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/filter.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "service/ctl/moment.h"

enum { NAME_MAX_BYTES = 64 };

#define STATE_PREFIX    "SUBMISSION_STATE_"
#define DELIVERY_PREFIX "DELIVERY_STATE_"

/* ---- names of states ---- */

static const char *name_of(const ProtobufCEnumDescriptor *descriptor, int value, const char *prefix)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);
    return known ? known->name + strlen(prefix) : "?";
}

const char *filter_state_name(Xqueue__V1__SubmissionState state)
{
    return name_of(&xqueue__v1__submission_state__descriptor, (int)state, STATE_PREFIX);
}

const char *filter_delivery_name(Xqueue__V1__DeliveryState state)
{
    return name_of(&xqueue__v1__delivery_state__descriptor, (int)state, DELIVERY_PREFIX);
}

/* "in-flight" is DELIVERY_STATE_IN_FLIGHT. false: no state is called so. */
static bool value_of(const ProtobufCEnumDescriptor *descriptor, const char *prefix, const char *word, int *out_value)
{
    char name[NAME_MAX_BYTES];
    int length = snprintf(name, sizeof name, "%s%s", prefix, word);
    if (length < 0 || (size_t)length >= sizeof name)
        return false;
    for (char *at = name; *at != '\0'; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, name);
    if (!value || value->value == 0)
        return false;
    *out_value = value->value;
    return true;
}

/* ---- reading ---- */

static int read_states(const struct command_call *call, struct filter *filter)
{
    const struct command_value *given = command_option(call, "state");
    int value = 0;
    for (size_t at = 0; at < given->count; at++) {
        if (at == FILTER_STATES_MAX ||
            !value_of(&xqueue__v1__submission_state__descriptor, STATE_PREFIX, given->texts[at], &value))
            return command_fail(COMMAND_EXIT_USAGE, "--state: there is no state '%s'", given->texts[at]);
        filter->states[at] = (Xqueue__V1__SubmissionState)value;
    }
    filter->message.states = filter->states;
    filter->message.n_states = given->count;
    return 0;
}

static int read_deliveries(const struct command_call *call, struct filter *filter)
{
    const struct command_value *given = command_option(call, "delivery");
    int value = 0;
    for (size_t at = 0; at < given->count; at++) {
        if (at == FILTER_STATES_MAX ||
            !value_of(&xqueue__v1__delivery_state__descriptor, DELIVERY_PREFIX, given->texts[at], &value))
            return command_fail(COMMAND_EXIT_USAGE, "--delivery: there is no state '%s'", given->texts[at]);
        filter->deliveries[at] = (Xqueue__V1__DeliveryState)value;
    }
    filter->message.delivery_states = filter->deliveries;
    filter->message.n_delivery_states = given->count;
    return 0;
}

static int read_ids(const struct command_call *call, struct filter *filter)
{
    const struct command_value *given = command_option(call, "id");
    for (size_t at = 0; at < given->count; at++) {
        int64_t id = 0;
        if (at == FILTER_IDS_MAX || text_to_int64(given->texts[at], 1, INT64_MAX, &id) != STATUS_OK)
            return command_fail(COMMAND_EXIT_USAGE, "--id: '%s' is no id of a submission", given->texts[at]);
        filter->ids[at] = (uint64_t)id;
    }
    filter->message.submission_ids = filter->ids;
    filter->message.n_submission_ids = given->count;
    return 0;
}

static int read_moment(const struct command_call *call, const char *name, int64_t *out_at_ms)
{
    const char *text = command_text(call, name);
    if (text && moment_parse(text, out_at_ms) != STATUS_OK)
        return command_fail(COMMAND_EXIT_USAGE, "--%s: '%s' is no date and time (2026-01-31 12:00:00)", name, text);
    return 0;
}

/* The generated type is not const, though nothing is written. */
static char *text_of(const struct command_call *call, const char *name)
{
    const char *text = command_text(call, name);
    return (char *)(uintptr_t)(text ? text : "");
}

static bool is_any_given(const struct command_call *call)
{
    static const char *const names[] = {"queue", "id",     "state",        "delivery", "since",
                                        "until", "grader", "fairness-key", "message",  "failures"};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        const struct command_value *value = command_option(call, names[at]);
        if (value->given)
            return true;
    }
    return false;
}

int filter_read(const struct command_call *call, struct filter *out_filter)
{
    Xqueue__V1__SubmissionFilter *message = &out_filter->message;
    xqueue__v1__submission_filter__init(message);
    message->queue = text_of(call, "queue");
    message->grader = text_of(call, "grader");
    message->fairness_key = text_of(call, "fairness-key");
    message->message_contains = text_of(call, "message");
    message->failures_min = (uint32_t)command_number(call, "failures");
    out_filter->is_empty = !is_any_given(call);
    int exit_code = read_ids(call, out_filter);
    exit_code = exit_code == 0 ? read_states(call, out_filter) : exit_code;
    exit_code = exit_code == 0 ? read_deliveries(call, out_filter) : exit_code;
    exit_code = exit_code == 0 ? read_moment(call, "since", &message->submitted_from_ms) : exit_code;
    return exit_code == 0 ? read_moment(call, "until", &message->submitted_until_ms) : exit_code;
}
