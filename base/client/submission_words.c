/* SPDX-License-Identifier: Apache-2.0 */
#include "base/client/submission_words.h"

#include <string.h>

#define STATE_PREFIX    "SUBMISSION_STATE_"
#define DELIVERY_PREFIX "DELIVERY_STATE_"

static const char *enum_name(const ProtobufCEnumDescriptor *descriptor, int value, const char *prefix)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(descriptor, value);
    return found && strncmp(found->name, prefix, strlen(prefix)) == 0 ? found->name + strlen(prefix) : "UNKNOWN";
}

const char *submission_words_state(Xqueue__V1__SubmissionState state)
{
    return enum_name(&xqueue__v1__submission_state__descriptor, (int)state, STATE_PREFIX);
}

const char *submission_words_delivery(Xqueue__V1__DeliveryState state)
{
    return enum_name(&xqueue__v1__delivery_state__descriptor, (int)state, DELIVERY_PREFIX);
}
