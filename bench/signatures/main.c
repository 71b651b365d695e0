/* sluice-verify: how many API signatures one core verifies: what an I/O thread does for a signed
 * POST with a body of 1 KiB, without the network.  Prints one line of JSON. */
#include "auth/apisig_body.h"
#include "auth/keyring.h"
#include "base/clock.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { BODY = 1024, ROUNDS = 5, ROUND_US = 400000 };

#define SECRET "0123456789abcdef0123456789abcdef"

struct request {
    char body[BODY], digest[80], input[APISIG_INPUT_MAX], signature[80];
    struct apisig_message message;
};

static void base64(const unsigned char *bytes, const char *before, char *ret, size_t n) {
    unsigned char text[64];

    EVP_EncodeBlock(text, bytes, APISIG_BYTES);
    snprintf(ret, n, "%s:%s:", before, (char *)text);
}

/* Signs as a caller would. */
static void request_make(struct request *r) {
    struct apisig_component c[] = {{"@method", "POST"},
                                   {"@authority", "sluice.example.org"},
                                   {"@path", "/api/v1/apps/inopnc/releases"},
                                   {"@query", "?"},
                                   {"content-digest", r->digest}};
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char base[2048];
    size_t n;

    memset(r->body, 'x', BODY);
    EVP_Digest(r->body, BODY, bytes, NULL, EVP_sha256(), NULL);
    base64(bytes, "sha-256=", r->digest, sizeof r->digest);
    snprintf(r->input, sizeof r->input,
             "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\")"
             ";created=%lld;nonce=\"0123456789abcdef0123456789abcdef\";keyid=\"builtin\""
             ";alg=\"hmac-sha256\"",
             (long long)(clock_now_us() / US_PER_S));
    n = apisig_base(c, 5, r->input + strlen("sig1="), base, sizeof base);
    if (!apisig_mac(SECRET, strlen(SECRET), base, n, bytes))
        die("no MAC");
    base64(bytes, "sig1=", r->signature, sizeof r->signature);
    r->message = (struct apisig_message){.method = c[0].value,
                                         .authority = c[1].value,
                                         .path = c[2].value,
                                         .content_digest = r->digest};
}

static void verify(struct keyring *keys, const struct request *r, bool body_too) {
    struct arena arena = {0};
    const struct principal *p;
    struct apisig a;

    if (apisig_parse(r->input, r->signature, &r->message, &a) ||
        keyring_verify(keys, &a, &r->message, clock_now_us(), &arena, &p) != STATUS_OK)
        die("the signature was refused");
    if (body_too) {
        struct apisig_body *b = apisig_body_new();

        apisig_body_add(b, r->body, BODY);
        if (!apisig_body_is(b, a.digest))
            die("the body was refused");
        apisig_body_free(b);
    }
    arena_done(&arena);
}

/* The best of some rounds: what others took of the machine is no figure of ours. */
static double per_second(struct keyring *keys, const struct request *r, bool body_too) {
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t began = clock_monotonic_us(), now = began;
        long n = 0;

        for (; now < began + ROUND_US; now = clock_monotonic_us())
            for (int i = 0; i < 100; i++, n++)
                verify(keys, r, body_too);
        if ((double)n * US_PER_S / (double)(now - began) > best)
            best = (double)n * US_PER_S / (double)(now - began);
    }
    return best;
}

int main(void) {
    struct vault *vault = vault_new(NULL);
    struct keyring *keys =
        keyring_new(&(struct keyring_settings){.builtin_secret = SECRET, .vault = vault});
    struct request r;

    request_make(&r);
    printf("{\"headers_per_s\": %.0f, ", per_second(keys, &r, false));
    printf("\"with_1_kib_body_per_s\": %.0f}\n", per_second(keys, &r, true));
    keyring_free(keys);
    vault_free(vault);
    return 0;
}
