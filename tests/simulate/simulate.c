/* tests/simulate/simulate.c: seeds, processes and time; as a suite and as a program.
 *
 *     worker-simulate [--seed N] [--count DEPLOYMENTS] [--wrong NAME] [--trace]
 *
 * Without options it is a suite; SLUICE_SIMULATE says how many deployments it simulates,
 * SLUICE_SIMULATE_SEED from which seed on. */
#include "tests/simulate/simulate.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/suite.h"
#include "worker/runner.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STACK = 512 * 1024, TURNS = 4000 };

struct world world;
const char *const wrong_names[WRONGS] = {
    [WRONG_NOTHING] = "nothing",
    [WRONG_NO_FENCE] = "no-fence",
    [WRONG_NO_LEASE_CHECK] = "no-lease-check",
    [WRONG_NO_EPOCH] = "no-epoch",
    [WRONG_ABORT_DB] = "abort-from-database",
    [WRONG_NOOP_WRITE] = "noop-write",
    [WRONG_GATE_SKEW] = "gate-other-snapshot",
    [WRONG_PUT_BY] = "rollback-behind-put-by",
    [WRONG_NO_TEMPLATE] = "rollback-without-template",
    [WRONG_OLD_PLAN] = "target-at-request",
    [WRONG_OLD_LOOK] = "look-before-seizure",
    [WRONG_NOT_JOURNALLED] = "write-not-journalled",
};
static void *stacks[PROCESSES];

/* Seeds of worlds in which something once was wrong, and what. */
static const struct {
    uint64_t seed;
    const char *why;
} regressions[] = {
    {1933, "a rollback to the version that had just been switched to went behind it"},
    {179443,
     "a late switch moved traffic to pods that a rollback of a named deployment was changing"},
    {5674, "a rollback to a version whose color another one had had since took its pods for it"},
    {88586, "a rollback that pre-empted a rollback forgot what that one was to take back"},
};

static void keep_for_all_worlds(void) {
    cluster_keep();
    people_keep();
}

/* ---- chance, time, laws ---- */

uint64_t roll(uint64_t below) { /* splitmix64 */
    uint64_t z = world.random += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % below;
}

int64_t __wrap_clock_monotonic_us(void);
int64_t __wrap_clock_monotonic_us(void) {
    return world.now;
}

char *__wrap_uuid_v7(char text[37]);
char *__wrap_uuid_v7(char text[37]) {
    snprintf(text, 37, "op-%08llu", (unsigned long long)++world.number);
    return text;
}

/* A commit is taken from the job itself: its text is not needed. */
char *__real_json_text(const json_t *v);
char *__wrap_json_text(const json_t *v);
char *__wrap_json_text(const json_t *v) {
    return xstrdup(world.running ? "" : __real_json_text(v));
}

/* Records are not looked at here. */
void __wrap_change_record(struct job *j, const char *action, json_t *data, const char *format, ...);
void __wrap_change_record(struct job *j, const char *action, json_t *data, const char *format,
                          ...) {
    (void)j, (void)action, (void)format;
    json_decref(data);
}

/* JSON is most of the work: of one world it is freed at once. */
enum { POOL = 256 * 1024 * 1024 };
static char *pool;
static size_t pool_used;

static void *pool_take(size_t n) {
    void *taken = pool + pool_used;

    pool_used += (n + 15) & ~(size_t)15;
    if (pool_used > POOL)
        die("the pool of JSON is full");
    return taken;
}

static void pool_leave(void *taken) {
    (void)taken;
}

static void pool_begin(void) {
    if (!pool) {
        keep_for_all_worlds();
        pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pool == MAP_FAILED)
            die("no memory");
        json_set_alloc_funcs(pool_take, pool_leave);
    }
    pool_used = 0;
}

void broke(const char *format, ...) {
    va_list args;

    if (world.over)
        return;
    world.over = true;
    va_start(args, format);
    vsnprintf(world.broken, sizeof world.broken, format, args);
    va_end(args);
}

