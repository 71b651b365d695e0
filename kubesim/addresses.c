#include "kubesim/addresses.h"
#include "base/ids.h"
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLAIM_PORT = 61999, BLOCK = 254 };

struct block {
    int third, fd;
    bool taken[BLOCK];
};

struct addresses {
    int second, next_third; /* the next block to try */
    struct block *blocks;
    size_t n;
    size_t next; /* where the search goes on: an address rests as long as possible before reuse */
};

struct addresses *addresses_new(int second) {
    struct addresses *a = xcalloc(1, sizeof *a);

    a->second = second;
    a->next_third = (int)(random_unit() * 255);
    return a;
}

void addresses_free(struct addresses *a) {
    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++)
        close(a->blocks[i].fd);
    free(a->blocks);
    free(a);
}

static int claim(int second, int third) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(CLAIM_PORT)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr =
        htonl((127u << 24) | ((unsigned)second << 16) | ((unsigned)third << 8) | 255u);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool claim_block(struct addresses *a) {
    for (int tries = 0; tries < 256; tries++) {
        int third = a->next_third++ % 256, fd = claim(a->second, third);

        if (fd < 0)
            continue;
        a->blocks = xrealloc(a->blocks, (a->n + 1) * sizeof(struct block));
        a->blocks[a->n] = (struct block){.third = third, .fd = fd};
        a->next = a->n++ * BLOCK;
        return true;
    }
    return false;
}

static bool take_free(struct addresses *a, char ip[16]) {
    for (size_t i = 0; i < a->n * BLOCK; i++) {
        size_t at = (a->next + i) % (a->n * BLOCK);
        struct block *b = &a->blocks[at / BLOCK];

        if (b->taken[at % BLOCK])
            continue;
        b->taken[at % BLOCK] = true;
        a->next = at + 1;
        snprintf(ip, 16, "127.%d.%d.%d", a->second & 255, b->third & 255, (int)(at % BLOCK + 1));
        return true;
    }
    return false;
}

bool addresses_take(struct addresses *a, char ip[16]) {
    return take_free(a, ip) || (claim_block(a) && take_free(a, ip));
}

void addresses_give_back(struct addresses *a, const char *ip) {
    struct in_addr address;
    unsigned n;

    if (!*ip || inet_pton(AF_INET, ip, &address) != 1)
        return;
    n = ntohl(address.s_addr);
    for (size_t i = 0; i < a->n; i++) {
        if (((n >> 16) & 255) == (unsigned)a->second &&
            ((n >> 8) & 255) == (unsigned)a->blocks[i].third && (n & 255) >= 1 &&
            (n & 255) <= BLOCK)
            a->blocks[i].taken[(n & 255) - 1] = false;
    }
}
