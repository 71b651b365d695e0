/* tests/cluster/dataplane.c: pods and Services as clients see them, through real sockets. */
#include "kubesim/dataplane.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "kubesim/dataplane_http.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BLUE    "127.10.250.1"
#define GREEN   "127.10.250.2"
#define SERVICE "127.20.250.1"
#define KEY     "production/inopnc-prod"

/* A port that is free on these addresses: a kubesim of somebody else may be running. */
static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* A connected socket that gives up after five seconds; -1 with errno. */
static int dial(const char *ip, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, ip, &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

struct answer {
    unsigned status;
    bool close;
    char version[128], body[1024];
};

/* Reads one answer byte by byte, so that a pipelined next one stays in the socket. */
static bool receive(int fd, struct answer *ret) {
    struct http_scan scan = {.answers = true};
    enum scanned happened = SCANNED_ALL;
    size_t n = 0;
    bool in_body = false;

    *ret = (struct answer){0};
    while (happened != SCANNED_END) {
        char byte;
        if (happened == SCANNED_BAD || (n = (size_t)recv(fd, &byte, 1, 0)) != 1)
            return false;
        if (in_body && strlen(ret->body) < sizeof ret->body - 1)
            ret->body[strlen(ret->body)] = byte;
        http_scan(&scan, &byte, 1, &happened);
        if (happened == SCANNED_HEAD) {
            in_body = true;
            http_scan(&scan, &byte, 0, &happened);
        } else if (happened == SCANNED_ALL) {
            http_scan(&scan, &byte, 0, &happened);
        }
    }
    ret->status = scan.status;
    ret->close = scan.close;
    memcpy(ret->version, scan.version, sizeof ret->version);
    return true;
}

static bool ask(int fd, const char *path, struct answer *ret) {
    char text[512];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: inopnc\r\n\r\n", path);

    return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n && receive(fd, ret);
}

static struct answer get(const char *ip, int port, const char *path) {
    struct answer a = {0};
    int fd = dial(ip, port);

    ck_assert_int_ge(fd, 0);
    ck_assert_msg(ask(fd, path, &a), "%s: no answer", path);
    close(fd);
    return a;
}

static int64_t traffic_int(struct dataplane *d, int64_t since, const char *key) {
    json_auto_t *traffic = dataplane_traffic(d, KEY, since);

    return json_int(traffic, key, -1);
}

static int64_t traffic_count(struct dataplane *d, const char *version, int status) {
    json_auto_t *traffic = dataplane_traffic(d, KEY, 0);
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(traffic, "by"), i, row) {
        if (strcmp(json_str(row, "version", ""), version) == 0 &&
            json_int(row, "status", 0) == status)
            return json_int(row, "count", 0);
    }
    return 0;
}

/* The counting follows the answer by an instant. */
static void await_traffic(struct dataplane *d, const char *key, int64_t wanted) {
    int64_t deadline = clock_monotonic_us() + 5 * US_PER_S;

    while (traffic_int(d, 0, key) < wanted && clock_monotonic_us() < deadline)
        usleep(1000);
    ck_assert_int_eq(traffic_int(d, 0, key), wanted);
}

static struct dataplane *one_pod(int *ret_port) {
    struct dataplane *d = dataplane_new();

    *ret_port = free_port();
    ck_assert(dataplane_pod_open(d, "u1", BLUE, *ret_port, "v1.2.3", "inopnc-blue-1", "blue"));
    return d;
}

static struct dataplane *service_of_two(int *ret_port) {
    struct dataplane *d = one_pod(ret_port);
    struct backend both[2] = {{BLUE, *ret_port}, {GREEN, *ret_port}};

    ck_assert(dataplane_pod_open(d, "u2", GREEN, *ret_port, "v1.2.4", "inopnc-green-1", "green"));
    ck_assert(dataplane_service_open(d, KEY, SERVICE, *ret_port));
    dataplane_service_backends(d, KEY, both, 2);
    return d;
}