void trace(const char *format, ...) {
    va_list args;

    printf("%9lld us %c ", (long long)world.now,
           world.running ? (char)('A' + (world.running - world.process)) : ' ');
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* ---- processes ---- */

static void give_way(void) {
    struct process *p = world.running;

    world.running = NULL;
    swapcontext(&p->context, &world.scheduler);
    world.running = p;
}

bool elsewhere(void) {
    struct process *p = world.running;

    if (!p)
        return true;
    if (p->dead || world.over)
        return false;
    world.now += 100 + (int64_t)roll(900);
    if (!world.calm && chance(40))
        give_way();
    return !p->dead && !world.over;
}

static void nothing_changed(void *ctx, const char *topic) {
    (void)ctx, (void)topic;
}

static void sleep_until(struct process *p, int64_t due) {
    p->due = due;
    p->idle = !p->job;
    give_way();
    p->idle = false;
}

static void drop(struct process *p) {
    job_free(p->job);
    p->job = NULL;
}

static bool claim(struct process *p) {
    struct db_rows *rows = NULL;
    char why[SEEN_TEXT] = "", holder[DB_NUMBER], lease[DB_NUMBER];
    int64_t epoch = 0;

    if (db_once(NULL, SQL_LEASE_CLAIM, &rows,
                DB_PARAMS("environment", db_number(p->holder, holder), db_number(10000, lease))) ==
            STATUS_OK &&
        db_rows_count(rows) > 0)
        epoch = db_int(rows, 0, "epoch");
    db_rows_free(rows);
    if (!epoch)
        return false;
    if (job_load(NULL, NULL, "environment", epoch, p->holder, &p->job, why, sizeof why) !=
            STATUS_OK ||
        !p->job)
        world.holder = world.holder == p->holder && !p->dead ? 0 : world.holder;
    HOLDS(!*why, "a job cannot be loaded: %s", why);
    return p->job != NULL;
}

/* The lease of one that waits is asked for when somebody may have taken it. */
static bool still_held(struct process *p) {
    return !p->dead && (roll(2) || rows_held(p->job));
}

/* One process: takes what there is to carry, as worker/worker.c does. */
static void carry(void) {
    struct process *p = world.running;
    const struct run_settings in = {.changed = nothing_changed};
    int64_t until;
    RunEnd end;

    while (!world.over) {
        if (p->dead) {
            drop(p);
            TRACE("begins again");
            p->dead = false;
            p->holder += PROCESSES;
        }
        if (!p->job && !claim(p)) {
            sleep_until(p, world.now + 300 * US_PER_MS);
            continue;
        }
        end = run_job(&in, p->job, &until);
        if (end == RUN_WAIT)
            sleep_until(p, until);
        if (end != RUN_WAIT || !still_held(p))
            drop(p);
    }
    drop(p);
    p->begun = false;
    give_way();
}

static void resume(struct process *p) {
    if (!p->begun) {
        getcontext(&p->context);
        p->context.uc_stack.ss_sp = p->stack;
        p->context.uc_stack.ss_size = STACK;
        makecontext(&p->context, carry, 0);
        p->begun = true;
    }
    world.running = p;
    swapcontext(&world.scheduler, &p->context);
    world.running = NULL;
}

/* kill -9: nothing more of it happens; its lease is free at once. */
static void kill_some(void) {
    struct process *p = &world.process[roll(PROCESSES)];

    if (!p->begun || p->dead)
        return;
    TRACE("kill of %c", (char)('A' + (p - world.process)));
    p->dead = true;
    p->due = world.now + (int64_t)roll(2000) * US_PER_MS;
    if (world.holder == p->holder)
        world.holder = 0;
}

static bool can_run(const struct process *p) {
    if (p->dead)
        return p->due <= world.now;
    if (p->idle || !p->begun) /* what it claimed, with the answer lost, it claims again */
        return rows_work() && (rows_free() || world.holder == p->holder);
    return p->due <= world.now;
}

/* When anything happens next by itself. */
static void let_time_pass(void) {
    int64_t next = world.now + 300 * US_PER_MS, at = cluster_next();

    if (world.cleanup.deployment >= 0 && rows_active() < 0)
        next = world.cleanup.due > next ? world.cleanup.due : next;
    for (int i = 0; i < PROCESSES; i++)
        if (world.process[i].job && world.process[i].due > world.now)
            at = at && at < world.process[i].due ? at : world.process[i].due;
    if (at && (at < next || world.cleanup.deployment < 0))
        next = at;
    world.now = next > world.now ? next : world.now + US_PER_MS;
}

static void run_one(void) {
    size_t first = roll(PROCESSES);

    for (size_t i = 0; i < PROCESSES; i++) {
        struct process *p = &world.process[(first + i) % PROCESSES];

        if (!can_run(p))
            continue;
        resume(p);
        return;
    }
    if (world.calm && cluster_land_one())
        return;
    let_time_pass();
}

/* A watch event. */
static void wake(void) {
    for (int i = 0; i < PROCESSES; i++)
        if (world.process[i].job && world.process[i].due > world.now && !world.process[i].dead)
            world.process[i].due = world.now;
}

/* The renewer keeps the lease of whoever lives; a frozen process loses it. */
static void renew(void) {
    if (world.holder && world.until < world.now + 5 * US_PER_S)
        world.until = world.now + 10 * US_PER_S;
}

static void disturb(void) {
    uint64_t what = roll(400);

    if (what < 3)
        kill_some();
    else if (what < 6)
        world.until = world.now - 1; /* silent for ten seconds: frozen, or cut off */
    else if (what < 60)
        cluster_land_one();
    else if (what < 64)
        world.object[roll(OBJECTS)].revision = ++world.revision; /* status churn */
    else if (what < 68)
        world.gate_was = world.gate_open;
    else if (what < 71 && world.outages && !cluster_away())
        world.away_until = world.now + (int64_t)roll(3000) * US_PER_MS;
}

/* ---- a world ---- */

static void begin(uint64_t seed, Wrong wrong, bool traced) {
    world = (struct world){.random = seed * 0x2545f4914f6cdd1d, .wrong = wrong, .trace = traced};
    pool_begin();
    world.now = INT64_C(1800000000) * US_PER_S;
    for (int i = 0; i < PROCESSES; i++) {
        if (!stacks[i])
            stacks[i] = xcalloc(1, STACK);
        world.process[i].stack = stacks[i];
        world.process[i].holder = i + 1;
    }
    world.calm = roll(5) < 2;
    world.faults = world.calm ? 0 : (int)roll(3) * 24;
    world.outages = seed % 5 == 0 || seed % 5 == 2; /* none of those that once failed without */
    rows_begin();
    cluster_begin();
    people_begin();
}

static void end(void) {
    world.over = true;
    for (int i = 0; i < PROCESSES; i++)
        while (world.process[i].begun)
            resume(&world.process[i]);
    rows_end();
    json_decref(world.ready_plan);
    json_decref(world.first_plan);
}

/* One world; how many deployments it saw. */
static int simulate(uint64_t seed, Wrong wrong, bool traced) {
    bool goes_on = true, was_calm;
    int turns = 0;

    begin(seed, wrong, traced);
    was_calm = world.calm;
    while (!world.over && goes_on) {
        if (++turns == TURNS)
            broke("liveness: it does not come to rest");
        if (turns == TURNS / 2) { /* from here on it has to come to rest */
            world.calm = true;
            world.faults = 0;
            world.away_until = 0;
            cluster_heal();
        }
        if (cluster_move() && roll(8))
            wake();
        renew();
        if (chance(was_calm ? 8 : 40))
            cluster_remember();
        if (!world.calm)
            disturb();
        people_act();
        run_one();
        if (rows_work() ? false : rows_active() >= 0 ? chance(32) : world.wanted <= 0)
            goes_on = people_finish();
    }
    end();
    return world.count;
}

/* Worlds from a seed on until so many deployments were simulated; the seed of the one that broke a
 * law in *ret_seed. */
static uint64_t many(uint64_t seed, int64_t count, Wrong wrong, bool traced) {
    for (; count > 0 && !*world.broken; seed++)
        count -= simulate(seed, wrong, traced);
    return seed - 1;
}

/* ---- the suite ---- */

/* One core's share: exits with 1 where a law broke, and has said so. */
static pid_t begin_share(uint64_t seed, int64_t count) {
    pid_t child = fork();
    uint64_t last;

    if (child != 0)
        return child;
    last = many(seed, count, WRONG_NOTHING, false);
    if (*world.broken)
        printf("# seed %llu: %s (worker-simulate --seed %llu --trace)\n", (unsigned long long)last,
               world.broken, (unsigned long long)last);
    fflush(stdout);
    _exit(*world.broken ? 1 : 0);
}

START_TEST(simulate__laws_hold) {
    const char *asked = getenv("SLUICE_SIMULATE");
    int64_t count = asked ? strtoll(asked, NULL, 10) : 10000;
    const char *from = getenv("SLUICE_SIMULATE_SEED");
    uint64_t seed = from ? strtoull(from, NULL, 10) : 1000;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int failed = 0, status;

    printf("# %lld deployments, seeds from %llu on\n", (long long)count, (unsigned long long)seed);
    fflush(stdout);
    for (long i = 0; i < cores; i++)
        begin_share(seed + (uint64_t)i * 100000000, count / cores);
    for (long i = 0; i < cores; i++)
        failed += wait(&status) > 0 && status != 0;
    ck_assert_int_eq(failed, 0);
}
END_TEST

START_TEST(simulate__seeds_that_once_failed) {
    for (size_t i = 0; i < sizeof regressions / sizeof *regressions; i++) {
        simulate(regressions[i].seed, WRONG_NOTHING, false);
        ck_assert_msg(!*world.broken, "seed %llu (%s): %s", (unsigned long long)regressions[i].seed,
                      regressions[i].why, world.broken);
    }
}
END_TEST

START_TEST(simulate__what_is_built_wrong_is_caught) {
    for (Wrong wrong = WRONG_NOTHING + 1; wrong < WRONGS; wrong++) {
        world = (struct world){0};
        many(1, 20000, wrong, false);
        ck_assert_msg(*world.broken, "%s is not caught", wrong_names[wrong]);
    }
}
END_TEST

static Wrong wrong_of(const char *name) {
    for (Wrong wrong = WRONG_NOTHING; wrong < WRONGS; wrong++)
        if (strcmp(wrong_names[wrong], name) == 0)
            return wrong;
    die("there is no such wrong: %s", name);
}

static int program(int argc, char **argv) {
    uint64_t seed = 1, last;
    int64_t count = 1, begun;
    Wrong wrong = WRONG_NOTHING;
    bool traced = false;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--trace") == 0) {
            traced = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--count") == 0)
            count = strtoll(value, NULL, 10);
        else if (strcmp(argv[i], "--wrong") == 0)
            wrong = wrong_of(value);
        else
            die("worker-simulate [--seed N] [--count DEPLOYMENTS] [--wrong NAME] [--trace]");
        i++;
    }
    begun = clock_thread_us();
    last = many(seed, count, wrong, traced);
    printf("%lld deployments, seeds %llu to %llu, %lld ms of processor time\n", (long long)count,
           (unsigned long long)seed, (unsigned long long)last,
           (long long)((clock_thread_us() - begun) / US_PER_MS));
    if (*world.broken)
        printf("seed %llu: %s\n", (unsigned long long)last, world.broken);
    return *world.broken ? 1 : 0;
}

int main(int argc, char **argv) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    puts("1..0 # SKIP coroutines are not for sanitizers, which lose the stack");
    return 0;
#endif
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    if (argc > 1)
        return program(argc, argv);
    return RUN_SUITE("simulate", 1800, simulate__laws_hold, simulate__seeds_that_once_failed,
                     simulate__what_is_built_wrong_is_caught);
}
