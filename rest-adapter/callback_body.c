/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/callback_body.h"

#include "base/text.h"
#include "base/url.h"

const char *callback_body_failure_message(void)
{
    return "{\"correct\": null, \"score\": 0, \"msg\": \"<div class=\\\"capa_alert\\\">Your submission could not be graded. "
           "Please recheck your submission and try again. If the problem persists, please notify the course staff.</div>\"}";
}

enum status callback_body_write(struct span header, struct span result, char **out_body, size_t *out_length)
{
    struct text body;
    text_init(&body, CALLBACK_BODY_BYTES_MAX);
    text_append_string(&body, "xqueue_header=");
    url_append_form_quoted(&body, header);
    text_append_string(&body, "&xqueue_body=");
    url_append_form_quoted(&body, result);
    enum status status = text_status(&body);
    if (status == STATUS_OK)
        *out_body = text_take(&body, out_length);
    text_finish(&body);
    return status;
}
