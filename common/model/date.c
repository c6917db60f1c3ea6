/* RFC 3339 dates and date-times. */
#include "common/model/json_reader.h"

#include <stdbool.h>
#include <time.h>

/* Exactly `count` digits at *at, moved past them; -1 when they are not there. */
static int
take_digits(const char **at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = 10 * value + (**at - '0');
    }
    return value;
}

static bool
take(const char **at, char character)
{
    bool there = **at == character;
    *at += there;
    return there;
}

static bool
take_date(const char **at, struct tm *date)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = take_digits(at, 4);
    if (year < 1970 || !take(at, '-'))
        return false;
    int month = take_digits(at, 2);
    if (month < 1 || month > 12 || !take(at, '-'))
        return false;
    int day = take_digits(at, 2);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > days[month - 1] + (leap && month == 2 ? 1 : 0))
        return false;
    date->tm_year = year - 1900;
    date->tm_mon = month - 1;
    date->tm_mday = day;
    return true;
}

static bool
take_clock(const char **at, struct tm *date)
{
    date->tm_hour = take_digits(at, 2);
    if (date->tm_hour < 0 || date->tm_hour > 23 || !take(at, ':'))
        return false;
    date->tm_min = take_digits(at, 2);
    if (date->tm_min < 0 || date->tm_min > 59 || !take(at, ':'))
        return false;
    date->tm_sec = take_digits(at, 2);
    if (date->tm_sec < 0 || date->tm_sec > 59)
        return false;
    if (take(at, '.')) { /* part of a second: read, and dropped */
        if (take_digits(at, 1) < 0)
            return false;
        while (take_digits(at, 1) >= 0)
            ;
    }
    return true;
}

/* "Z" or "+hh:mm": seconds east of UTC. */
static bool
take_zone(const char **at, int *ret_offset_s)
{
    if (take(at, 'Z') || take(at, 'z'))
        return true;
    int sign = **at == '+' ? 1 : **at == '-' ? -1 : 0;
    if (sign == 0)
        return false;
    (*at)++;
    int hours = take_digits(at, 2);
    if (hours < 0 || hours > 23 || !take(at, ':'))
        return false;
    int minutes = take_digits(at, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

fc_err
fc_date_parse(const char *text, int64_t *ret_unix_s)
{
    const char *at = text;
    struct tm date = {0};
    int offset_s = 0;
    if (!take_date(&at, &date))
        return FC_ERR_INVALID;
    if (*at != '\0' && ((!take(&at, 'T') && !take(&at, 't') && !take(&at, ' ')) || !take_clock(&at, &date) ||
                        !take_zone(&at, &offset_s)))
        return FC_ERR_INVALID;
    if (*at != '\0')
        return FC_ERR_INVALID;
    int64_t unix_s = (int64_t)timegm(&date) - offset_s;
    if (unix_s <= 0)
        return FC_ERR_INVALID;
    *ret_unix_s = unix_s;
    return FC_OK;
}
