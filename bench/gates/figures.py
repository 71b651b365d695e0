"""What asking the gate costs: ./scripts/bench gates

10,000 releases with full checklists (21 facts each) and three approvals each in one environment: `GET …/blockers` over HTTP,
and the facts' query with its evaluation, as a cut-over asks (sluice-gates).  Prints a table and, last, one line of JSON;
exits 1 when a goal is missed.
"""
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.api.conftest import environment_body  # noqa: E402
from tests.support.stack import IMAGE, Stack  # noqa: E402

RELEASES, CALLS = 10_000, 2_000
GOALS = {"blockers": 10_000, "cut-over": 5_000}  # p99, µs
ROLES = ("engineering", "qa", "product")
GATES = {"checklist": {"before": "before-deployment", "after": "after-deployment"}, "evidence_max_age_s": 86400,
         "approvals": [{"role": role, "count": 1} for role in ROLES], "acceptance": [{"role": "final", "count": 1}]}

FILL = f"""
INSERT INTO release (id, app, version, version_key, precedence, image, content_digest, created_by)
SELECT gen_random_uuid(), 'inopnc', 'v1.0.' || n, '1.0.' || n, n::text::bytea, 'i', encode(sha256(n::text::bytea), 'hex'),
       '{{"kind": "ci", "subject": "ci", "issuer": "sluice"}}'
FROM generate_series(1, {RELEASES}) n;
INSERT INTO checklist (id, kind, environment_id, release_id, template, version)
SELECT gen_random_uuid(), 'before', e.id, r.id, 'before-deployment', 1 FROM environment e, release r;
INSERT INTO item_fact (id, kind, release_id, environment_id, item, state, evidence, source, url, summary, note, person,
                       content_digest, observed_at, by)
SELECT gen_random_uuid(), 'before', r.id, e.id, i ->> 'key', 'passed', i ->> 'kind' = 'evidence', 'ci',
       'https://github.com/your-org/inopnc/actions/runs/7', '0 errors, 3 warnings', 'looked at it', 'ann', r.content_digest,
       clock_timestamp(), '{{"kind": "user", "subject": "ann", "issuer": "sluice"}}'
FROM environment e, release r, checklist_template t, jsonb_array_elements(t.groups) g, jsonb_array_elements(g -> 'items') i
WHERE t.name = 'before-deployment'
ORDER BY r.id; -- what is said of a release is said within days, and lies together
INSERT INTO signoff (id, release_id, environment_id, role, decision, by, content_digest, checklist)
SELECT gen_random_uuid(), r.id, e.id, role, 'approve',
       jsonb_build_object('kind', 'user', 'subject', role, 'issuer', 'sluice'), r.content_digest, 'before-deployment@1'
FROM environment e, release r, unnest('{{{",".join(ROLES)}}}'::text[]) role;
INSERT INTO flag_head (app, revision) VALUES ('inopnc', 200);
INSERT INTO flag (app, name, spec, revision)
SELECT 'inopnc', 'flag-' || n, '{{"type": "release", "stale_after": "2099-01-01T00:00:00.000Z"}}', n FROM generate_series(1, 200) n;
INSERT INTO flag_environment (environment_id, app, flag, enabled, revision) SELECT e.id, f.app, f.name, true, f.revision FROM environment e, flag f;
INSERT INTO gate_state (environment_id, release_id, open) SELECT e.id, r.id, true FROM environment e, release r;
"""


def blockers(stack):
    """µs of each call, sorted."""
    times = []
    for i in range(-20, CALLS):
        began = time.perf_counter()
        answer = stack.api("GET", f"/apps/inopnc/environments/production/blockers?version=v1.0.{1 + (i + 20) * 7919 % RELEASES}")
        if i >= 0:
            times.append((time.perf_counter() - began) * 1e6)
        assert answer.status == 200 and answer["open"] is True, answer
    return sorted(times)


def main():
    with Stack() as stack:
        assert stack.api("PUT", "/apps/inopnc", {"image": IMAGE}).status == 201
        assert stack.api("PUT", "/apps/inopnc/environments/production", environment_body("inopnc")).status == 201
        assert stack.api("PUT", "/apps/inopnc/environments/production/gates", GATES).status == 201
        stack.sql(FILL)
        stack.sql("VACUUM ANALYZE")  # as autovacuum has done where 10,000 releases have come
        times = blockers(stack)
        place = stack.sql("SELECT id FROM environment")
        said = subprocess.run([ROOT / "build/bin/sluice-gates", place, str(RELEASES)], check=True, capture_output=True,
                              env={**os.environ, "DATABASE_URL": stack.env["DATABASE_URL"]})
    cut_over = json.loads(said.stdout)
    figures = {"blockers": {"n": CALLS, "p50_us": round(times[CALLS // 2]), "p99_us": round(times[CALLS * 99 // 100])},
               "cut-over": cut_over}
    for name, figure in figures.items():
        print(f"| {name}, {RELEASES:,} releases | p99 ≤ {GOALS[name] / 1000:.0f} ms | {figure['n']:,} |"
              f" {figure['p50_us'] / 1000:.2f} ms | {figure['p99_us'] / 1000:.2f} ms |")
    print(json.dumps(figures))
    sys.exit(any(figure["p99_us"] > GOALS[name] for name, figure in figures.items()))


main()
