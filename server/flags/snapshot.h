/* flags/snapshot.h: the flags of every environment, as served: for each one immutable object, that
 * a newer one replaces at once.
 *
 * Threads: any number take and release; whoever replaces does it in one thread.  A reader holds a
 * lock for one look-up, never while somebody reads or compiles; the object that was replaced is
 * freed by its last reader. */
#pragma once
#include "flags/compile.h"
#include <stdint.h>

/* What else is made of an environment's flags when somebody first asks for it, and kept with them.
 */
typedef enum SnapshotText {
    SNAPSHOT_FEATURES,       /* Unleash's document, segments inlined */
    SNAPSHOT_FEATURES_APART, /* the same, segments apart */
    SNAPSHOT_TEXTS
} SnapshotText;

struct snapshot {
    const char *app, *environment, *environment_id;
    const char *document; /* what it was compiled from: JSON text, flags/model.h */
    int64_t revision;     /* of the environment's flags; with environment_id it names the content */
    int64_t read_us;      /* wall clock: when this content was first seen */
    bool by_time;         /* set here: what its flags are may depend on the time of day */
    bool from_file;       /* of the last known good, not (yet) of the database */
    const struct flags *flags;
};

/* Copies all but `flags`, which it takes. */
struct snapshot *snapshot_new(const struct snapshot *in);
void snapshot_release(const struct snapshot *s); /* NULL-safe */
/* The text, made by `make` (which answers with malloc'd memory) unless somebody did before;
 * borrowed from the snapshot. */
const char *snapshot_text(const struct snapshot *s, SnapshotText which,
                          char *(*make)(const struct snapshot *s, SnapshotText which));

struct snapshots;
struct snapshots *snapshots_new(void);
void snapshots_free(struct snapshots *set); /* NULL-safe; readers may still hold what they took */
/* Yours until snapshot_release; NULL: there is none. */
const struct snapshot *snapshot_take(struct snapshots *set, const char *app,
                                     const char *environment);
/* From here on everybody takes this one; takes it. */
void snapshots_put(struct snapshots *set, struct snapshot *s);
void snapshots_drop(struct snapshots *set, const char *app, const char *environment);
/* Those that there are now, each taken, by app and environment; *ret_n of them, the array is yours.
 */
const struct snapshot **snapshots_take_all(struct snapshots *set, size_t *ret_n);
/* Objects that are not freed yet, those that only readers hold too. */
size_t snapshots_alive(const struct snapshots *set);
