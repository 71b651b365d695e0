/* flags/regex_set.c: [a-z], [^[:alpha:]\d], \w. */
#include "flags/letters.h"
#include "flags/regex_program.h"
#include <string.h>

enum { LETTER_LAST = 0x10ffff, RANGES_MAX = REGEX_PATTERN_MAX * 4 };

/* The ranges of each class; its complement where the letter is a capital. */
static const struct {
    const char *name;
    struct regex_range ranges[5];
    size_t n;
} classes[] = {
    {"d", {{'0', '9'}}, 1},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, 3},
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}, 2},
    {"ascii", {{0, 0x7f}}, 1},
    {"blank", {{'\t', '\t'}, {' ', ' '}}, 2},
    {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}, 2},
    {"digit", {{'0', '9'}}, 1},
    {"graph", {{'!', '~'}}, 1},
    {"lower", {{'a', 'z'}}, 1},
    {"print", {{' ', '~'}}, 1},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
    {"space", {{'\t', '\r'}, {' ', ' '}}, 2},
    {"upper", {{'A', 'Z'}}, 1},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
};

static bool add_range(struct regex_set *set, uint32_t first, uint32_t last) {
    if (first > last || set->n == RANGES_MAX)
        return false;
    set->ranges[set->n++] = (struct regex_range){first, last};
    return true;
}

/* The class's ranges, or what lies between them. */
static bool add_class(struct regex_set *set, const char *name, size_t length, bool negated) {
    uint32_t next = 0;
    size_t c = 0;

    while (strlen(classes[c].name) != length || memcmp(classes[c].name, name, length) != 0)
        if (++c == sizeof classes / sizeof *classes)
            return false;
    for (size_t i = 0; i < classes[c].n; i++) {
        const struct regex_range *r = &classes[c].ranges[i];

        if (!negated && !add_range(set, r->first, r->last))
            return false;
        if (negated && r->first > next && !add_range(set, next, r->first - 1))
            return false;
        next = r->last + 1;
    }
    return !negated || add_range(set, next, LETTER_LAST);
}

static bool add_escaped_class(struct regex_set *set, char name) {
    char lower = (char)(name | 0x20);

    return name && strchr("dwsDWS", name) && add_class(set, &lower, 1, name != lower);
}

static struct regex_set *new_set(struct arena *arena, size_t room) {
    struct regex_set *set = arena_alloc(arena, sizeof *set);

    set->ranges = arena_alloc(arena, room * sizeof *set->ranges);
    return set;
}

const struct regex_set *regex_class(struct arena *arena, char name) {
    struct regex_set *set = new_set(arena, 6);

    return add_escaped_class(set, name) ? set : NULL;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (int)((found - digits) % 16) : -1;
}

/* x41, x{1F600}: *at stands behind the x. */
static bool escaped_hex(const char **at, uint32_t *ret) {
    bool braces = **at == '{';
    int digits = 0;

    *ret = 0;
    for (*at += braces; hex_digit(**at) >= 0 && digits < (braces ? 6 : 2); (*at)++, digits++)
        *ret = *ret * 16 + (uint32_t)hex_digit(**at);
    if (braces ? digits == 0 || *(*at)++ != '}' : digits != 2)
        return false;
    return *ret <= LETTER_LAST;
}

bool regex_escaped(const char **at, uint32_t *ret) {
    static const char names[] = "tnrfva", letters[] = "\t\n\r\f\v\a";
    char c = **at;
    const char *named = c ? strchr(names, c) : NULL;

    if (!c || (unsigned char)c >= 0x80)
        return false;
    (*at)++;
    if (c == 'x')
        return escaped_hex(at, ret);
    *ret = named ? (uint32_t)letters[named - names] : (uint32_t)c;
    return named || !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
}

/* One letter of a bracket expression. */
static bool set_letter(const char **at, uint32_t *ret) {
    size_t n;

    if (**at == '\\') {
        (*at)++;
        return regex_escaped(at, ret);
    }
    if (!**at)
        return false;
    *ret = letter_next(*at, strlen(*at), &n);
    *at += n;
    return true;
}

/* [:name:]: *at stands on the bracket. */
static bool set_named(struct regex_set *set, const char **at) {
    const char *name = *at + 2, *end = strstr(name, ":]");
    bool negated = *name == '^';

    if (!end)
        return false;
    *at = end + 2;
    return add_class(set, name + negated, (size_t)(end - name) - negated, negated);
}

static bool set_item(struct regex_set *set, const char **at) {
    uint32_t first, last;

    if ((*at)[0] == '[' && (*at)[1] == ':')
        return set_named(set, at);
    if ((*at)[0] == '\\' && add_escaped_class(set, (*at)[1])) {
        *at += 2;
        return true;
    }
    if (!set_letter(at, &first))
        return false;
    last = first;
    if ((*at)[0] == '-' && (*at)[1] != ']' && (*at)[1]) {
        (*at)++;
        if (!set_letter(at, &last))
            return false;
    }
    return add_range(set, first, last);
}

const struct regex_set *regex_parse_set(struct arena *arena, const char **at) {
    struct regex_set *set = new_set(arena, RANGES_MAX);
    bool first = true;

    if (**at == '^') {
        set->negated = true;
        (*at)++;
    }
    for (; **at != ']' || first; first = false)
        if (!**at || !set_item(set, at))
            return NULL;
    (*at)++;
    return set;
}
