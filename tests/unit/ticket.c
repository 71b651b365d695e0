/* tests/unit/ticket.c: tickets are good once, for a while, and only if we made them. */
#include "auth/ticket.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/support/suite.h"
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW    (INT64_C(1790000000) * US_PER_S)
#define TTL    (60 * US_PER_S)

START_TEST(ticket__is_good_once) {
    _cleanup_(arena_done) struct arena a = {0};
    struct tickets *t = tickets_new(SECRET);
    const char *first = ticket_make(t, "shop/production 12", NOW, TTL, &a),
               *second = ticket_make(t, "shop/production 12", NOW, TTL, &a), *what = NULL;

    ck_assert_str_ne(first, second);
    ck_assert_uint_eq(
        strspn(first, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
        strlen(first));
    ck_assert_int_eq(ticket_take(t, first, NOW, &a, &what), TICKET_GOOD);
    ck_assert_str_eq(what, "shop/production 12");
    what = NULL;
    ck_assert_int_eq(ticket_take(t, first, NOW, &a, &what), TICKET_SPENT);
    ck_assert_str_eq(what, "shop/production 12");
    ck_assert_int_eq(ticket_take(t, second, NOW + TTL - 1, &a, &what), TICKET_GOOD);
    tickets_free(t);
}
END_TEST

START_TEST(ticket__is_good_for_a_while) {
    _cleanup_(arena_done) struct arena a = {0};
    struct tickets *t = tickets_new(SECRET);
    const char *text = ticket_make(t, "x", NOW, TTL, &a), *what;

    ck_assert_int_eq(ticket_take(t, text, NOW + TTL, &a, &what), TICKET_SPENT);
    ck_assert_int_eq(ticket_take(t, text, NOW + 1000 * TTL, &a, &what), TICKET_SPENT);
    tickets_free(t);
}
END_TEST

START_TEST(ticket__every_server_with_the_secret_knows_it) {
    _cleanup_(arena_done) struct arena a = {0};
    struct tickets *t = tickets_new(SECRET), *same = tickets_new(SECRET),
                   *other = tickets_new(SECRET "!");
    const char *text = ticket_make(t, "x", NOW, TTL, &a), *what;

    ck_assert_int_eq(ticket_take(same, text, NOW, &a, &what), TICKET_GOOD);
    ck_assert_int_eq(ticket_take(other, text, NOW, &a, &what), TICKET_NONE);
    tickets_free(t);
    tickets_free(same);
    tickets_free(other);
}
END_TEST

START_TEST(ticket__changed_in_any_place_is_none) {
    _cleanup_(arena_done) struct arena a = {0};
    struct tickets *t = tickets_new(SECRET);
    const char *text = ticket_make(t, "shop/production 12", NOW, TTL, &a), *what;
    char *changed = arena_strdup(&a, text);
    static const char *const garbage[] = {"", "a", "====", "AAAA", "%00", " "};

    for (size_t i = 0; text[i]; i++) {
        changed[i] = text[i] == 'A' ? 'B' : 'A';
        ck_assert_int_eq(ticket_take(t, changed, NOW, &a, &what), TICKET_NONE);
        changed[i] = text[i];
    }
    for (size_t n = 0; n < strlen(text); n++)
        ck_assert_int_eq(ticket_take(t, arena_strndup(&a, text, n), NOW, &a, &what), TICKET_NONE);
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        ck_assert_int_eq(ticket_take(t, garbage[i], NOW, &a, &what), TICKET_NONE);
    ck_assert_int_eq(ticket_take(t, text, NOW, &a, &what), TICKET_GOOD);
    tickets_free(t);
}
END_TEST

START_TEST(ticket__ten_thousand_at_once_are_each_good_once) {
    _cleanup_(arena_done) struct arena a = {0};
    struct tickets *t = tickets_new(SECRET);
    const char *text[10000], *what;

    for (int i = 0; i < 10000; i++) {
        text[i] = ticket_make(t, "x", NOW, TTL, &a);
        ck_assert_int_eq(ticket_take(t, text[i], NOW, &a, &what), TICKET_GOOD);
    }
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(ticket_take(t, text[i], NOW, &a, &what), TICKET_SPENT);
    tickets_free(t);
}
END_TEST

int main(void) {
    return RUN_SUITE("ticket", 20, ticket__is_good_once, ticket__is_good_for_a_while,
                     ticket__every_server_with_the_secret_knows_it,
                     ticket__changed_in_any_place_is_none,
                     ticket__ten_thousand_at_once_are_each_good_once);
}
