/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Colours for people at a terminal; empty texts for everybody else.
 *
 * Threading: immutable after paint_init.
 */
#ifndef TESTS_DEMO_PAINT_H
#define TESTS_DEMO_PAINT_H

struct paint {
    const char *bold;
    const char *dim;
    const char *good;
    const char *bad;
    const char *off;
};

/* For standard output: colours when it is a terminal and NO_COLOR (https://no-color.org) is not set. */
struct paint paint_init(void);

#endif
