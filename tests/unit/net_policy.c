/* The guard against forged destinations: which addresses count as public. */
#include "base/address.h"
#include "net/policy.h"
#include "tests/support/suite.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool allows(const char *allow, const char *text) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return policy_allows(allow, (struct sockaddr *)&four);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return policy_allows(allow, (struct sockaddr *)&six);
}

/* For what goes unencrypted: only what the list itself names. */
START_TEST(net_policy__listed) {
    static const struct {
        const char *allow, *address;
        bool listed;
    } cases[] = {
        {NULL, "1.1.1.1", false},           {"", "1.1.1.1", false},
        {"1.1.1.0/24", "1.1.1.1", true},    {"1.1.2.0/24", "1.1.1.1", false},
        {"127.0.0.0/8", "127.0.0.1", true}, {"::1/128, 10.0.0.0/8", "10.1.2.3", true},
        {"::1/128", "::1", true},           {"10.0.0.0/8", "2606:4700::1111", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sockaddr_in6 six = {.sin6_family = AF_INET6};
        struct sockaddr_in four = {.sin_family = AF_INET};
        bool is_four = inet_pton(AF_INET, cases[i].address, &four.sin_addr) == 1;

        inet_pton(AF_INET6, cases[i].address, &six.sin6_addr);
        ck_assert_msg(policy_lists(cases[i].allow,
                                   is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six) ==
                          cases[i].listed,
                      "%s in %s", cases[i].address, cases[i].allow ? cases[i].allow : "nothing");
    }
}
END_TEST

START_TEST(net_policy__only_public_addresses) {
    static const char *const public[] = {
        "1.1.1.1",        "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255", "100.128.0.0",     "126.255.255.255", "128.0.0.0",
        "172.15.255.255", "172.32.0.0",      "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0",      "223.255.255.255", "2606:4700::1111",
        "2a00::1",        "2001:4860::8888", "2001:200::1",     "2003::1",
    };
    static const char *const refused[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    };

    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
        ck_assert_msg(allows(NULL, public[i]), "%s is refused", public[i]);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        ck_assert_msg(!allows(NULL, refused[i]), "%s is allowed", refused[i]);
}
END_TEST

START_TEST(net_policy__allow_list_adds_to_public) {
    const char *allow = "127.0.0.0/8, 10.1.2.3,fd00::/8 ,::1/128";

    ck_assert(allows(allow, "127.9.9.9"));
    ck_assert(allows(allow, "10.1.2.3"));
    ck_assert(!allows(allow, "10.1.2.4"));
    ck_assert(allows(allow, "fd12::1"));
    ck_assert(!allows(allow, "fe80::1"));
    ck_assert(allows(allow, "::1"));
    ck_assert(!allows(allow, "::ffff:127.0.0.1"));
    ck_assert(allows(allow, "8.8.8.8"));
    ck_assert(allows("10.0.0.0/9", "10.127.0.1"));
    ck_assert(!allows("10.0.0.0/9", "10.128.0.1"));
    ck_assert(allows("0.0.0.0/0", "10.0.0.1"));
    ck_assert(!allows("0.0.0.0/0", "fd00::1"));
    ck_assert(!allows("", "10.0.0.1"));
}
END_TEST

START_TEST(net_policy__other_families_are_refused) {
    struct sockaddr local = {.sa_family = AF_UNIX};

    ck_assert(!policy_allows("0.0.0.0/0", &local));
}
END_TEST

START_TEST(net_policy__bad_lists_are_named) {
    static const struct {
        const char *allow, *bad;
    } cases[] = {
        {"10.0.0.0/33", "10.0.0.0/33"}, {"10.0.0.0/8,x", "x"},
        {"10.0.0.0/", "10.0.0.0/"},     {"10.0.0.0/8x", "10.0.0.0/8x"},
        {"10.0.0/8", "10.0.0/8"},       {"::1/129", "::1/129"},
        {"localhost", "localhost"},     {"1.1.1.1/-1", "1.1.1.1/-1"},
        {",10.0.0.0/8", ",10.0.0.0/8"}, {"10.0.0.0/0008", "10.0.0.0/0008"},
    };

    ck_assert_ptr_null(cidrs_bad(NULL));
    ck_assert_ptr_null(cidrs_bad(""));
    ck_assert_ptr_null(cidrs_bad(" 10.0.0.0/8 , ::1 "));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_ptr_nonnull(cidrs_bad(cases[i].allow));
        ck_assert_str_eq(cidrs_bad(cases[i].allow), cases[i].bad);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("net_policy", 5, net_policy__listed, net_policy__only_public_addresses,
                     net_policy__allow_list_adds_to_public, net_policy__other_families_are_refused,
                     net_policy__bad_lists_are_named);
}
