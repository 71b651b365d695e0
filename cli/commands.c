/* cli/commands.c: every command in one table: what is typed, what help says, what runs. */
#include "cli/commands.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS_MOST = 128 };

const struct option_row common_options[] = {
    {"json", OPTION_FLAG, NULL, "one JSON document, or JSON lines for streams: --output json"},
    {"output", OPTION_CHOICE, "table|wide|json",
     "wide: every column, at its full width; otherwise table"},
    {"color", OPTION_CHOICE, "auto|always|never",
     "otherwise auto: on a terminal, unless NO_COLOR is set"},
    {"url", OPTION_TEXT, "URL",
     "the server; otherwise SLUICE_URL, what login stored, or " DEFAULT_URL},
    {"help", OPTION_FLAG, NULL, "this text"},
    {0},
};

#define OPTIONS(...) ((const struct option_row[]){__VA_ARGS__, {0}})
#define REASON                                                                                     \
    { "reason", OPTION_TEXT, "TEXT", "goes on the record" }
#define NOTE                                                                                       \
    { "note", OPTION_TEXT, "TEXT", "goes on the record" }
#define WAIT                                                                                       \
    {"wait", OPTION_FLAG, NULL, "stay until it is over"}, {                                        \
        "timeout", OPTION_SECONDS, "TIME", "how long to wait; otherwise 15m"                       \
    }
#define EXPIRES                                                                                    \
    { "expires-in", OPTION_SECONDS, "TIME", "how long it counts, such as 7d" }
#define DEPLOYMENT                                                                                 \
    { "deployment", OPTION_TEXT, "ID", "instead of APP ENV VERSION: after this deployment" }
#define KIND                                                                                       \
    { "kind", OPTION_CHOICE, "after|success", "which list of --deployment; otherwise after" }
#define EVIDENCE                                                                                   \
    {"env", OPTION_TEXT, "ENV", "it counts there alone; otherwise in every environment"},          \
        {"source", OPTION_TEXT, "TEXT", "what ran; otherwise what CI says"},                       \
        {"link", OPTION_TEXT, "URL", "where it ran; otherwise what CI says"},                      \
        {"observed-at", OPTION_TIME, "TIME", "when it was seen; otherwise now"}, EXPIRES
#define REPORT        {"item", OPTION_TEXT, "ITEM", "of the checklist"}, EVIDENCE
#define REPORT_STATUS "Exit status: 0 stored and passed, 1 stored and failed."
#define STICKINESS                                                                                 \
    { "stickiness", OPTION_TEXT, "FIELD", "of the context that decides; otherwise as it is" }
#define NEWEST                                                                                     \
    { "limit", OPTION_COUNT, "N", "how many; otherwise 20, at most 200" }
#define FLAG_SET                                                                                   \
    "What show --json prints will do. If it has a revision, that has to be the current one."
#define FORCE                                                                                      \
    { "force", OPTION_FLAG, NULL, "replace what is there (If-Match: *)" }

