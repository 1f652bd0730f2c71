/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header Range of a request (RFC 9110, section 14): which part of a file is asked for. One part is served; whoever asks
 * for several, or for something that nobody understands, gets the whole, as the RFC allows.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_BYTE_RANGE_H
#define REST_ADAPTER_BYTE_RANGE_H

#include <stdint.h>

enum byte_range_kind {
    BYTE_RANGE_WHOLE,         /* 200 */
    BYTE_RANGE_PART,          /* 206 */
    BYTE_RANGE_UNSATISFIABLE, /* 416 */
};

struct byte_range {
    int64_t first;  /* bytes from the beginning */
    int64_t length; /* 0 only for an empty file or BYTE_RANGE_UNSATISFIABLE */
};

/*
 * value: of the header, or NULL without one; borrowed. file_bytes: length of the file, >= 0. *out_range: what to send, within
 * the file, whatever value says.
 */
enum byte_range_kind byte_range_parse(const char *value, int64_t file_bytes, struct byte_range *out_range);

#endif
