/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mock and a grader in one process, through the public headers alone: whatever libraries the program is linked with must bear
 * each other.
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_MOCK_ROUND_H
#define TESTS_SUPPORT_MOCK_ROUND_H

/* Has a grader grade one submission and stop. 0, or 1 with a line on standard error. */
int mock_round(void);

#endif
