/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/demo/paint.h"

#include <stdlib.h>
#include <unistd.h>

struct paint paint_init(void)
{
    const char *wish = getenv("NO_COLOR");
    if (!isatty(STDOUT_FILENO) || (wish && *wish != '\0')) {
        return (struct paint){"", "", "", "", ""};
    }
    return (struct paint){.bold = "\033[1m", .dim = "\033[2m", .good = "\033[32m", .bad = "\033[31m", .off = "\033[0m"};
}