/* clang-format off */
const struct command commands[] = {
    {"login", "", "sign in: store a server's URL and a key, so that no later command needs them",
     OPTIONS({"key-stdin", OPTION_FLAG, NULL, "read the key from standard input; otherwise it is asked for"}),
     "A key is made by keys create --api. It is tried before it is stored, in a file that only you can read:\n"
     "$XDG_CONFIG_HOME/sluice/credentials.json, or below ~/.config. SLUICE_URL and SLUICE_TOKEN go before it.",
     run_login},
    {"logout", "", "sign out: delete what login stored", NULL, "The key goes on to count until it is revoked.", run_logout},
    {"completion", "SHELL", "print what makes a shell complete sluice's words: bash, zsh or fish", NULL,
     "bash:  sluice completion bash > ~/.local/share/bash-completion/completions/sluice\n"
     "zsh:   sluice completion zsh > a folder of $fpath/_sluice\n"
     "fish:  sluice completion fish > ~/.config/fish/completions/sluice.fish\n"
     "Names of apps, environments, versions and so on are asked from the server.", run_completion},
    {"man", "[COMMAND…]", "print the manual page, or a command's: sluice man deploy | man -l -", NULL, NULL, run_man},
    {"me", "", "who you are for the server, what you may do, and until when", NULL, NULL, run_me},

    {"app create", "NAME", "register an app, or see that it is as given",
     OPTIONS({"image", OPTION_TEXT, "IMAGE", "its image, without a tag"},
             {"repository", OPTION_TEXT, "URL", "where its source is"},
             {"description", OPTION_TEXT, "TEXT", "one sentence"},
             {"owner", OPTION_LIST, "WHO", "may be given several times"},
             FORCE), NULL, run_app_create},
    {"app list", "", "list the apps", NULL, NULL, run_app_list},
    {"app show", "NAME", "show an app", NULL, NULL, run_app_show},
    {"app delete", "NAME", "delete an app that nothing uses", NULL, NULL, run_app_delete},

    {"cluster create", "NAME", "register a Kubernetes cluster",
     OPTIONS({"kubeconfig-file", OPTION_TEXT, "FILE", "a file's name in the server's SLUICE_KUBECONFIG_DIR"},
             {"context", OPTION_TEXT, "NAME", "a context of it; otherwise the current one"},
             {"in-cluster", OPTION_FLAG, NULL, "the cluster that the server runs in"},
             FORCE), NULL, run_cluster_create},
    {"cluster list", "", "list the clusters and whether they answer", NULL, NULL, run_cluster_list},
    {"cluster show", "NAME", "show a cluster", NULL, NULL, run_cluster_show},
    {"cluster delete", "NAME", "delete a cluster that nothing uses", NULL, NULL, run_cluster_delete},

    {"env create", "APP ENV", "register an environment",
     OPTIONS({"file", OPTION_TEXT, "FILE", "its description in JSON; - for standard input"}, FORCE),
     NULL, run_env_create},
    {"env list", "APP", "list an app's environments", NULL, NULL, run_env_list},
    {"env show", "APP ENV", "show an environment and its status", NULL, NULL, run_env_show},
    {"env delete", "APP ENV", "delete an environment", NULL, NULL, run_env_delete},
    {"env manifests", "APP ENV", "print an environment's manifests, or set them",
     OPTIONS({"file", OPTION_TEXT, "FILE", "YAML documents to set; - for standard input"}, FORCE),
     "Placeholders in manifests: ${IMAGE} ${VERSION} ${COLOR} ${NAMESPACE}.", run_env_manifests},
    {"env rbac", "APP ENV", "print what its account must be allowed in Kubernetes: YAML for kubectl apply",
     OPTIONS({"profile", OPTION_CHOICE, "image|manifests", "what Sluice writes; otherwise manifests if the environment has any"},
             {"account", OPTION_TEXT, "NAMESPACE/NAME", "its ServiceAccount; otherwise sluice/sluice"},
             {"kind", OPTION_LIST, "KIND", "what manifests of releases hold besides; may be given several times"}),
     NULL, run_env_rbac},

    {"release create", "APP VERSION", "register a release: it never changes",
     OPTIONS({"image", OPTION_TEXT, "IMAGE", "with its tag"},
             {"digest", OPTION_TEXT, "SHA256", "sha256:… of the image"},
             {"commit", OPTION_TEXT, "COMMIT", "that it was built from"},
             {"notes", OPTION_TEXT, "TEXT", "what is new"},
             {"manifests", OPTION_TEXT, "FILE", "YAML documents of this release; - for standard input"},
             {"flags", OPTION_TEXT, "FILE", "what its deployments change of flags, in JSON; - for standard input"}),
     NULL, run_release_create},
    {"release list", "APP", "list an app's releases, newest first", NULL, NULL, run_release_list},
    {"release show", "APP VERSION", "show a release", NULL, NULL, run_release_show},

    {"deploy", "APP ENV VERSION", "deploy a release",
     OPTIONS({"wait", OPTION_FLAG, NULL, "stay until it is over"},
             {"timeout", OPTION_SECONDS, "TIME", "how long to wait; otherwise 15m"},
             REASON,
             {"promote", OPTION_CHOICE, "auto|manual", "manual: traffic moves only when somebody promotes it"},
             {"wait-for-gates", OPTION_FLAG, NULL, "where gates are closed, begin when they open; otherwise it is refused"},
             {"dry-run", OPTION_FLAG, NULL, "show what would be done and changed, and do nothing"},
             {"idempotency-key", OPTION_TEXT, "KEY", "the same key never starts a second deployment; otherwise a new one"}),
     "Ctrl-C ends the waiting, not the deployment.", run_deploy},
    {"status", "[APP|DEPLOYMENT] [ENV]", "what serves where, since when, and what runs", NULL,
     "Without operands: every environment of every app.", run_status},
    {"health", "", "ask whether the server answers; needs no token",
     OPTIONS({"ready", OPTION_FLAG, NULL, "and whether it has its database"}),
     "Exit status: 0 it does, 4 it does not.", run_health},
    {"watch", "[DEPLOYMENT…]", "watch deployments until all are over",
     OPTIONS({"app", OPTION_TEXT, "APP", "all that is active of this app"},
             {"env", OPTION_TEXT, "ENV", "in this environment of it"},
             {"all", OPTION_FLAG, NULL, "all that is active anywhere, 64 deployments at most"},
             {"timeout", OPTION_SECONDS, "TIME", "how long; otherwise until they are over"}),
     "With --json: their records, one line each. Exit status: 0 when all of them succeeded.", run_watch},
    {"promote", "DEPLOYMENT", "let a deployment serve that waits for it", OPTIONS(REASON, WAIT), NULL, run_promote},
    {"pause", "DEPLOYMENT", "stop a deployment before its next step", OPTIONS(REASON),
     "Its deadlines stand still meanwhile.", run_pause},
    {"resume", "DEPLOYMENT", "let a paused deployment go on", OPTIONS(REASON, WAIT), NULL, run_resume},
    {"retry", "DEPLOYMENT", "let a stuck deployment try again", OPTIONS(REASON, WAIT), NULL, run_retry},
    {"cancel", "DEPLOYMENT", "take a deployment off the list before it begins", OPTIONS(REASON), NULL, run_cancel},
    {"resolve", "DEPLOYMENT", "say how a stuck deployment ended",
     OPTIONS({"as", OPTION_CHOICE, "failed|succeeded", "how it ended"}, REASON),
     "Writes nothing to the cluster: look first at what serves.", run_resolve},
    {"abort", "DEPLOYMENT", "take a deployment back and wait until that is confirmed",
     OPTIONS(REASON), NULL, run_abort},
    {"rollback", "APP|DEPLOYMENT [ENV]", "return to what served before, and wait until that is confirmed",
     OPTIONS({"to", OPTION_TEXT, "VERSION", "that served here; otherwise the one before"}, REASON, WAIT),
     "Of an environment (with --reason), whatever runs there; or of one deployment.\n"
     "Nothing refuses it, and asking twice changes nothing more.", run_rollback},
    {"traffic", "APP ENV COLOR", "send traffic to a color by hand", OPTIONS(REASON, WAIT),
     "To the color that served before it is a rollback.", run_traffic},
    {"history", "APP [ENV]", "the deployments, newest first: who, why, how long, rolled back by which",
     OPTIONS(NEWEST), NULL, run_history},
    {"events", "APP|DEPLOYMENT [ENV]", "the records of an environment or a deployment",
     OPTIONS({"follow", OPTION_FLAG, NULL, "go on with those to come"},
             {"since-id", OPTION_TEXT, "ID", "only those after this id of the event stream"}),
     NULL, run_events},

    {"why", "APP ENV [VERSION]", "why a version cannot be deployed, who can change that, when it opens", NULL,
     "Without VERSION: the newest release. Exit status: 0 it may go out, 3 it may not.", run_why},
    {"checklist show", "[APP] [ENV] [VERSION]", "show the checklist before a deployment, or after it",
     OPTIONS(DEPLOYMENT, KIND), NULL, run_checklist_show},
    {"checklist pass", "[APP] [ENV] [VERSION] ITEM", "say that an item is done",
     OPTIONS({"note", OPTION_TEXT, "TEXT", "what was seen"},
             {"person", OPTION_TEXT, "NAME", "whom the item is to name"}, EXPIRES, DEPLOYMENT, KIND), NULL, run_checklist_pass},
    {"checklist fail", "[APP] [ENV] [VERSION] ITEM", "say that an item is not as it should be",
     OPTIONS({"note", OPTION_TEXT, "TEXT", "what was seen"}, DEPLOYMENT, KIND), NULL, run_checklist_fail},
    {"checklist open", "[APP] [ENV] [VERSION] ITEM", "take back what was said about an item",
     OPTIONS({"note", OPTION_TEXT, "TEXT", "why"}, DEPLOYMENT, KIND), NULL, run_checklist_open},
    {"checklist waive", "[APP] [ENV] [VERSION] ITEM", "let an item count as done for a while, on the record",
     OPTIONS(REASON, {"role", OPTION_TEXT, "ROLE", "in which it is waived"}, EXPIRES, DEPLOYMENT, KIND),
     NULL, run_checklist_waive},

    {"evidence junit", "APP VERSION FILE", "send a JUnit XML report", OPTIONS(REPORT), REPORT_STATUS, run_evidence_junit},
    {"evidence sarif", "APP VERSION FILE", "send a SARIF 2.1.0 report", OPTIONS(REPORT), REPORT_STATUS, run_evidence_sarif},
    {"evidence bundle", "APP VERSION FILE", "send bundle sizes: {\"files\": [{\"name\", \"bytes\"}]}",
     OPTIONS(REPORT), REPORT_STATUS, run_evidence_bundle},
    {"evidence pass", "APP VERSION ITEM", "say that something passed",
     OPTIONS({"summary", OPTION_TEXT, "TEXT", "what was found"},
             {"digest", OPTION_TEXT, "SHA256", "of what was looked at: refused where the release holds other content"}, EVIDENCE),
     NULL, run_evidence_pass},
    {"evidence fail", "APP VERSION ITEM", "say that something failed",
     OPTIONS({"summary", OPTION_TEXT, "TEXT", "what was found"},
             {"digest", OPTION_TEXT, "SHA256", "of what was looked at: refused where the release holds other content"}, EVIDENCE),
     NULL, run_evidence_fail},
    {"evidence list", "APP VERSION", "list what was found, newest first",
     OPTIONS({"item", OPTION_TEXT, "ITEM", "about this one"}, {"env", OPTION_TEXT, "ENV", "what counts there"}), NULL, run_evidence_list},
    {"evidence report", "APP VERSION REPORT", "print a report as it was sent", NULL, NULL, run_evidence_report},

    {"signoff approve", "[APP] [ENV] [VERSION]", "approve that a release goes out, or accept a deployment",
     OPTIONS({"role", OPTION_TEXT, "ROLE", "in which you decide"}, {"note", OPTION_TEXT, "TEXT", "goes on the record"}, DEPLOYMENT),
     NULL, run_signoff_approve},
    {"signoff reject", "[APP] [ENV] [VERSION]", "refuse it",
     OPTIONS({"role", OPTION_TEXT, "ROLE", "in which you decide"}, {"note", OPTION_TEXT, "TEXT", "why"}, DEPLOYMENT),
     NULL, run_signoff_reject},
    {"signoff withdraw", "[APP] [VERSION] SIGNOFF", "take a decision back", OPTIONS(DEPLOYMENT), NULL, run_signoff_withdraw},
    {"signoff list", "[APP] [VERSION]", "list the decisions, and which of them count",
     OPTIONS({"env", OPTION_TEXT, "ENV", "about this environment"}, DEPLOYMENT), NULL, run_signoff_list},

    {"freeze create", "[APP] [ENV]", "let nothing be deployed for a while, or every week",
     OPTIONS(REASON, {"from", OPTION_TIME, "TIME", "otherwise now"}, {"to", OPTION_TIME, "TIME", "its end"},
             {"for", OPTION_SECONDS, "TIME", "or how long it lasts"},
             {"days", OPTION_TEXT, "DAYS", "weekly, such as fri,sat"}, {"start", OPTION_TEXT, "HH:MM", "on each of them"},
             {"timezone", OPTION_TEXT, "ZONE", "whose clocks, such as Asia/Seoul"},
             {"let-running-finish", OPTION_FLAG, NULL, "what runs when it begins is not stopped"}),
     "Without APP: every app; without ENV: its every environment. Rollbacks are never frozen.", run_freeze_create},
    {"freeze list", "[APP] [ENV]", "list the freezes", OPTIONS({"active", OPTION_FLAG, NULL, "those that freeze now"}), NULL, run_freeze_list},
    {"freeze end", "FREEZE", "end a freeze", NULL, NULL, run_freeze_end},
    {"break-glass request", "APP ENV", "ask a second person to lift the freezes for a while",
     OPTIONS(REASON, {"for", OPTION_SECONDS, "TIME", "how long, 60m at most"}), NULL, run_break_glass_request},
    {"break-glass confirm", "APP ENV ID", "lift them, as the second person", NULL, NULL, run_break_glass_confirm},
    {"break-glass list", "APP ENV", "who lifted the freezes, when and why", NULL, NULL, run_break_glass_list},

    {"gates show", "APP ENV", "show what an environment asks for", NULL, NULL, run_gates_show},
    {"gates set", "APP ENV", "set what an environment asks for",
     OPTIONS({"file", OPTION_TEXT, "FILE", "in JSON; - for standard input"}, FORCE), NULL, run_gates_set},
    {"template list", "", "list the checklist templates", NULL, NULL, run_template_list},
    {"template show", "NAME", "show a checklist template", NULL, NULL, run_template_show},
    {"template set", "NAME", "set a checklist template: what is in use keeps its version",
     OPTIONS({"file", OPTION_TEXT, "FILE", "in JSON; - for standard input"}, FORCE), NULL, run_template_set},

    {"flag list", "APP [ENV]", "list an app's flags, or what they are in an environment",
     OPTIONS({"stale", OPTION_FLAG, NULL, "those that should have been removed"}), NULL, run_flag_list},
    {"flag show", "APP [ENV] FLAG", "show a flag: on or off, and for whom", NULL,
     "Without ENV: its definition, and what it is in every environment.", run_flag_show},
    {"flag create", "APP FLAG", "make a flag: it is off everywhere",
     OPTIONS({"type", OPTION_CHOICE, "release|experiment|operational|kill-switch|permission", "otherwise release"},
             {"value-type", OPTION_CHOICE, "boolean|string|number|object", "what an evaluation answers; otherwise boolean"},
             {"description", OPTION_TEXT, "TEXT", "one sentence"},
             {"stale-after", OPTION_TIME, "TIME", "when it should be gone"},
             {"file", OPTION_TEXT, "FILE", "its definition in JSON, with variants; - for standard input"},
             REASON, FORCE), NULL, run_flag_create},
    {"flag set", "APP [ENV] FLAG", "set what a flag is in an environment, or its definition",
     OPTIONS({"file", OPTION_TEXT, "FILE", "in JSON; - for standard input"}, REASON), FLAG_SET, run_flag_set},
    {"flag enable", "APP ENV FLAG", "switch a flag on", OPTIONS(REASON), NULL, run_flag_enable},
    {"flag disable", "APP ENV FLAG", "switch a flag off", OPTIONS(REASON), NULL, run_flag_disable},
    {"flag kill", "APP ENV FLAG", "pull a flag's kill switch: off, whatever else is said", OPTIONS(REASON),
     "Nothing refuses it, and asking twice changes nothing more.", run_flag_kill},
    {"flag unkill", "APP ENV FLAG", "release a flag's kill switch: it is again what it was", OPTIONS(REASON), NULL, run_flag_unkill},
    {"flag rollout", "APP ENV FLAG PERCENT", "switch a flag on for a percentage", OPTIONS(STICKINESS, REASON),
     "Sets the percentage of its strategy flexibleRollout, or adds that strategy; others stay.", run_flag_rollout},
    {"flag schedule", "APP ENV FLAG", "have a flag switched at a time",
     OPTIONS({"at", OPTION_TIME, "TIME", "to come, at most 366 days away"}, {"enable", OPTION_FLAG, NULL, "switch it on"},
             {"disable", OPTION_FLAG, NULL, "switch it off"},
             {"rollout", OPTION_TEXT, "PERCENT", "switch it on for a percentage, with its strategies of now"}, STICKINESS,
             {"if-unchanged", OPTION_FLAG, NULL, "only if nobody changes it before"}, REASON), NULL, run_flag_schedule},
    {"flag schedules", "APP ENV FLAG", "list a flag's scheduled changes, newest first",
     OPTIONS({"state", OPTION_CHOICE, "pending|applied|failed|canceled", "those alone"}), NULL, run_flag_schedules},
    {"flag unschedule", "APP ENV FLAG SCHEDULE", "cancel a scheduled change", NULL, NULL, run_flag_unschedule},
    {"flag request", "APP ENV FLAG…", "ask for a change that others have to approve",
     OPTIONS({"enable", OPTION_FLAG, NULL, "switch it on"}, {"disable", OPTION_FLAG, NULL, "switch it off"},
             {"unkill", OPTION_FLAG, NULL, "release its kill switch"},
             {"rollout", OPTION_TEXT, "PERCENT", "switch it on for a percentage, with its strategies of now"}, STICKINESS,
             {"file", OPTION_TEXT, "FILE", "what is to be another, in JSON; - for standard input"}, REASON), NULL, run_flag_request},
    {"flag requests", "APP ENV", "list what was asked for, newest first",
     OPTIONS({"state", OPTION_CHOICE, "pending|approved|applied|rejected|canceled|expired", "those alone"}), NULL, run_flag_requests},
    {"flag review", "APP ENV REQUEST", "show what a request changes, and who approved it", NULL, NULL, run_flag_review},
    {"flag approve", "APP ENV REQUEST", "approve what somebody else asked for", OPTIONS(NOTE), NULL, run_flag_approve},
    {"flag reject", "APP ENV REQUEST", "refuse it", OPTIONS(NOTE), NULL, run_flag_reject},
    {"flag apply", "APP ENV REQUEST", "make what was approved", OPTIONS(NOTE), NULL, run_flag_apply},
    {"flag cancel", "APP ENV REQUEST", "take a request of yours back", OPTIONS(NOTE), NULL, run_flag_cancel},
    {"flag history", "APP [ENV] FLAG", "who changed a flag, when and why, newest first", OPTIONS(NEWEST), NULL, run_flag_history},
    {"flag exposure", "APP ENV FLAG", "what clients were given of a flag, by the hour, newest first",
     OPTIONS({"last", OPTION_SECONDS, "TIME", "how far back, 90d at most; otherwise a day"}),
     "As Unleash's SDKs report it; OpenFeature's clients report nothing.", run_flag_exposure},
    {"flag restore", "APP [ENV] FLAG REVISION", "make a flag what it was as of a revision of its history", OPTIONS(REASON),
     "Without ENV: its definition. The kill switch stays as it is.", run_flag_restore},
    {"flag eval", "[FLAG]", "what a flag is for somebody, or all of them, asked as an application asks",
     OPTIONS({"user", OPTION_TEXT, "ID", "the context's targetingKey"},
             {"context", OPTION_LIST, "FIELD=VALUE", "of the context; may be given several times"},
             {"file", OPTION_TEXT, "FILE", "the context in JSON; - for standard input"}),
     "SLUICE_TOKEN has to be an API key of the environment, of role flags:client.", run_flag_eval},
    {"flag diff", "APP ENV", "what flags would become if they were what they are in another environment",
     OPTIONS({"from", OPTION_TEXT, "ENV", "the other environment"}), NULL, run_flag_diff},
    {"flag promote", "APP ENV [FLAG…]", "make flags what they are in another environment, all at once",
     OPTIONS({"from", OPTION_TEXT, "ENV", "the other environment"},
             {"dry-run", OPTION_FLAG, NULL, "say which, and do nothing"},
             {"if-match", OPTION_TEXT, "TAG", "what --dry-run said: only if nobody changed anything since"}, REASON),
     "Without FLAG: all that differ. Kill switches stay as they are.", run_flag_promote},
    {"flag import", "APP ENV", "make flags and segments what Unleash exported, all of it or nothing",
     OPTIONS({"file", OPTION_TEXT, "FILE", "Unleash's export or flag export's, in JSON; - for standard input"},
             {"existing", OPTION_CHOICE, "refuse|update|keep", "what becomes of those that are there and differ; otherwise refuse"},
             {"dry-run", OPTION_FLAG, NULL, "say which, and do nothing"}, REASON),
     "Kill switches stay as they are.", run_flag_import},
    {"flag export", "APP ENV", "print what flags are in an environment, as Unleash exports it", NULL, NULL, run_flag_export},
    {"flag delete", "APP FLAG", "delete a flag that no other one depends on", OPTIONS(REASON), NULL, run_flag_delete},
    {"segment list", "APP", "list an app's segments", NULL, NULL, run_segment_list},
    {"segment show", "APP SEGMENT", "show a segment", NULL, NULL, run_segment_show},
    {"segment set", "APP SEGMENT", "make or replace a segment: it counts at once",
     OPTIONS({"file", OPTION_TEXT, "FILE", "in JSON; - for standard input"}, REASON), FLAG_SET, run_segment_set},
    {"segment history", "APP SEGMENT", "who changed a segment, when and why, newest first", OPTIONS(NEWEST), NULL, run_segment_history},
    {"segment delete", "APP SEGMENT", "delete a segment that no strategy names", OPTIONS(REASON), NULL, run_segment_delete},

    {"keys create", "NAME", "make a key that signs requests, or an API key; prints its secret, once",
     OPTIONS({"role", OPTION_LIST, "ROLE", "what it may do; may be given several times"},
             {"app", OPTION_LIST, "APP", "what it reaches, or '*'; may be given several times"},
             {"api", OPTION_FLAG, NULL, "an API key, which is sent as a bearer token or as X-API-Key"},
             {"kind", OPTION_CHOICE, "user|ci|bot|service", "whom it stands for; otherwise service"},
             {"environment", OPTION_TEXT, "ENV", "the one that it evaluates flags of, with --api --role flags:client"},
             {"expires-in", OPTION_SECONDS, "TIME", "otherwise never"}),
     "docs/identity.md and docs/examples/signing say how to call with it.", run_keys_create},
    {"keys list", "", "list the keys", NULL, NULL, run_keys_list},
    {"keys show", "KEY", "show a key, without its secret", NULL, NULL, run_keys_show},
    {"keys rotate", "KEY", "give a key a second secret, and print it, once",
     OPTIONS({"overlap", OPTION_SECONDS, "TIME", "how long the older one goes on; otherwise a day"}),
     NULL, run_keys_rotate},
    {"keys revoke", "KEY", "delete a key, or one of its two secrets",
     OPTIONS({"secret", OPTION_TEXT, "SLOT", "only this one; keys show lists them"}), NULL, run_keys_revoke},

    {"audit verify", "FILE…", "check exported chains; needs no server",
     OPTIONS({"head", OPTION_TEXT, "HASH", "a head kept elsewhere: shows a cut tail and a chain written anew"},
             {"checkpoints", OPTION_TEXT, "FILE|DIR", "signed checkpoints kept elsewhere: show that too, and what is wrong with them"},
             {"key", OPTION_LIST, "FILE", "the public key that signed them; may be given several times"}),
     "Says which line was changed, removed, inserted or moved. FILE may be - for standard input.\n"
     "--checkpoints needs --key: whoever writes a chain anew can write unsigned checkpoints too.", run_audit_verify},
    {"audit checkpoints", "", "write the signed checkpoints of all chains",
     OPTIONS({"out", OPTION_TEXT, "FILE", "otherwise standard output"},
             {"from", OPTION_TEXT, "NUMBER", "the first one; otherwise 1"}),
     "For audit verify --checkpoints.", run_audit_checkpoints},
    {"audit export", "CHAIN", "write a chain's lines as they are stored",
     OPTIONS({"out", OPTION_TEXT, "FILE", "otherwise standard output"}),
     "CHAIN is system, APP or APP/ENV.", run_audit_export},
    {"audit chains", "", "list the chains, their lengths and heads", NULL, NULL, run_audit_chains},
    {0},
};
/* clang-format on */