START_TEST(pod__answers_every_path_with_its_version) {
    int port;
    struct dataplane *d = one_pod(&port);
    struct answer a = get(BLUE, port, "/dashboard?site=7");

    ck_assert_uint_eq(a.status, 200);
    ck_assert_str_eq(a.version, "v1.2.3");
    ck_assert_str_eq(a.body,
                     "{\"version\":\"v1.2.3\",\"pod\":\"inopnc-blue-1\",\"color\":\"blue\"}");
    ck_assert(!a.close);
    ck_assert_ptr_nonnull(
        strstr(get(BLUE, port, "/api/health").body, "{\"status\":\"healthy\",\"timestamp\":\"2"));
    ck_assert_ptr_nonnull(strstr(get(BLUE, port, "/api/health/ready").body, "\"ready\""));
    ck_assert_ptr_nonnull(strstr(get(BLUE, port, "/api/health/detailed").body,
                                 "\"database\":{\"status\":\"healthy\""));
    dataplane_free(d);
}
END_TEST

START_TEST(pod__unhealthy_answers_503_on_health_paths_only) {
    static const char *const paths[] = {"/api/health", "/api/health/ready", "/api/health/detailed"};
    int port;
    struct dataplane *d = one_pod(&port);

    dataplane_pod_behave(d, "u1", (struct pod_behavior){.health_ok = false});
    for (size_t i = 0; i < 3; i++) {
        struct answer a = get(BLUE, port, paths[i]);
        ck_assert_uint_eq(a.status, 503);
        ck_assert_ptr_nonnull(strstr(a.body, "\"status\":\"unhealthy\""));
    }
    ck_assert_uint_eq(get(BLUE, port, "/").status, 200);
    dataplane_free(d);
}
END_TEST

START_TEST(pod__errors_spare_the_health_checks) {
    int port;
    struct dataplane *d = one_pod(&port);

    dataplane_pod_behave(d, "u1", (struct pod_behavior){.error_rate = 1, .health_ok = true});
    ck_assert_uint_eq(get(BLUE, port, "/").status, 500);
    ck_assert_uint_eq(get(BLUE, port, "/api/health/detailed").status, 500);
    ck_assert_uint_eq(get(BLUE, port, "/api/health").status, 200);
    ck_assert_uint_eq(get(BLUE, port, "/api/health/ready").status, 200);
    dataplane_free(d);
}
END_TEST

