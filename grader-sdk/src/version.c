/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/include/xqueue/grader.h"

#define TEXT_OF(number_)   #number_
#define TEXT_FROM(number_) TEXT_OF(number_)
#define VERSION_TEXT       TEXT_FROM(XQUEUE_VERSION_MAJOR) "." TEXT_FROM(XQUEUE_VERSION_MINOR) "." TEXT_FROM(XQUEUE_VERSION_PATCH)

_Static_assert(sizeof(VERSION_TEXT) == sizeof(XQUEUE_VERSION), "the header's version is not the project's");

const char *xqueue_version(void)
{
    return VERSION_TEXT;
}

int xqueue_version_number(void)
{
    return XQUEUE_VERSION_NUMBER;
}

bool xqueue_is_compatible(int header_version_number)
{
    return header_version_number / 10000 == XQUEUE_VERSION_MAJOR && header_version_number <= XQUEUE_VERSION_NUMBER;
}
