/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The labels of those who asked a queue for submissions without a stream, for a while: a poller is nobody that is connected,
 * but it will come again.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_RECENT_POLLERS_H
#define SERVICE_RECENT_POLLERS_H

#include "base/list.h"
#include "service/rules/labels.h"

enum {
    RECENT_POLLERS_MAX = 64,           /* different sets of labels; the one not seen for longest is forgotten first */
    RECENT_POLLERS_MS = 5 * 60 * 1000, /* a poller not seen for so long is gone */
};

struct recent_pollers {
    struct list items; /* of struct recent_poller, the one not seen for longest first */
};

void recent_pollers_init(struct recent_pollers *pollers);
void recent_pollers_finish(struct recent_pollers *pollers);

/* Somebody who offers these labels has just asked. offered is borrowed. */
void recent_pollers_note(struct recent_pollers *pollers, const struct labels *offered, int64_t now_ms);

/* Has one who could take what asks for these labels been seen lately? */
bool recent_pollers_cover(const struct recent_pollers *pollers, const struct labels *asked, int64_t now_ms);

#endif
