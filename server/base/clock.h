/* base/clock.h: time.  Wall-clock times are microseconds since 1970 UTC; deadlines are monotonic.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define US_PER_MS   INT64_C(1000)
#define US_PER_S    INT64_C(1000000)
#define TIME_LAST_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

enum { TIME_TEXT = 32 }; /* "2026-11-24T21:53:28.123Z" and its NUL fit */

int64_t clock_now_us(void);       /* wall clock */
int64_t clock_monotonic_us(void); /* never goes back; for deadlines and measured times */
int64_t clock_thread_us(void);    /* processor time that this thread has used */
/* A condition whose timed waits go by clock_monotonic_us(). */
void clock_cond_init(pthread_cond_t *cond);
/* Waits for it until that time (clock_monotonic_us) at most; false: the time is up. */
bool clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us);
/* RFC 3339 UTC with milliseconds.  Returns `text`. */
char *clock_format(int64_t us, char text[TIME_TEXT]);
/* Reads RFC 3339 with any offset and up to nanoseconds; false when it is not that, or not in the
 * years 1 to 9999 of UTC. */
bool clock_parse(const char *text, int64_t *ret_us);
