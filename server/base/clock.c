#include "base/clock.h"
#include <ctype.h>
#include <string.h>
#include <time.h>

#define YEAR_1_S     INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define YEAR_10000_S INT64_C(253402300800)

static int64_t read_clock(clockid_t id) {
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_now_us(void) {
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_thread_us(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void clock_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

bool clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us) {
    struct timespec at = {until_us / US_PER_S, until_us % US_PER_S * 1000};

    return pthread_cond_timedwait(cond, lock, &at) == 0;
}

/* Writes exactly `n` digits, and what comes after them. */
static char *put(char *at, int n, int value, char after) {
    for (int i = n - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    at[n] = after;
    return at + n + 1;
}

char *clock_format(int64_t us, char text[TIME_TEXT]) {
    int64_t part = us % US_PER_S;
    time_t seconds = (time_t)(us / US_PER_S);
    char *at = text;
    struct tm tm;

    if (part < 0) {
        part += US_PER_S;
        seconds--;
    }
    gmtime_r(&seconds, &tm);
    at = put(at, 4, tm.tm_year + 1900, '-');
    at = put(at, 2, tm.tm_mon + 1, '-');
    at = put(at, 2, tm.tm_mday, 'T');
    at = put(at, 2, tm.tm_hour, ':');
    at = put(at, 2, tm.tm_min, ':');
    at = put(at, 2, tm.tm_sec, '.');
    at = put(at, 3, (int)(part / US_PER_MS), 'Z');
    *at = '\0';
    return text;
}

/* Reads exactly `n` digits at *p and steps over them. */
static bool digits(const char **p, int n, int *ret) {
    int value = 0;

    for (int i = 0; i < n; i++, (*p)++) {
        if (!isdigit((unsigned char)**p))
            return false;
        value = value * 10 + (**p - '0');
    }
    *ret = value;
    return true;
}

static bool sign_or_char(const char **p, const char *any) {
    if (!**p || !strchr(any, **p))
        return false;
    (*p)++;
    return true;
}

static bool parse_fraction(const char **p, int64_t *us) {
    int64_t unit = 100000;

    if (**p != '.')
        return true;
    (*p)++;
    if (!isdigit((unsigned char)**p))
        return false;
    for (int i = 0; isdigit((unsigned char)**p); (*p)++, i++) {
        if (i == 9)
            return false;
        *us += (**p - '0') * unit;
        unit /= 10;
    }
    return true;
}

static bool parse_offset(const char **p, int64_t *seconds) {
    int hours, minutes, sign;

    if (sign_or_char(p, "Zz"))
        return true;
    sign = **p == '-' ? -1 : 1;
    if (!sign_or_char(p, "+-") || !digits(p, 2, &hours) || !sign_or_char(p, ":") ||
        !digits(p, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds -= sign * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse(const char *text, int64_t *ret_us) {
    struct tm tm = {0}, check;
    int64_t us = 0, seconds;
    int year, month;
    time_t t;

    if (!digits(&text, 4, &year) || !sign_or_char(&text, "-") || !digits(&text, 2, &month) ||
        !sign_or_char(&text, "-") || !digits(&text, 2, &tm.tm_mday) || !sign_or_char(&text, "Tt") ||
        !digits(&text, 2, &tm.tm_hour) || !sign_or_char(&text, ":") ||
        !digits(&text, 2, &tm.tm_min) || !sign_or_char(&text, ":") ||
        !digits(&text, 2, &tm.tm_sec) || !parse_fraction(&text, &us))
        return false;
    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    check = tm;
    t = timegm(&check);
    if (check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon) /* 30 February */
        return false;
    seconds = (int64_t)t;
    if (!parse_offset(&text, &seconds) || *text)
        return false;
    if (seconds < YEAR_1_S || seconds >= YEAR_10000_S) /* an offset may lead out of the form */
        return false;
    *ret_us = seconds * US_PER_S + us;
    return true;
}
