/* cli/login.c: sign in, sign out, and who one is. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* A line of standard input, without its end; NULL at its end, or when interrupted. */
static char *read_line(void) {
    char line[KEY_MOST + 2];

    if (!fgets(line, sizeof(line), stdin))
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    return xstrdup(line);
}

/* Asks on the terminal, without showing what is typed.  Ctrl-Z and Ctrl-\ would leave a terminal
 * behind that shows nothing, so that they mean nothing here. */
static char *ask_for_key(const char *url) {
    struct termios shown, hidden;
    char *key;

    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return NULL;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_cc[VSUSP] = hidden.c_cc[VQUIT] = _POSIX_VDISABLE;
    interrupt_setup();
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fprintf(stderr, "Key for %s (it is not shown): ", url);
    key = read_line();
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return key;
}

static ExitCode read_key(const struct args *a, const char *url, char **ret) {
    if (!arg_flag(a, "key-stdin") && !isatty(STDIN_FILENO))
        return usage_error("no terminal to ask on: sluice login --key-stdin < FILE");
    *ret = arg_flag(a, "key-stdin") ? read_line() : ask_for_key(url);
    if (interrupted())
        return EXIT_INTERRUPTED;
    return *ret && **ret ? EXIT_DONE : usage_error("no key was given");
}

/* --url, SLUICE_URL, the one of the last time, or the default.  What cannot be trusted is written
 * anew and not asked. */
static char *url_of(const struct args *a) {
    _cleanup_(credentials_done) struct credentials stored = {0};
    const char *url = arg_text(a, "url");
    char why[CREDENTIALS_ERROR];

    if (!url)
        url = getenv("SLUICE_URL");
    if ((!url || !*url) && credentials_load(&stored, why))
        url = stored.url;
    return xstrdup(url && *url ? url : DEFAULT_URL);
}

/* "roles:   releaser, operator", in as many lines as the terminal asks for */
static void print_list_of(const char *title, const json_t *list) {
    _cleanup_(strbuf_done) struct strbuf all = STRBUF(DRAW_MOST), lines = STRBUF(DRAW_MOST);
    const struct look look = screen_look();
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
        strbuf_addf(&all, "%s%s", i ? ", " : "", json_string_value(one));
    draw_wrapped(&lines, all.len ? all.data : "none", strlen(title), &look);
    printf("%s%s", title, lines.data + strlen(title));
}

/* "ann (user)", or a key by the name it was given */
static void print_name(const json_t *me) {
    const char *subject = json_str(me, "subject", "?"), *name = json_str(me, "display_name", "?");

    text_print_clean(stdout, name);
    fputs(" (", stdout);
    text_print_clean(stdout, json_str(me, "kind", "?"));
    if (strcmp(subject, name) != 0) {
        fputs(" ", stdout);
        text_print_clean(stdout, subject);
    }
    fputs(")", stdout);
}

static void print_until(const json_t *me) {
    int64_t until = text_time(json_str(me, "expires_at", NULL));
    char date[DURATION_TEXT], left[DURATION_TEXT];

    if (!until)
        puts("until:   it is revoked");
    else
        printf("until:   %s, %s from now\n", text_date(until, date),
               text_duration(until - clock_now_us(), left));
}

static void print_me(const struct session *s, const json_t *me) {
    print_name(me);
    printf(" at %s\n", s->url);
    fputs("issuer:  ", stdout);
    text_print_clean(stdout, json_str(me, "issuer", "?"));
    putchar('\n');
    print_list_of("roles:   ", json_object_get(me, "roles"));
    print_list_of("apps:    ", json_object_get(me, "apps"));
    if (json_str(me, "environment", NULL)) {
        fputs("only in: ", stdout);
        text_print_clean(stdout, json_str(me, "environment", ""));
        putchar('\n');
    }
    print_list_of("may:     ", json_object_get(me, "scopes"));
    print_until(me);
    if (s->token_from)
        printf("key:     of %s\n", s->token_from);
}

ExitCode run_me(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = "/api/v1/me"}, &answer);

    (void)a;
    if (code != EXIT_DONE)
        return code;
    if (s->json)
        print_json(answer.json);
    else
        print_me(s, answer.json);
    return EXIT_DONE;
}

/* What goes before the file, so that nobody wonders. */
static void warn_of_environment(void) {
    static const char *const names[] = {"SLUICE_URL", "SLUICE_TOKEN", "SLUICE_TOKEN_FILE"};
    const char *value;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        value = getenv(names[i]);
        if (value && *value)
            fprintf(stderr, "  %s is set, and goes before what was stored\n", names[i]);
    }
}

/* Whether a key would go over a network as it is. */
static bool unencrypted(const char *url) {
    static const char *const here[] = {"http://127.", "http://localhost", "http://[::1]"};

    for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
        if (strncmp(url, here[i], strlen(here[i])) == 0)
            return false;
    }
    return strncmp(url, "https://", strlen("https://")) != 0;
}

ExitCode run_login(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *url = url_of(a), *key = NULL, *path = credentials_path();
    char why[CREDENTIALS_ERROR];
    ExitCode code = session_begin(s, url, NULL);

    if (code == EXIT_DONE && unencrypted(s->url))
        fprintf(stderr, "  over %s a key can be read on its way: better https://\n", s->url);
    if (code == EXIT_DONE)
        code = read_key(a, s->url, &key);
    if (code == EXIT_DONE && !key_valid(key))
        code = usage_error("what was given is too long, or holds a character that no key has");
    if (code != EXIT_DONE)
        return code;
    session_token(s, key);
    code = api_do(s, &(struct api_call){.path = "/api/v1/me"}, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!credentials_store(s->url, key, why))
        return usage_error("%s", why);
    if (s->json) {
        print_json(answer.json);
    } else {
        fputs("signed in as ", stdout);
        print_name(answer.json);
        printf(" at %s\n", s->url);
        fprintf(stderr, "  stored in %s\n", path);
    }
    warn_of_environment();
    return EXIT_DONE;
}

ExitCode run_logout(struct session *s, const struct args *a) {
    char why[CREDENTIALS_ERROR];
    bool was_there;

    (void)a;
    if (!credentials_forget(&was_there, why))
        return usage_error("%s", why);
    if (s->json) {
        json_auto_t *out = json_pack("{sb}", "signed_out", was_there);

        print_json(out);
    } else {
        puts(was_there ? "signed out" : "nothing was stored");
    }
    if (was_there)
        fputs("  the key itself counts until it is revoked: sluice keys revoke KEY\n", stderr);
    warn_of_environment();
    return EXIT_DONE;
}
