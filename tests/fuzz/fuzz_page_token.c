/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue */
/* Any text as the page token of a search: what is read is written the same way, and means the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/selection.h"

enum { INPUT_BYTES_MAX = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[INPUT_BYTES_MAX + 1];
    char written[SELECTION_TOKEN_MAX];
    struct selection_place place;
    struct selection_place again;
    if (size > INPUT_BYTES_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (!selection_read_place(text, &place))
        return 0;
    if (place.walk < STORE_WALK_ALL || place.walk >= STORE_WALK_END)
        abort();
    selection_write_place(&place, written);
    if (!selection_read_place(written, &again) || again.walk != place.walk ||
        memcmp(again.at.keys, place.at.keys, sizeof place.at.keys) != 0)
        abort();
    return 0;
}
