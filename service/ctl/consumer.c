/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl consumer`: for scripts and people that still start the original's worker. */
#include <stdio.h>

#include "service/ctl/commands.h"
#include "service/ctl/report.h"

#define WHY                                                                                                     \
    "no longer needed: xqueue-rest itself sends the submissions of queues with a push_url to their grader, as " \
    "soon as they come; there is nothing to start or to watch"

static int run(struct command_call *call)
{
    if (call->json)
        report_json(json_pack("{s:b, s:s}", "needed", 0, "text", WHY));
    else
        (void)printf("consumer: %s\n", WHY);
    return COMMAND_EXIT_OK;
}

const struct command command_consumer = {
    .name = "consumer",
    .operands = "",
    .old_name = "run_consumer",
    .help = "says why no consumer is needed any more",
    .is_offline = true,
    .run = run,
};
