/* base/lock.h: a lock for what many read at any time and one thread replaces now and then. */
#pragma once
#include <pthread.h>

/* Whoever waits to write comes before new readers, who must not take it twice. */
static inline void lock_init_writer_first(pthread_rwlock_t *lock) {
    pthread_rwlockattr_t writers;

    pthread_rwlockattr_init(&writers);
    pthread_rwlockattr_setkind_np(&writers, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &writers);
    pthread_rwlockattr_destroy(&writers);
}