const struct command *command_find(int argc, const char *const *argv, int *ret_words) {
    for (const struct command *c = commands; c->words; c++) {
        const char *space = strchr(c->words, ' ');
        size_t n = space ? (size_t)(space - c->words) : strlen(c->words);

        if (argc < 1 || strlen(argv[0]) != n || strncmp(argv[0], c->words, n) != 0)
            continue;
        *ret_words = space ? 2 : 1;
        if (!space || (argc > 1 && strcmp(argv[1], space + 1) == 0))
            return c;
    }
    return NULL;
}

bool is_group(const char *word) {
    size_t n = strlen(word);

    for (const struct command *c = commands; c->words; c++) {
        if (strncmp(c->words, word, n) == 0 && c->words[n] == ' ')
            return true;
    }
    return false;
}

static ExitCode unknown_command(int argc, char **argv) {
    const char *names[COMMANDS_MOST], *near;
    char typed[128];
    size_t n = 0;

    for (const struct command *c = commands; c->words && n < COMMANDS_MOST; c++)
        names[n++] = c->words;
    snprintf(typed, sizeof(typed), "%s%s%s", argv[0], is_group(argv[0]) && argc > 1 ? " " : "",
             is_group(argv[0]) && argc > 1 ? argv[1] : "");
    near = nearest_word(typed, names, n);
    if (!near && argc > 1) { /* the first of two words is mistyped */
        snprintf(typed, sizeof(typed), "%s %s", argv[0], argv[1]);
        near = nearest_word(typed, names, n);
    }
    if (near)
        return usage_error("unknown command '%s'; did you mean '%s'?", typed, near);
    return usage_error("unknown command '%s'; sluice --help lists them", typed);
}

