/* bench/flags/main.c: sluice-flags < DOCUMENT: what it costs to make the flags of an environment
 * (flags/model.h) ready to be asked, and to ask them.  Prints one line of JSON. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/times.h"
#include "flags/evaluate.h"
#include <stdio.h>
#include <stdlib.h>

enum { COMPILES = 200, ROUNDS = 200 };

static void put_times(const char *name, int64_t *times, size_t n) {
    times_sort(times, n);
    printf("\"%s\": {\"p50_us\": %lld, \"p99_us\": %lld}, ", name, (long long)times[n / 2],
           (long long)times[n * 99 / 100]);
}

/* From the database's text to what is served. */
static struct flags *made(const char *text) {
    json_auto_t *document = json_parse(text);

    return flags_compile(document);
}

/* ns for each flag, every one asked for by ROUNDS people. */
static int64_t each_ns(const struct flags *f, struct arena *arena, bool memo) {
    uint64_t random = 1;
    size_t on = 0;
    int64_t began = clock_thread_us();

    for (int i = 0; i < ROUNDS; i++) {
        json_auto_t *who = json_pack("{s:o, s:s, s:s}", "targetingKey", json_sprintf("user-%d", i),
                                     "plan", "pro", "country", "NO");
        struct flag_context context = {.environment = "production",
                                       .objects = {who},
                                       .now_us = clock_now_us(),
                                       .random = &random};

        if (memo)
            context.memo = arena_alloc(arena, flag_memo_size(f));
        for (size_t k = 0; k < flags_count(f); k++)
            on += flag_evaluate(f, flags_at(f, k), &context).enabled;
    }
    if (on == 0)
        die("no flag was on for anybody");
    return (clock_thread_us() - began) * 1000 / ROUNDS / (int64_t)flags_count(f);
}

int main(void) {
    _cleanup_free_ char *text = NULL;
    size_t room = 0;
    static int64_t times[COMPILES];
    struct arena arena = {0};
    struct flags *f;

    if (getdelim(&text, &room, '\0', stdin) < 0)
        die("usage: sluice-flags < DOCUMENT");
    for (int i = 0; i < COMPILES; i++) {
        int64_t began = clock_thread_us();

        f = made(text);
        times[i] = clock_thread_us() - began;
        flags_free(f);
    }
    f = made(text);
    printf("{\"flags\": %zu, ", flags_count(f));
    put_times("compile", times, COMPILES);
    printf("\"one_ns\": %lld, ", (long long)each_ns(f, &arena, false));
    printf("\"of_all_ns\": %lld}\n", (long long)each_ns(f, &arena, true));
    flags_free(f);
    arena_done(&arena);
    return 0;
}
