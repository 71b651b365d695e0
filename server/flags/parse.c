#include "flags/parse.h"
#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT_MAX = 64, SIX_BITS = 128, FOUR_BITS = 32 };

bool parse_number(const char *text, double *ret) {
    size_t n = strspn(text, "+-.0123456789eE"); /* strtod also knows inf, nan, 0x and spaces */
    char *end;

    if (n == 0 || n > NUMBER_TEXT_MAX || text[n])
        return false;
    *ret = strtod(text, &end);
    return !*end && isfinite(*ret);
}

bool parse_percentage(const char *text, double *ret) {
    return parse_number(text, ret) && *ret >= 0 && *ret <= 100;
}

bool parse_version(const char *text, struct semver *ret) {
    return *text != 'v' && semver_parse(text, ret);
}

static bool parse_prefix(const char *text, unsigned max, unsigned char *ret) {
    size_t n = strspn(text, "0123456789");
    unsigned long bits = n ? strtoul(text, NULL, 10) : 0;

    if (n == 0 || n > 3 || text[n] || bits > max)
        return false;
    *ret = (unsigned char)bits;
    return true;
}

bool parse_network(const char *text, size_t n, struct network *ret) {
    char copy[INET6_ADDRSTRLEN + sizeof "/128"], *slash;
    unsigned max;

    if (n >= sizeof copy)
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if ((slash = strchr(copy, '/')))
        *slash = '\0';
    *ret = (struct network){.six = strchr(copy, ':') != NULL};
    if (inet_pton(ret->six ? AF_INET6 : AF_INET, copy, ret->bytes) != 1)
        return false;
    max = ret->six ? SIX_BITS : FOUR_BITS;
    ret->bits = (unsigned char)max;
    return !slash || parse_prefix(slash + 1, max, &ret->bits);
}

bool network_holds(const struct network *net, const struct network *address) {
    size_t whole = net->bits / 8, rest = net->bits % 8;
    unsigned mask = (0xff00u >> rest) & 0xff;

    return net->six == address->six && memcmp(net->bytes, address->bytes, whole) == 0 &&
           (rest == 0 || ((net->bytes[whole] ^ address->bytes[whole]) & mask) == 0);
}

const char *parse_element(const char **list, size_t *ret_n) {
    const char *begin = *list, *end;

    if (!begin)
        return NULL;
    begin += strspn(begin, " \t\n");
    end = begin + strcspn(begin, ",");
    *list = *end ? end + 1 : NULL;
    while (end > begin && strchr(" \t\n", end[-1]))
        end--;
    *ret_n = (size_t)(end - begin);
    return begin;
}