/* Those that ask no server, or not the one that SLUICE_URL names: what is wrong there, or with the
 * token, is none of their business. */
static bool runs_alone(const struct command *c) {
    return c->run == run_login || c->run == run_logout || c->run == run_audit_verify ||
           c->run == run_completion || c->run == run_man;
}

/* How it is to look. */
static void output_choose(struct session *s, const struct args *a) {
    const char *output = arg_text(a, "output"), *color = arg_text(a, "color");

    s->json = arg_flag(a, "json") || (output && strcmp(output, "json") == 0);
    s->wide = output && strcmp(output, "wide") == 0;
    if (color)
        screen_color(strcmp(color, "always") == 0  ? COLOR_ALWAYS
                     : strcmp(color, "never") == 0 ? COLOR_NEVER
                                                   : COLOR_AUTO);
}

static ExitCode command_run(const struct command *c, int argc, char **argv) {
    char error[256] = "";
    struct session session = {0};
    struct args args;
    ExitCode code;

    if (!args_parse(c, argc, argv, &args, error, sizeof(error))) {
        code = usage_error("%s", error);
        fprintf(stderr, "Usage: sluice %s%s%s%s   (sluice %s --help)\n", c->words,
                *c->operands ? " " : "", c->operands, c->options ? " [options]" : "", c->words);
    } else if (arg_flag(&args, "help")) {
        help_command(c);
        code = EXIT_DONE;
    } else {
        output_choose(&session, &args);
        code = runs_alone(c) ? EXIT_DONE : session_open(&session, arg_text(&args, "url"));
        if (code == EXIT_DONE)
            code = c->run(&session, &args);
        session_done(&session);
    }
    args_done(&args);
    return code;
}

