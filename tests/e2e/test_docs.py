"""What the documents say is true: their commands run, print what is shown, and their tables are the program's."""

import json
import re
import subprocess

import pytest
import yaml

from tests.support.docs import ROOT, Clone, blocks_of, kubectl, steady

RUN = ["README.md", "docs/getting-started.md", "docs/tutorial.md"]


@pytest.mark.parametrize("name", RUN)
def test_commands_run_and_print_what_is_shown(name):
    blocks = blocks_of(ROOT / name)
    assert len(blocks) >= 3
    if name == "docs/tutorial.md" and not kubectl():
        pytest.skip("there is no kubectl")
    with Clone(ROOT / name) as clone:
        outputs = clone.run(blocks)
    for block, output in zip(blocks, outputs):
        if block["output"] is not None and not block["varies"]:
            assert steady(output) == steady(block["output"]), block["script"]


def dump(what):
    return json.loads(subprocess.run([ROOT / "build/bin/sluiced", what], check=True, capture_output=True).stdout)


def table(name, heading):
    """The rows under a heading, cells without their backquotes."""
    text = (ROOT / name).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize("heading, name", [
    ("Steps of blue-green", "blue-green"), ("What undo does", "undo"), ("Rollback", "rollback"),
    ("Traffic by hand", "traffic"), ("Clean-up", "clean-up")])
def test_steps_are_the_programs(heading, name):
    assert [(row[0], row[1]) for row in table("docs/deployments.md", heading)] == \
        [(step["name"], step["title"]) for step in dump("dump-steps")[name]]


def test_transitions_are_the_programs():
    assert [tuple(row[:4]) for row in table("docs/deployments.md", "Transitions")] == \
        [(row["from"] or "", row["event"], row["to"], row["title"]) for row in dump("dump-states")]


def test_every_state_is_explained():
    listed = re.search(r"DeploymentState: \{ enum: \[([^]]*)\]", (ROOT / "openapi/openapi.yaml").read_text())[1]
    assert [row[0] for row in table("docs/deployments.md", "States")] == listed.split(", ")


def test_every_failure_code_is_explained():
    listed = re.search(r"code: \{ enum: \[(image-pull[^]]*)\]", (ROOT / "openapi/openapi.yaml").read_text())[1]
    assert [row[0] for row in table("docs/deployments.md", "Failure codes")] == listed.split(", ")


def test_threats_name_tests_that_exist():
    named = set(re.findall(r"`((?:test_)?[a-z0-9_]+?(?:__[a-z0-9_]+)?)`", (ROOT / "SECURITY.md").read_text()))
    named = {name for name in named if name.startswith("test_") or "__" in name}
    there = "".join(path.read_text() for kind in ("*.c", "test_*.py") for path in (ROOT / "tests").rglob(kind))
    assert len(named) > 50
    assert not [name for name in named if f"START_TEST({name})" not in there and f"def {name}(" not in there]


def test_runbook_names_what_is_there():
    said = re.findall(r"`([^`\n]*)`", (ROOT / "docs/runbook.md").read_text())
    commands = {text.removeprefix("sluice ").partition(" --")[0] for text in said if text.startswith("sluice ")}
    listed = subprocess.run([ROOT / "build/bin/sluice", "--help"], check=True, capture_output=True, text=True).stdout
    assert len(commands) > 20
    assert not [command for command in commands if not re.search(rf"^  {re.escape(command)}( [A-Z[]|  )", listed, re.M)]
    calls = {tuple(text.split(" ")) for text in said if re.match("(GET|PUT|POST|DELETE) /", text)}
    routes = {(route["method"], route["path"].removeprefix("/api/v1")) for route in dump("dump-routes")}
    assert sorted(calls - routes) == []


def test_api_says_what_takes_an_idempotency_key():
    paths = yaml.safe_load((ROOT / "openapi/openapi.yaml").read_text())["paths"]
    takes = {operation["operationId"] for path in paths.values() for operation in path.values()
             if isinstance(operation, dict) and "IdempotencyMismatch" in str(operation["responses"].get("422"))}
    listed = re.search(r"A `POST` that creates \((.*?)\)", (ROOT / "docs/api.md").read_text(), re.S)[1]
    assert set(re.findall(r"`(\w+)`", listed)) == takes


