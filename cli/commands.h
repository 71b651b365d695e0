/* cli/commands.h: the table of commands and the functions in it. */
#pragma once
#include "cli/args.h"
#include "cli/session.h"

extern const struct command commands[]; /* ends with words NULL */

/* Runs a whole command line.  Returns the exit code. */
ExitCode command_line(int argc, char **argv);
/* The command whose words begin the line, or NULL; *ret_words is how many they are. */
const struct command *command_find(int argc, const char *const *argv, int *ret_words);
/* Whether commands of two words begin with it. */
bool is_group(const char *word);
/* How many words at the beginning are common options and their values. */
int leading_options(int argc, char **argv);
/* complete.c: prints what may stand for the last word of a line that is being typed: a word a line,
 * a tab, and what it means; or ":files". */
ExitCode complete(int argc, char **argv);

/* help.c */
struct help_row {
    const char *name, *text; /* name NULL ends a table */
};
extern const struct help_row environment_rows[], exit_rows[];
void help_all(void);
void help_json(void);              /* the table, for programs */
void help_group(const char *word); /* the commands that begin with the word */
void help_command(const struct command *c);

ExitCode run_login(struct session *s, const struct args *a);
ExitCode run_logout(struct session *s, const struct args *a);
ExitCode run_me(struct session *s, const struct args *a);
ExitCode run_completion(struct session *s, const struct args *a);
ExitCode run_man(struct session *s, const struct args *a);
ExitCode run_app_create(struct session *s, const struct args *a);
ExitCode run_app_list(struct session *s, const struct args *a);
ExitCode run_app_show(struct session *s, const struct args *a);
ExitCode run_app_delete(struct session *s, const struct args *a);
ExitCode run_cluster_create(struct session *s, const struct args *a);
ExitCode run_cluster_list(struct session *s, const struct args *a);
ExitCode run_cluster_show(struct session *s, const struct args *a);
ExitCode run_cluster_delete(struct session *s, const struct args *a);
ExitCode run_env_create(struct session *s, const struct args *a);
ExitCode run_env_list(struct session *s, const struct args *a);
ExitCode run_env_show(struct session *s, const struct args *a);
ExitCode run_env_delete(struct session *s, const struct args *a);
ExitCode run_env_manifests(struct session *s, const struct args *a);
ExitCode run_env_rbac(struct session *s, const struct args *a);
ExitCode run_release_create(struct session *s, const struct args *a);
ExitCode run_release_list(struct session *s, const struct args *a);
ExitCode run_release_show(struct session *s, const struct args *a);
ExitCode run_deploy(struct session *s, const struct args *a);
ExitCode run_watch(struct session *s, const struct args *a);
ExitCode run_abort(struct session *s, const struct args *a);
ExitCode run_rollback(struct session *s, const struct args *a);
ExitCode run_traffic(struct session *s, const struct args *a);
ExitCode run_promote(struct session *s, const struct args *a);
ExitCode run_pause(struct session *s, const struct args *a);
ExitCode run_resume(struct session *s, const struct args *a);
ExitCode run_retry(struct session *s, const struct args *a);
ExitCode run_resolve(struct session *s, const struct args *a);
ExitCode run_cancel(struct session *s, const struct args *a);
ExitCode run_history(struct session *s, const struct args *a);
ExitCode run_status(struct session *s, const struct args *a);
ExitCode run_health(struct session *s, const struct args *a);
ExitCode run_events(struct session *s, const struct args *a);
ExitCode run_why(struct session *s, const struct args *a);
ExitCode run_checklist_show(struct session *s, const struct args *a);
ExitCode run_checklist_pass(struct session *s, const struct args *a);
ExitCode run_checklist_fail(struct session *s, const struct args *a);
ExitCode run_checklist_open(struct session *s, const struct args *a);
ExitCode run_checklist_waive(struct session *s, const struct args *a);
ExitCode run_evidence_junit(struct session *s, const struct args *a);
ExitCode run_evidence_sarif(struct session *s, const struct args *a);
ExitCode run_evidence_bundle(struct session *s, const struct args *a);
ExitCode run_evidence_pass(struct session *s, const struct args *a);
ExitCode run_evidence_fail(struct session *s, const struct args *a);
ExitCode run_evidence_list(struct session *s, const struct args *a);
ExitCode run_evidence_report(struct session *s, const struct args *a);
ExitCode run_signoff_approve(struct session *s, const struct args *a);
ExitCode run_signoff_reject(struct session *s, const struct args *a);
ExitCode run_signoff_withdraw(struct session *s, const struct args *a);
ExitCode run_signoff_list(struct session *s, const struct args *a);
ExitCode run_freeze_create(struct session *s, const struct args *a);
ExitCode run_freeze_list(struct session *s, const struct args *a);
ExitCode run_freeze_end(struct session *s, const struct args *a);
ExitCode run_break_glass_request(struct session *s, const struct args *a);
ExitCode run_break_glass_confirm(struct session *s, const struct args *a);
ExitCode run_break_glass_list(struct session *s, const struct args *a);
ExitCode run_gates_show(struct session *s, const struct args *a);
ExitCode run_gates_set(struct session *s, const struct args *a);
ExitCode run_template_list(struct session *s, const struct args *a);
ExitCode run_template_show(struct session *s, const struct args *a);
ExitCode run_template_set(struct session *s, const struct args *a);
ExitCode run_flag_list(struct session *s, const struct args *a);
ExitCode run_flag_show(struct session *s, const struct args *a);
ExitCode run_flag_create(struct session *s, const struct args *a);
ExitCode run_flag_set(struct session *s, const struct args *a);
ExitCode run_flag_enable(struct session *s, const struct args *a);
ExitCode run_flag_disable(struct session *s, const struct args *a);
ExitCode run_flag_kill(struct session *s, const struct args *a);
ExitCode run_flag_unkill(struct session *s, const struct args *a);
ExitCode run_flag_rollout(struct session *s, const struct args *a);
ExitCode run_flag_schedule(struct session *s, const struct args *a);
ExitCode run_flag_schedules(struct session *s, const struct args *a);
ExitCode run_flag_unschedule(struct session *s, const struct args *a);
ExitCode run_flag_request(struct session *s, const struct args *a);
ExitCode run_flag_requests(struct session *s, const struct args *a);
ExitCode run_flag_review(struct session *s, const struct args *a);
ExitCode run_flag_approve(struct session *s, const struct args *a);
ExitCode run_flag_reject(struct session *s, const struct args *a);
ExitCode run_flag_apply(struct session *s, const struct args *a);
ExitCode run_flag_cancel(struct session *s, const struct args *a);
ExitCode run_flag_history(struct session *s, const struct args *a);
ExitCode run_flag_exposure(struct session *s, const struct args *a);
ExitCode run_flag_restore(struct session *s, const struct args *a);
ExitCode run_flag_eval(struct session *s, const struct args *a);
ExitCode run_flag_diff(struct session *s, const struct args *a);
ExitCode run_flag_promote(struct session *s, const struct args *a);
ExitCode run_flag_import(struct session *s, const struct args *a);
ExitCode run_flag_export(struct session *s, const struct args *a);
ExitCode run_flag_delete(struct session *s, const struct args *a);
ExitCode run_segment_list(struct session *s, const struct args *a);
ExitCode run_segment_show(struct session *s, const struct args *a);
ExitCode run_segment_set(struct session *s, const struct args *a);
ExitCode run_segment_history(struct session *s, const struct args *a);
ExitCode run_segment_delete(struct session *s, const struct args *a);
ExitCode run_keys_create(struct session *s, const struct args *a);
ExitCode run_keys_list(struct session *s, const struct args *a);
ExitCode run_keys_show(struct session *s, const struct args *a);
ExitCode run_keys_rotate(struct session *s, const struct args *a);
ExitCode run_keys_revoke(struct session *s, const struct args *a);
ExitCode run_audit_verify(struct session *s, const struct args *a);
ExitCode run_audit_export(struct session *s, const struct args *a);
ExitCode run_audit_checkpoints(struct session *s, const struct args *a);
ExitCode run_audit_chains(struct session *s, const struct args *a);