static ExitCode help_on(int argc, char **argv) {
    const struct command *c;
    int words;

    if (argc == 0) {
        help_all();
        return EXIT_DONE;
    }
    if (strcmp(argv[0], "--json") == 0) {
        help_json();
        return EXIT_DONE;
    }
    c = command_find(argc, (const char *const *)argv, &words);
    if (c)
        help_command(c);
    else if (argc == 1 && is_group(argv[0]))
        help_group(argv[0]);
    else
        return unknown_command(argc, argv);
    return EXIT_DONE;
}

static bool asks_for_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int leading_options(int argc, char **argv) {
    const struct command none = {0};
    const struct option_row *row;
    int n = 0;

    while (n < argc && strncmp(argv[n], "--", 2) == 0) {
        size_t length = strcspn(argv[n] + 2, "=");

        row = option_find(&none, argv[n] + 2, length);
        if (!row || strcmp(row->name, "help") == 0)
            break;
        n += row->type != OPTION_FLAG && !argv[n][2 + length] && n + 1 < argc ? 2 : 1;
    }
    return n;
}

/* argv with the options before the command moved to its end. */
static char **options_last(int argc, char **argv, int n) {
    char **moved = xcalloc((size_t)argc + 1, sizeof(*moved));

    for (int i = 0; i < argc; i++)
        moved[i] = argv[(i + n) % argc];
    return moved;
}

