/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/moment.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
    TM_YEAR_BASE = 1900,
    MONTHS = 12,
    DAYS_MAX = 31,
    HOURS = 24,
    MINUTES = 60,
    SECONDS = 60,
    MS_PER_SECOND = 1000,
    DECIMAL = 10,
    YEAR_DIGITS = 4,
    FRACTION_DIGITS_MAX = 9,
};

/* Takes exactly so many digits. */
static bool take_number(const char **text, int digits, int min, int max, int *out)
{
    int number = 0;
    for (int at = 0; at < digits; at++) {
        if (**text < '0' || **text > '9')
            return false;
        number = number * DECIMAL + (*(*text)++ - '0');
    }
    *out = number;
    return number >= min && number <= max;
}

static bool take_char(const char **text, char wanted)
{
    if (**text != wanted)
        return false;
    (*text)++;
    return true;
}

/* ".123456" as ms; more than that is cut. */
static bool take_fraction(const char **text, int *out_ms)
{
    int unit = MS_PER_SECOND / DECIMAL;
    int digits = 0;
    for (; **text >= '0' && **text <= '9' && digits < FRACTION_DIGITS_MAX; digits++) {
        *out_ms += (*(*text)++ - '0') * unit;
        unit /= DECIMAL;
    }
    return digits > 0;
}

static bool take_time(const char **text, struct tm *time, int *out_ms)
{
    if (!take_number(text, 2, 0, HOURS - 1, &time->tm_hour) || !take_char(text, ':') ||
        !take_number(text, 2, 0, MINUTES - 1, &time->tm_min))
        return false;
    if (!take_char(text, ':'))
        return true;
    if (!take_number(text, 2, 0, SECONDS - 1, &time->tm_sec))
        return false;
    return !take_char(text, '.') || take_fraction(text, out_ms);
}

/* "Z", "+02:00", "-0530", or nothing; in seconds east of UTC. */
static bool take_zone(const char **text, int *out_seconds)
{
    int hours = 0;
    int minutes = 0;
    *out_seconds = 0;
    if (take_char(text, 'Z') || **text == '\0')
        return true;
    int sign = **text == '-' ? -1 : 1;
    if (**text != '+' && **text != '-')
        return false;
    (*text)++;
    if (!take_number(text, 2, 0, HOURS - 1, &hours))
        return false;
    (void)take_char(text, ':');
    if (!take_number(text, 2, 0, MINUTES - 1, &minutes))
        return false;
    *out_seconds = sign * (hours * MINUTES + minutes) * SECONDS;
    return true;
}

enum status moment_parse(const char *text, int64_t *out_at_ms)
{
    struct tm time = {.tm_isdst = 0};
    int year = 0;
    int month = 0;
    int ms = 0;
    int zone = 0;
    if (!take_number(&text, YEAR_DIGITS, 1, INT16_MAX, &year) || !take_char(&text, '-') ||
        !take_number(&text, 2, 1, MONTHS, &month) || !take_char(&text, '-') ||
        !take_number(&text, 2, 1, DAYS_MAX, &time.tm_mday))
        return STATUS_INVALID;
    time.tm_year = year - TM_YEAR_BASE;
    time.tm_mon = month - 1;
    if (*text != '\0') {
        if ((*text != 'T' && *text != ' ') || (text++, !take_time(&text, &time, &ms)) || !take_zone(&text, &zone))
            return STATUS_INVALID;
    }
    struct tm settled = time;
    int64_t seconds = timegm(&settled);
    // timegm makes March the 2nd of February the 30th.
    if (*text != '\0' || settled.tm_mday != time.tm_mday)
        return STATUS_INVALID;
    int64_t at_ms = (seconds - zone) * MS_PER_SECOND + ms;
    if (at_ms < 1)
        return STATUS_INVALID;
    *out_at_ms = at_ms;
    return STATUS_OK;
}
