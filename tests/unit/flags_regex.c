/* Regular expressions: RE2's meaning, and no pattern or text that takes long. */
#include "base/cleanup.h"
#include "flags/regex.h"
#include "tests/support/suite.h"
#include <string.h>

static const struct {
    const char *pattern, *in, *not_in; /* NULL: not asked */
} cases[] = {
    {"", "", NULL},
    {"b", "abc", "ac"},
    {"^abc$", "abc", "abcd"},
    {"a|bc|", "", NULL},
    {"^(a|bc)$", "bc", "abc"},
    {"^a.c$",
     "a\xc3\xb8"
     "c",
     "a\nc"},
    {"(?s)^a.c$", "a\nc", "ac"},
    {"^a*$", "aaaa", "b"},
    {"^a+$", "a", ""},
    {"^ab?c$", "ac", "abbc"},
    {"^a{2}$", "aa", "aaa"},
    {"^a{2,}$", "aaaaa", "a"},
    {"^a{0,2}$", "", "aaa"},
    {"^(ab){2,3}?$", "abab", "ab"},
    {"a{,2}", "a{,2}", "aa"},
    {"x{", "x{", "x"},
    {"}", "}", "{"},
    {"^\\d+\\D\\w\\W\\s\\S$", "12a_- x", "a"},
    {"^[a-c]$", "b", "d"},
    {"^[^a-c]$", "\xc3\xa9", "b"},
    {"^[]x]$", "]", "y"},
    {"^[a-]$", "-", "b"},
    {"^[\\d\\-x]$", "-", "y"},
    {"^[\\D]$", "a", "1"},
    {"^[[:alpha:][:^word:]]+$", "aB-", "a1"},
    {"^[\xc3\xa0-\xc3\xa9]$", "\xc3\xa5", "e"},
    {"\\bcat\\b", "a cat.", "concat"},
    {"\\Bcat", "concat", "a cat"},
    {"\\Aab\\z", "ab", "ab\n"},
    {"(?m)^b$", "a\nb\nc", "ab"},
    {"b$", "ab", "b\n"},
    {"(?i)stra\xc3\x9f"
     "E",
     "STRA\xc3\x9f"
     "e",
     "strasse"},
    {"(?i)^[a-c]\xc3\x89$", "B\xc3\xa9", "d\xc3\xa9"},
    {"(?i)[^b]", "a", "B"},
    {"a(?i)b", "aB", "AB"},
    {"(?i:a)b", "Ab", "AB"},
    {"(?i)a(?-i)b", "Ab", "aB"},
    {"(?P<n>a)(?<m>b)(?:c)", "abc", "ab"},
    {"\\x41\\x{1F600}", "A\xf0\x9f\x98\x80", "A"},
    {"\\.\\*\\[\\^\\_", ".*[^_", "x"},
    {"^(a|b|c|(d(e|f)*)+)$", "dedff", "ae"},
    {"^[^@]+@[^@]+$", "a@b", "a@b@c"},
    {"(a*)*b", "aab", "aaa"},
    {"^(|a)+$", "aa", "b"},
};

START_TEST(flags_regex__finds_what_re2_finds) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const char *wrong, *in = cases[i].in, *not_in = cases[i].not_in;
        const struct regex *re = regex_compile(&arena, cases[i].pattern, false, &wrong);

        ck_assert_msg(re != NULL, "%s: %s", cases[i].pattern, wrong);
        ck_assert_msg(regex_matches(re, in, strlen(in)), "%s in %s", cases[i].pattern, in);
        if (not_in)
            ck_assert_msg(!regex_matches(re, not_in, strlen(not_in)), "%s in %s", cases[i].pattern,
                          not_in);
    }
}
END_TEST

START_TEST(flags_regex__what_is_none_is_refused) {
    static const char *const patterns[] = {
        "(",
        ")",
        "(a",
        "a)",
        "[",
        "[a",
        "[]",
        "[b-a]",
        "*",
        "{2}",
        "(?i)?b",
        "+a",
        "a|?",
        "a**",
        "a{2}{3}",
        "a{3,2}",
        "a{1001}",
        "\\",
        "\\1",
        "(a)\\1",
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?<!a)b",
        "(?x)a",
        "(?",
        "(?P<>a)",
        "\\pL",
        "\\p{Lu}",
        "\\C",
        "\\Qa\\E",
        "\\x{110000}",
        "\\xg1",
        "\\x{}",
        "[[:odd:]]",
        "[\\q]",
        "(a{1000}){1000}",
        "((){1000}){1000}",
        "(((a{100}){100}){100})",
    };
    _cleanup_free_ char *nested = xmalloc(REGEX_PATTERN_MAX + 2);

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const char *wrong = NULL;

        ck_assert_msg(!regex_compile(&arena, patterns[i], false, &wrong), "%s", patterns[i]);
        ck_assert_msg(wrong && *wrong, "%s", patterns[i]);
    }
    for (size_t n = REGEX_PATTERN_MAX; n <= REGEX_PATTERN_MAX + 1; n++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const char *wrong = NULL;

        memset(nested, '(', n); /* too deep; one more: too long */
        nested[n] = '\0';
        ck_assert(!regex_compile(&arena, nested, false, &wrong) && wrong);
        memset(nested, 'a', n);
        ck_assert_int_eq(regex_compile(&arena, nested, false, &wrong) != NULL,
                         n == REGEX_PATTERN_MAX);
    }
}
END_TEST

/* Where others try every way one after the other, this would not end within the suite's time. */
START_TEST(flags_regex__no_text_is_slow) {
    static const char *const patterns[] = {"^(a+)+$", "^(a|aa)+$", "(a*)*(a*)*(a*)*c",
                                           "^(a?){300}a{300}$"};
    char text[4001];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 2] = 'b';
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const char *wrong;
        const struct regex *re = regex_compile(&arena, patterns[i], false, &wrong);

        ck_assert_msg(re != NULL, "%s: %s", patterns[i], wrong);
        for (int k = 0; k < 10; k++)
            ck_assert_msg(!regex_matches(re, text, strlen(text)), "%s", patterns[i]);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("flags_regex", 30, flags_regex__finds_what_re2_finds,
                     flags_regex__what_is_none_is_refused, flags_regex__no_text_is_slow);
}
