/* config/settings.h: the settings table, for the files of config/ only. */
#pragma once
#include "config/config.h"

typedef enum SettingType {
    SETTING_TEXT,     /* char *; min, max: bytes */
    SETTING_DATABASE, /* char *; a libpq URL or keyword string: its passwords are masked */
    SETTING_KEYS,     /* char *; base64 of 32 bytes each, separated by commas or newlines; max: how
                         many */
    SETTING_PEM,      /* char *; may hold newlines */
    SETTING_URL,      /* char *; http or https */
    SETTING_ADDRESS,  /* char *; an IP literal */
    SETTING_LISTEN,   /* char *; PORT, or ADDRESS:PORT with an IP literal, in brackets if IPv6 */
    SETTING_HOSTNAME, /* char *; counts only when an IP literal, and when SLUICE_LISTEN is unset */
    SETTING_CIDRS,    /* char *; comma-separated */
    SETTING_ORIGINS,  /* char *; comma-separated, or "*" */
    SETTING_WORD,     /* char *; one of `words` */
    SETTING_INT,      /* int64_t; min, max: value */
    SETTING_BOOL,     /* bool; true, false, 1, 0 */
    SETTING_RATE,     /* struct config_rate; "RATE,BURST" or "off"; max: of either */
} SettingType;

typedef enum SettingSource {
    SOURCE_DEFAULT,
    SOURCE_ENVIRONMENT,
    SOURCE_FILE,
    SOURCE_ENV_FILE
} SettingSource;

struct setting {
    const char *name;
    SettingType type;
    size_t offset;           /* into struct config */
    const char *otherwise;   /* the default as text; NULL: none */
    int64_t min, max;        /* 0, 0 of a text: 0 to 4096 bytes */
    const char *words;       /* "debug|info" */
    bool secret, reloadable; /* reloadable: may change while the server runs */
    const char *about;       /* for docs/settings.md: what it is for */
};

extern const struct setting settings[]; /* ends with a NULL name */
/* Names that start with SLUICE_ and belong to the command line, scripts/stack or tests; ends with
 * NULL.
 */
extern const char *const foreign_names[];

/* Checks `value` and stores it in `ret`.  false with a line in reterr that does not quote secrets.
 */
bool setting_store(const struct setting *s, const char *value, struct config *ret, char *reterr,
                   size_t n);
bool setting_same(const struct setting *s, const struct config *a, const struct config *b);
/* Gives `ret` the value that `from` has. */
void setting_keep(const struct setting *s, const struct config *from, struct config *ret);
/* The setting's value as text, masked where it is secret; yours; NULL when unset. */
char *setting_text(const struct setting *s, const struct config *c);
/* The known name that resembles this one most, or NULL. */
const char *setting_meant(const char *name);