START_TEST(pod__slow_one_delays_no_other) {
    enum { SLOW_MS = 1500 };
    int port;
    struct dataplane *d = service_of_two(&port);
    struct answer a;
    int64_t begun = clock_monotonic_us();
    int slow;

    dataplane_pod_behave(d, "u1", (struct pod_behavior){.latency_ms = SLOW_MS, .health_ok = true});
    slow = dial(BLUE, port);
    ck_assert_int_eq(send(slow, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    for (int i = 0; i < 20; i++)
        ck_assert_uint_eq(get(GREEN, port, "/").status, 200);
    ck_assert_int_lt(clock_monotonic_us() - begun, SLOW_MS * US_PER_MS);
    ck_assert(receive(slow, &a));
    ck_assert_int_ge(clock_monotonic_us() - begun, SLOW_MS * US_PER_MS);
    close(slow);
    dataplane_free(d);
}
END_TEST

START_TEST(pod__takes_pipelined_requests_and_skips_bodies) {
    static const char text[] =
        "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /"
        "POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"
        "HEAD /c HTTP/1.1\r\n\r\n"
        "GET /api/health HTTP/1.1\r\nConnection: close\r\n\r\n";
    struct answer a;
    int port, fd;
    struct dataplane *d = one_pod(&port);
    char rest[2048];
    ssize_t n;
    size_t len = 0;

    fd = dial(BLUE, port);
    ck_assert_int_eq(send(fd, text, sizeof text - 1, 0), (ssize_t)sizeof text - 1);
    ck_assert(receive(fd, &a) && a.status == 200 && !a.close);
    ck_assert(receive(fd, &a) && a.status == 200 && !a.close);
    while ((n = recv(fd, rest + len, sizeof rest - 1 - len, 0)) > 0)
        len += (size_t)n;
    ck_assert_int_eq(n, 0); /* closed properly, not reset */
    rest[len] = 0;
    ck_assert_ptr_nonnull(strstr(rest, "\r\n\r\nHTTP/1.1 200 OK")); /* HEAD: no body */
    ck_assert_ptr_nonnull(strstr(rest, "Connection: close\r\n"));
    ck_assert_ptr_nonnull(strstr(rest, "\"healthy\""));
    close(fd);
    dataplane_free(d);
}
END_TEST

START_TEST(pod__refuses_what_is_no_request) {
    static const char *const texts[] = {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
                                        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"};
    struct answer a;
    int port, fd;
    struct dataplane *d = one_pod(&port);
    char line[1024];

    for (size_t i = 0; i < 3; i++) {
        fd = dial(BLUE, port);
        ck_assert_int_gt(send(fd, texts[i], strlen(texts[i]), 0), 0);
        ck_assert(receive(fd, &a) && a.status == 400 && a.close);
        close(fd);
    }
    fd = dial(BLUE, port);
    memset(line, 'x', sizeof line);
    line[0] = ':';
    ck_assert_int_eq(send(fd, "GET / HTTP/1.1\r\n", 16, 0), 16);
    for (int i = 0; i < 20; i++)
        (void)!send(fd, line, sizeof line, MSG_NOSIGNAL);
    ck_assert(receive(fd, &a) && a.status == 431);
    close(fd);
    dataplane_free(d);
}
END_TEST

START_TEST(pod__closed_port_refuses) {
    int port, fd;
    struct dataplane *d = one_pod(&port);
    struct answer a;

    fd = dial(BLUE, port);
    ck_assert(ask(fd, "/", &a));
    dataplane_pod_close(d, "u1");
    ck_assert(!ask(fd, "/", &a));
    close(fd);
    ck_assert_int_eq(dial(BLUE, port), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    dataplane_pod_close(d, "u1"); /* late callers are no error */
    ck_assert(dataplane_pod_open(d, "u3", BLUE, port, "v2", "p", NULL));
    ck_assert(!dataplane_pod_open(d, "u4", BLUE, port, "v2", "p", NULL));
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_str_eq(get(BLUE, port, "/").body,
                     "{\"version\":\"v2\",\"pod\":\"p\",\"color\":null}");
    dataplane_free(d);
}
END_TEST

START_TEST(service__takes_backends_in_turn_and_counts) {
    int port;
    struct dataplane *d = service_of_two(&port);
    struct answer a;
    int64_t middle;
    int fd;

    for (int i = 0; i < 10; i++)
        get(SERVICE, port, "/");
    await_traffic(d, "total", 10);
    ck_assert_int_eq(traffic_count(d, "v1.2.3", 200), 5);
    ck_assert_int_eq(traffic_count(d, "v1.2.4", 200), 5);
    middle = clock_now_us();
    dataplane_pod_behave(d, "u1", (struct pod_behavior){.error_rate = 1, .health_ok = true});
    fd = dial(SERVICE, port); /* one connection stays with one backend */
    for (int i = 0; i < 4; i++)
        ck_assert(ask(fd, "/", &a) && a.status == 500);
    close(fd);
    await_traffic(d, "total", 14);
    ck_assert_int_eq(traffic_count(d, "v1.2.3", 500), 4);
    ck_assert_int_eq(traffic_int(d, middle, "total"), 4);
    ck_assert_int_eq(traffic_int(d, 0, "failed"), 0);
    dataplane_service_close(d, KEY);
    ck_assert_int_eq(dial(SERVICE, port), -1);
    ck_assert(dataplane_service_open(d, KEY, SERVICE, port));
    ck_assert(!dataplane_service_open(d, KEY, SERVICE, port));
    ck_assert_int_eq(errno, EEXIST);
    ck_assert_int_eq(traffic_int(d, 0, "total"), 14);
    dataplane_free(d);
}
END_TEST

START_TEST(service__counts_pipelined_head_and_large_bodies) {
    static const char head[] =
        "HEAD /x HTTP/1.1\r\n\r\nPOST /y HTTP/1.1\r\nContent-Length: 200000\r\n"
        "Connection: close\r\n\r\n";
    int port, fd;
    struct dataplane *d = service_of_two(&port);
    char *body = xcalloc(1, 200000), sink[4096];

    fd = dial(SERVICE, port);
    ck_assert_int_eq(send(fd, head, sizeof head - 1, 0), (ssize_t)sizeof head - 1);
    for (size_t at = 0; at < 200000;) {
        ssize_t n = send(fd, body + at, 200000 - at, MSG_NOSIGNAL);
        ck_assert_int_gt(n, 0);
        at += (size_t)n;
    }
    while (recv(fd, sink, sizeof sink, 0) > 0)
        ;
    close(fd);
    free(body);
    await_traffic(d, "total", 2);
    ck_assert_int_eq(traffic_int(d, 0, "failed"), 0);
    dataplane_free(d);
}
END_TEST

START_TEST(service__without_backend_resets_and_counts) {
    int port, fd;
    struct dataplane *d = service_of_two(&port);
    struct answer a;

    dataplane_service_backends(d, KEY, NULL, 0);
    for (int i = 0; i < 3; i++) {
        fd = dial(SERVICE, port);
        ck_assert(fd < 0 || !ask(fd, "/", &a));
        if (fd >= 0)
            close(fd);
    }
    await_traffic(d, "failed", 3);
    dataplane_service_backends(d, KEY, &(struct backend){BLUE, port}, 1);
    dataplane_pod_close(d, "u1"); /* the endpoint is still listed: refused */
    fd = dial(SERVICE, port);
    ck_assert(fd < 0 || !ask(fd, "/", &a));
    close(fd);
    await_traffic(d, "failed", 4);
    ck_assert_int_eq(traffic_int(d, 0, "total"), 0);
    dataplane_free(d);
}
END_TEST

START_TEST(service__crash_counts_as_failed) {
    int port, fd, idle;
    struct dataplane *d = service_of_two(&port);
    struct answer a;

    dataplane_service_backends(d, KEY, &(struct backend){BLUE, port}, 1);
    idle = dial(SERVICE, port);
    ck_assert(ask(idle, "/", &a));
    dataplane_pod_behave(d, "u1", (struct pod_behavior){.latency_ms = 60000, .health_ok = true});
    fd = dial(SERVICE, port);
    ck_assert_int_eq(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    usleep(20000); /* lets the request reach the pod; the outcome does not depend on it */
    dataplane_pod_close(d, "u1");
    ck_assert(!receive(fd, &a));
    ck_assert_int_eq(errno, ECONNRESET);
    await_traffic(d, "failed", 1); /* the idle connection lost nothing */
    ck_assert(!ask(idle, "/", &a));
    ck_assert_int_eq(traffic_int(d, 0, "total"), 1);
    close(fd);
    close(idle);
    dataplane_free(d);
}
END_TEST

START_TEST(pod__terminating_finishes_what_was_asked) {
    int port, busy, idle;
    struct dataplane *d = service_of_two(&port);
    struct answer a;

    dataplane_service_backends(d, KEY, &(struct backend){BLUE, port}, 1);
    idle = dial(SERVICE, port);
    ck_assert(ask(idle, "/", &a) && !a.close);
    dataplane_pod_behave(d, "u1", (struct pod_behavior){.latency_ms = 200, .health_ok = true});
    busy = dial(SERVICE, port);
    ck_assert_int_eq(send(busy, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    dataplane_pod_drain(d, "u1");
    ck_assert(receive(busy, &a) && a.close);
    ck_assert_int_eq(recv(busy, &a, 1, 0), 0);
    ck_assert(ask(idle, "/", &a) && a.close);
    close(busy);
    close(idle);
    idle = dial(SERVICE, port);
    ck_assert(ask(idle, "/", &a) && a.close);
    close(idle);
    dataplane_pod_close(d, "u1");
    await_traffic(d, "total", 4);
    ck_assert_int_eq(traffic_int(d, 0, "failed"), 0);
    dataplane_free(d);
}
END_TEST

struct load {
    int port;
    bool keep_alive;
    atomic_bool *stop;
    atomic_int asked;
    int failed;
    pthread_t thread;
};

static void *load_run(void *argument) {
    struct load *load = argument;
    struct answer a;
    int fd = -1;

    while (!atomic_load(load->stop)) {
        atomic_fetch_add(&load->asked, 1);
        if (fd < 0)
            fd = dial(SERVICE, load->port);
        if (fd < 0 || !ask(fd, "/", &a) || a.status != 200)
            load->failed++;
        if (!load->keep_alive || a.close) {
            close(fd);
            fd = -1;
        }
        usleep(500);
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Until each has asked anew and has its answer: then none holds a connection of before. */
static void await_load(struct load *loads, int n) {
    for (int i = 0; i < n; i++)
        for (int before = atomic_load(&loads[i].asked); atomic_load(&loads[i].asked) < before + 3;)
            usleep(1000);
}

START_TEST(service__switch_under_load_fails_no_request) {
    enum { LOADS = 6, SWITCHES = 20 };
    int port = free_port(), asked = 0;
    struct dataplane *d = dataplane_new();
    struct load loads[LOADS];
    struct backend backend = {.port = port};
    atomic_bool stop = false;

    ck_assert(dataplane_service_open(d, KEY, SERVICE, port));
    for (int round = 0; round <= SWITCHES; round++) {
        const char *ip = round % 2 == 0 ? BLUE : GREEN;
        char uid[16], old[16], version[32];
        snprintf(uid, sizeof uid, "u%d", round);
        snprintf(old, sizeof old, "u%d", round - 1);
        snprintf(version, sizeof version, "v1.0.%d", round);
        ck_assert(dataplane_pod_open(d, uid, ip, port, version, uid, NULL));
        dataplane_pod_behave(d, uid, (struct pod_behavior){.latency_ms = 2, .health_ok = true});
        memcpy(backend.ip, ip, sizeof BLUE);
        dataplane_service_backends(d, KEY, &backend, 1);
        for (int i = 0; round == 0 && i < LOADS; i++) {
            loads[i] = (struct load){.port = port, .keep_alive = i % 2 == 0, .stop = &stop};
            pthread_create(&loads[i].thread, NULL, load_run, &loads[i]);
        }
        dataplane_pod_drain(d, old);
        await_load(loads, LOADS);
        dataplane_pod_close(d, old);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < LOADS; i++) {
        pthread_join(loads[i].thread, NULL);
        ck_assert_int_eq(loads[i].failed, 0);
        asked += atomic_load(&loads[i].asked);
    }
    await_traffic(d, "total", asked);
    ck_assert_int_eq(traffic_int(d, 0, "failed"), 0);
    ck_assert_int_gt(traffic_count(d, "v1.0.20", 200), 0);
    dataplane_free(d);
}
END_TEST

static int threads(void) {
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;

    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

START_TEST(dataplane__thousand_idle_pods_cost_no_thread) {
    struct dataplane *d = dataplane_new();
    int port = free_port(), before = threads();
    char uid[16], ip[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(uid, sizeof uid, "u%d", i);
        snprintf(ip, sizeof ip, "127.10.%d.%d", 251 + i / 250, 1 + i % 250);
        ck_assert_msg(dataplane_pod_open(d, uid, ip, port, "v1", uid, NULL), "%s: %s", ip,
                      strerror(errno));
    }
    ck_assert_int_eq(threads(), before);
    ck_assert_uint_eq(get("127.10.254.250", port, "/").status, 200);
    dataplane_free(d);
}
END_TEST

/* The same happenings whatever the pieces in which the bytes come. */
START_TEST(http_scan__is_indifferent_to_pieces) {
    static const char text[] =
        "\r\nGET /api/health?x=1 HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n"
        "POST /y HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1a;q=1\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"
        "HEAD /z HTTP/1.1\r\nContent-Length: 0\r\n\r\n";

    for (size_t piece = 1; piece < sizeof text; piece++) {
        struct http_scan s = {0};
        struct strbuf log = STRBUF(4096);
        for (size_t at = 0; at < sizeof text - 1; at += piece) {
            size_t n = sizeof text - 1 - at < piece ? sizeof text - 1 - at : piece, used = 0;
            enum scanned happened;
            do {
                used += http_scan(&s, text + at + used, n - used, &happened);
                if (happened == SCANNED_HEAD)
                    strbuf_addf(&log, "%s%s%s ", s.path, s.close ? " close" : "",
                                s.head ? " head" : "");
                else if (happened != SCANNED_ALL)
                    strbuf_adds(&log, happened == SCANNED_END ? "end " : "bad ");
            } while (happened != SCANNED_ALL);
        }
        ck_assert_str_eq(log.data, "/api/health close end /y close end /z head end ");
        strbuf_done(&log);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "dataplane", 60, http_scan__is_indifferent_to_pieces,
        pod__answers_every_path_with_its_version, pod__unhealthy_answers_503_on_health_paths_only,
        pod__errors_spare_the_health_checks, pod__slow_one_delays_no_other,
        pod__takes_pipelined_requests_and_skips_bodies, pod__refuses_what_is_no_request,
        pod__closed_port_refuses, pod__terminating_finishes_what_was_asked,
        service__takes_backends_in_turn_and_counts, service__counts_pipelined_head_and_large_bodies,
        service__without_backend_resets_and_counts, service__crash_counts_as_failed,
        service__switch_under_load_fails_no_request, dataplane__thousand_idle_pods_cost_no_thread);
}
