"""Separation of duties: what a kind of caller never does, whatever its roles; the program says so, and the database again."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from tests.api.conftest import heads, refused
from tests.support.pg import Cluster
from tests.support.stack import IMAGE, ROOT, until

EVERYTHING = ("admin", "ci", "releaser", "operator", "viewer",
              *(f"approver:{role}" for role in ("engineering", "qa", "devops", "product", "customer-success", "support", "final")))
PERSONAL = {"checklist:write", "checklist:waive", "deployment:resolve", "key:write",
            *(role.replace("approver", "signoff") for role in EVERYTHING if role.startswith("approver"))}
NEVER = {"user": {"evidence:write"}, "ci": PERSONAL, "bot": PERSONAL, "service": PERSONAL}
NOBODY = "0190a000-0000-7000-8000-000000000000"


def token_of(stack, kind, roles=EVERYTHING):
    return stack.mint(kind, roles, kind=kind)


@pytest.mark.parametrize("kind", NEVER)
def test_a_caller_sees_only_what_is_effective(stack, kind):
    me = stack.api("GET", "/me", token=token_of(stack, kind)).json
    everything = set().union(*NEVER.values()) | {"app:write", "audit:read", "key:read", "release:write"}
    assert me["kind"] == kind and set(me["roles"]) == set(EVERYTHING)
    assert everything - set(me["scopes"]) == NEVER[kind]


@pytest.mark.parametrize("kind", ["ci", "bot", "service"])
def test_only_people_decide_what_is_stuck(stack, kind):
    body = {"as": "failed", "reason": "it looks fine"}
    answer = refused(stack.api("POST", f"/deployments/{NOBODY}/resolve", body, token=token_of(stack, kind)), 403, "forbidden")
    assert answer["scope"] == "deployment:resolve"
    assert answer["detail"] == ("This needs the scope deployment:resolve, which a caller of kind " + kind +
                                " never has, whatever its roles.")
    assert stack.api("POST", f"/deployments/{NOBODY}/resolve", body, token=token_of(stack, "user")).status == 404


def test_a_missing_role_is_still_said_as_such(stack):
    answer = stack.api("POST", f"/deployments/{NOBODY}/resolve", {"as": "failed", "reason": "x"}, token=token_of(stack, "user", ["viewer"]))
    assert refused(answer, 403, "forbidden")["detail"] == "This needs the scope deployment:resolve."


def test_the_database_refuses_once_more(stack, name):
    """As if the program had let it pass: 403, and nothing was done."""
    token = token_of(stack, "bot")
    stack.sql("INSERT INTO duty (kind, action, why) VALUES ('bot', 'app.put', 'a test says so')")
    try:
        before = heads(stack)
        refused(stack.api("PUT", f"/apps/{name}", {"image": IMAGE}, token=token), 403, "forbidden")
        assert stack.api("GET", f"/apps/{name}").status == 404
        assert heads(stack) == before
        assert stack.api("PUT", f"/apps/{name}", {"image": IMAGE}).status == 201
    finally:
        stack.sql("DELETE FROM duty WHERE why = 'a test says so'")
    assert stack.api("PUT", f"/apps/{name}", {"image": IMAGE, "description": "by a bot"}, token=token,
                     headers={"If-Match": "*"}).status == 200


# ---- database roles ----

def test_the_servers_of_every_suite_are_the_application(stack):
    users = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'sluiced%'"
    until(lambda: stack.sql(users) == "sluice_app", 10, what="whoever else ran a command has gone")


def blocks(heading):
    """(language, text) of the fenced blocks of a section of docs/operating.md."""
    text = (ROOT / "docs/operating.md").read_text().partition(f"\n### {heading}\n")[2]
    return re.findall(r"^```(\w+)\n(.*?)^```", re.split(r"\n##+ ", text)[0], re.M | re.S)


def set_up(stack, pg, folder, account=None):
    """The commands of "Database roles", what each said, and the environment that they ran in; `account`: another name than sluice."""
    sudo = folder / "sudo"
    sudo.write_text('#!/bin/sh\nexec env "$@"\n')
    sudo.chmod(0o755)
    env = {"PATH": f"{folder}:{stack.env['PATH']}", "PGHOST": pg.directory, "PGUSER": "postgres"}
    programs, done = {"sql": ["psql", "-Xq", "-v", "ON_ERROR_STOP=1"], "sh": ["bash", "-e"]}, []
    for language, text in blocks("Database roles"):
        if language in programs:
            text = re.sub(r"\bsluice\b", account or "sluice", text)
            done.append(subprocess.run(programs[language], input=text, env=env, capture_output=True, text=True))
            assert done[-1].returncode == 0, (text, done[-1].stderr)
    assert len(done) == 3 and "sluice_app" in done[1].stdout
    return env


def psql(env, role, sql, database="sluice", **more):
    said = subprocess.run(["psql", "-XAtq", "-c", sql, database], env={**env, "PGUSER": role}, capture_output=True, text=True, **more)
    return said.stdout.strip() or said.stderr.splitlines()[0]


def test_the_roles_are_set_up_as_documented(stack, tmp_path):
    with Cluster() as pg:
        env = set_up(stack, pg, tmp_path)
        actor = json.dumps({"kind": "user", "subject": "ann"})
        assert psql(env, "sluice_app", f"SELECT record_append('a', '{actor}', 'x', 'app.put', 'a', 'A.', '{{}}', NULL)") == "1"
        assert psql(env, "sluice_auditor", "SELECT count(*) FROM record") == "1"
        for role in ("sluice_app", "sluice_auditor"):
            assert psql(env, role, "DELETE FROM record") == "ERROR:  permission denied for table record"
        assert "is not permitted to log in" in psql(env, "sluice_owner", "SELECT 1")
        for role, line in (("sluice_app", "cannot become sluice_owner"),
                           ("sluice", "is sluice_owner or may become it, so that it could change the record: let servers log in as sluice_app")):
            said = subprocess.run([stack.program("sluiced"), "check"], capture_output=True, text=True,
                                  env={**env, "JWT_SECRET": "x" * 32, "DATABASE_URL": f"postgresql://{role}@/sluice"})
            assert said.returncode == 0 and f"\nowner: role {role} {line}\n" in said.stdout, said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another account")
def test_beside_its_postgresql_the_servers_account_is_never_the_owner(stack, tmp_path):
    """As on Debian, by peer authentication.  The account and its role are daemon here, because every machine has that account."""
    written = {language: re.sub(r"\bsluice\b", "daemon", text) for language, text in blocks("Database roles")}
    debian = "local all postgres trust\nlocal all all peer\n"
    with Cluster() as pg:
        os.chmod(pg.directory, 0o755)
        data = pathlib.Path(pg.directory) / "data"

        def reload(hba):
            (data / "pg_hba.conf").write_text(hba)
            was = pg.sql("SELECT pg_conf_load_time() FROM pg_reload_conf()")
            until(lambda: pg.sql("SELECT pg_conf_load_time()") != was, what="these are in effect")

        def as_server(role, sql="SELECT current_user", database="daemon"):
            return psql(env, role, sql, database, user="daemon", group="daemon", extra_groups=[], cwd="/")

        (data / "pg_ident.conf").write_text(written["ident"])
        reload(written["hba"] + debian)
        env = set_up(stack, pg, tmp_path, "daemon")
        for database in ("daemon", "postgres"):  # CREATEROLE reaches from any of them
            assert 'Peer authentication failed for user "daemon"' in as_server("daemon", database=database)
        assert as_server("sluice_app", "SELECT current_user, count(*) FROM app") == "sluice_app|0"
        assert as_server("sluice_app", "SET ROLE sluice_owner") == 'ERROR:  permission denied to set role "sluice_owner"'
        reload(debian)  # what these lines are for
        assert as_server("daemon", "SET ROLE sluice_owner; SELECT current_user") == "sluice_owner"


def test_a_server_without_the_owners_rights_needs_no_migration(stack):
    """serve --migrate as sluice_app: nothing is missing, so nothing is asked for."""
    url = stack.env["DATABASE_URL"].replace("//sluice:", "//sluice_app:")
    said = subprocess.run([stack.program("sluiced"), "migrate"], env={"DATABASE_URL": url}, capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "0 migrations applied\n"), said
    said = subprocess.run([stack.program("sluiced"), "migrate", "--roles"], env={"DATABASE_URL": url}, capture_output=True, text=True)
    assert said.returncode == 1 and "permission denied for function roles_setup" in said.stderr, said