static ExitCode dispatch(int argc, char **argv) {
    const struct command *c;
    int words;

    if (argc == 0) {
        fputs("Usage: sluice COMMAND …   (sluice --help)\n", stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "help") == 0)
        return help_on(argc - 1, argv + 1);
    if (asks_for_help(argv[0]))
        return help_on(argc - 1, argv + 1);
    if (strcmp(argv[0], "__complete") == 0)
        return complete(argc - 1, argv + 1);
    if (strcmp(argv[0], "--version") == 0) {
        puts("sluice " SLUICE_VERSION);
        return EXIT_DONE;
    }
    c = command_find(argc, (const char *const *)argv, &words);
    if (c)
        return command_run(c, argc - words, argv + words);
    if (is_group(argv[0]) && (argc == 1 || asks_for_help(argv[1]))) {
        help_group(argv[0]);
        return argc == 1 ? EXIT_USAGE : EXIT_DONE;
    }
    return unknown_command(argc, argv);
}

/* Before anything is understood of the line: what is wrong with it is to be told as JSON too. */
static bool asks_for_json(int argc, char **argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--output=json") == 0 ||
            (strcmp(argv[i], "--output") == 0 && i + 1 < argc && strcmp(argv[i + 1], "json") == 0))
            return true;
    }
    return false;
}

ExitCode command_line(int argc, char **argv) {
    int n = leading_options(argc, argv);
    ExitCode code;
    char **moved;

    if (asks_for_json(argc, argv))
        usage_errors_json();

    if (n == 0 || n == argc)
        return dispatch(argc, argv);
    moved = options_last(argc, argv, n);
    code = dispatch(argc, moved);
    free(moved);
    return code;
}
