/* domain/release.h: what a release is made of, and the digest that gates bind to. */
#pragma once
#include "base/ids.h"
#include "base/json.h"
#include "base/semver.h"

enum { IMAGE_MAX = 512, RELEASE_MIGRATIONS = 64, RELEASE_FLAGS = 64 };

/* Borrowed texts; NULL where the release has none. */
struct release_content {
    struct semver semver;
    const char *image;  /* repository[:tag], never with a digest */
    const char *digest; /* "sha256:…" */
    const char *commit, *manifests;
    const json_t *migrations; /* [{version, class}] */
    const json_t *flags;      /* [{flag, at, set}] */
};

/* repository[:tag][@digest] as container registries have it (distribution/reference); `ret_digest`
 * points at the digest within `image`, or is NULL when it has none. */
bool image_reference_valid(const char *image, const char **ret_digest);
bool image_digest_valid(const char *digest); /* sha256: and 64 lower-case hex digits */
bool commit_valid(const char *commit);       /* 7 to 64 lower-case hex digits */

/* The lower-case hex SHA-256 over the canonical text of a release: the line "sluice release 1",
 * then for each of version, image, digest, commit, manifests, migrations and flags, in this order,
 * a line "NAME BYTES" and the value with a newline behind it.  The version is without its v, an
 * absent value is empty, lists are compact JSON with sorted keys.  Returns `text`. */
char *release_content_digest(const struct release_content *in, char text[SHA256_HEX]);
/* That text itself; yours. */
char *release_canonical_text(const struct release_content *in);
