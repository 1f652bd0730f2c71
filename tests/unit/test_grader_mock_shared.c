/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_mock_round xqueue_grader_mock xqueue_grader */
/* Both shared libraries in one process. */
#include "tests/support/mock_round.h"

int main(void)
{
    return mock_round();
}