def test_contributing_says_how_much_there_is_to_read():
    rows = table("CONTRIBUTING.md", "Read first")
    said = 0
    for what, words, _ in rows:
        files = re.findall(r"\]\(([^)]*)\)", what) or ["CONTRIBUTING.md"]
        there = sum(len((ROOT / file).read_text().split()) for file in files)
        said += int(words.replace(",", ""))
        assert abs(int(words.replace(",", "")) - there) <= 300, (what, there)
    assert f", {said:,} words:" in (ROOT / "CONTRIBUTING.md").read_text()


def test_debian_packages_are_explained():
    packages = re.findall(r"(?:run|test|bench)_packages=\(([^)]*)\)", (ROOT / "scripts/deps").read_text())
    explained = set(re.findall(r"`([a-z0-9.+-]+)`", (ROOT / "README.md").read_text().partition("## What it needs")[2].partition("\n## ")[0]))
    assert set(" ".join(packages).split()) <= explained


DOCUMENTS = sorted(str(p.relative_to(ROOT)) for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def anchors_of(file):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", file.read_text(), flags=re.M | re.S), re.M)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)).lower().replace(" ", "-") for heading in headings]
    return {name if plain.index(name) == i else f"{name}-{plain[:i].count(name)}" for i, name in enumerate(plain)}


@pytest.mark.parametrize("path", DOCUMENTS)
def test_links_lead_somewhere(path):
    file = ROOT / path
    text = re.sub(r"```.*?```|`[^`\n]*`", "", file.read_text(), flags=re.S)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        there = file.parent / target if target else file
        assert there.exists(), target
        assert not anchor or anchor in anchors_of(there), f"{target}#{anchor}"


def test_readme_leads_to_every_document():
    linked = set(re.findall(r"\]\(([^)#]*)", (ROOT / "README.md").read_text()))
    assert {str(path.relative_to(ROOT)) for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]} - {"README.md"} <= linked


def names_elsewhere():
    """What the command line, the stack and the tests read from the environment."""
    files = [*(ROOT / "scripts").iterdir(), *(ROOT / "cli").iterdir(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "tests").rglob("*.[ch]"),
             ROOT / "cmake/SluiceCompiler.cmake"]
    return {name for file in files for name in re.findall(r"\bSLUICE_[A-Z_]+\b", file.read_text(errors="replace"))}


@pytest.mark.parametrize("path", DOCUMENTS)
def test_settings_commands_and_paths_exist(path):
    """Names in documents' code are the program's: settings, `sluice` commands, files of the tree."""
    text = (ROOT / path).read_text()
    code = "\n".join(re.findall(r"^```(?:sh|console)?[^\n]*\n(.*?)^```", text, re.M | re.S) + re.findall(r"`([^`\n]+)`", text))
    settings = set(re.findall(r'\{"([A-Z_]+)", SETTING', (ROOT / "server/config/settings.c").read_text()))
    named = set(re.findall(r"\bSLUICE_[A-Z_]+[A-Z]\b(?!_|…)", code))
    assert named <= settings | {name + "_FILE" for name in settings} | names_elsewhere()
    listed = subprocess.run([ROOT / "build/bin/sluice", "--help"], check=True, capture_output=True, text=True).stdout
    commands = set(re.findall(r"^  ([a-z]+(?:-[a-z]+)*(?: [a-z]+(?:-[a-z]+)*)?)(?= \S|  )", listed, re.M))
    firsts = {command.split()[0] for command in commands}
    assert not [word for word in re.findall(r"(?:^|[|(] ?|&& |do )sluice ([a-z][a-z-]+)", code, re.M) if word not in firsts | {"help"}]
    for file in re.findall(r"(?<![\w/.{$-])(?:\./)?((?:scripts|docker|packaging|docs|server|tests|handlers|migrations)/[\w./-]*\w)", code):
        assert "TARGET" in file or list(ROOT.glob(file + "*")), file
