/* Image references, digests, and the digest that gates bind to. */
#include "domain/release.h"
#include "base/cleanup.h"
#include "tests/support/suite.h"
#include <string.h>

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(release__image_references) {
    static const struct {
        const char *image;
        bool valid, digest;
    } cases[] = {
        {"ghcr.io/your-org/inopnc-wm:v1.2.3", true, false},
        {"ghcr.io/your-org/inopnc-wm", true, false},
        {"ghcr.io/your-org/inopnc-wm:v1.2.3@" DIGEST, true, true},
        {"ghcr.io/your-org/inopnc-wm@" DIGEST, true, true},
        {"localhost:5000/app:1", true, false},
        {"localhost/app", true, false},
        {"registry.example.com:443/a/b/c:tag_1.2-x", true, false},
        {"REGISTRY.Example.com/app", true, false},
        {"nginx", true, false},
        {"nginx:1.25", true, false},
        {"library/a__b/c-d--e.f", true, false},
        {"my-registry.example.com/app", true, false},
        {"", false, false},
        {":tag", false, false},
        {"nginx:", false, false},
        {"nginx:.tag", false, false},
        {"nginx:ta g", false, false},
        {"nginx:tag/", false, false},
        {"/nginx", false, false},
        {"nginx/", false, false},
        {"a//b", false, false},
        {"Nginx", false, false},
        {"a___b", false, false},
        {"a..b/c", false, false},
        {"-a/b", false, false},
        {"a-/b", false, false},
        {"ghcr.io:99999999/app", false, false},
        {"ghcr.io:/app", false, false},
        {"ghcr.io:80a/app", false, false},
        {"ghcr_x.io/app", false, false},
        {"-ghcr.io/app", false, false},
        {"ghcr.io-/app", false, false},
        {"ghcr.io/app@sha256:abc", false, false},
        {"ghcr.io/app@md5:0123456789abcdef0123456789abcdef", false, false},
        {"ghcr.io/app@", false, false},
        {"https://ghcr.io/app", false, false},
        {"ghcr.io/\xc3\xa4pp", false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *digest = NULL;

        ck_assert_msg(image_reference_valid(cases[i].image, &digest) == cases[i].valid, "%s",
                      cases[i].image);
        if (cases[i].valid)
            ck_assert_msg((digest != NULL) == cases[i].digest, "%s", cases[i].image);
    }
}
END_TEST

START_TEST(release__image_of_any_length_is_bounded) {
    char image[IMAGE_MAX + 2];
    const char *digest;

    memset(image, 'a', sizeof image);
    image[IMAGE_MAX] = '\0';
    ck_assert(image_reference_valid(image, &digest));
    image[IMAGE_MAX] = 'a';
    image[IMAGE_MAX + 1] = '\0';
    ck_assert(!image_reference_valid(image, &digest));
}
END_TEST

START_TEST(release__digests_and_commits) {
    ck_assert(image_digest_valid(DIGEST));
    ck_assert(!image_digest_valid("sha256:0123"));
    ck_assert(!image_digest_valid(DIGEST "0"));
    ck_assert(!image_digest_valid(
        "sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
    ck_assert(!image_digest_valid(&DIGEST[1]));
    ck_assert(commit_valid("0123abc"));
    ck_assert(commit_valid("0123456789abcdef0123456789abcdef01234567"));
    ck_assert(!commit_valid("0123ab"));
    ck_assert(!commit_valid("0123abG"));
    ck_assert(!commit_valid("HEAD"));
}
END_TEST

static struct release_content inopnc(void) {
    struct release_content c = {.image = "ghcr.io/your-org/inopnc-wm:v1.2.3",
                                .digest = DIGEST,
                                .commit = "0123abc",
                                .manifests = "kind: Deployment\n"};

    ck_assert(semver_parse("v1.2.3", &c.semver));
    return c;
}

/* The text is documented, so that anybody can compute it: printf … | sha256sum. */
START_TEST(release__canonical_text_is_the_documented_one) {
    struct release_content c = inopnc();
    json_auto_t *migrations = json_pack("[{s:s, s:s}]", "version", "20261101", "class", "additive");
    json_auto_t *flags = json_pack("[s]", "new-search");
    _cleanup_free_ char *text = NULL;
    char digest[SHA256_HEX], again[SHA256_HEX];

    c.migrations = migrations;
    c.flags = flags;
    text = release_canonical_text(&c);
    ck_assert_str_eq(text, "sluice release 1\n"
                           "version 5\n1.2.3\n"
                           "image 33\nghcr.io/your-org/inopnc-wm:v1.2.3\n"
                           "digest 71\n" DIGEST "\n"
                           "commit 7\n0123abc\n"
                           "manifests 17\nkind: Deployment\n\n"
                           "migrations 43\n[{\"class\":\"additive\",\"version\":\"20261101\"}]\n"
                           "flags 14\n[\"new-search\"]\n");
    ck_assert_str_eq(release_content_digest(&c, digest), sha256_hex(text, strlen(text), again));
}
END_TEST

START_TEST(release__digest_tells_contents_apart) {
    char digests[8][SHA256_HEX];
    struct release_content c;
    json_auto_t *list = json_pack("[s]", "a");
    int n = 0;

    c = inopnc();
    release_content_digest(&c, digests[n++]);
    ck_assert(semver_parse("1.2.4", &c.semver));
    release_content_digest(&c, digests[n++]);
    c = inopnc();
    c.image = "ghcr.io/your-org/inopnc-wm:v1.2.4";
    release_content_digest(&c, digests[n++]);
    c = inopnc();
    c.digest = NULL;
    release_content_digest(&c, digests[n++]);
    c = inopnc();
    c.commit = NULL;
    release_content_digest(&c, digests[n++]);
    c = inopnc();
    c.manifests = "kind: Deployment";
    release_content_digest(&c, digests[n++]);
    c = inopnc();
    c.migrations = list;
    release_content_digest(&c, digests[n++]);
    c = inopnc();
    c.flags = list;
    release_content_digest(&c, digests[n++]);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < a; b++)
            ck_assert_str_ne(digests[a], digests[b]);
}
END_TEST

START_TEST(release__digest_knows_neither_v_nor_empty_from_absent) {
    char one[SHA256_HEX], two[SHA256_HEX];
    struct release_content a = inopnc(), b = inopnc();
    json_auto_t *none = json_array();

    ck_assert(semver_parse("1.2.3", &b.semver));
    b.migrations = none;
    b.flags = none;
    ck_assert_str_eq(release_content_digest(&a, one), release_content_digest(&b, two));
}
END_TEST

int main(void) {
    return RUN_SUITE("release", 10, release__image_references,
                     release__image_of_any_length_is_bounded, release__digests_and_commits,
                     release__canonical_text_is_the_documented_one,
                     release__digest_tells_contents_apart,
                     release__digest_knows_neither_v_nor_empty_from_absent);
}
