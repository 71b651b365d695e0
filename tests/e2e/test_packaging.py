"""The image, compose.yaml, the systemd unit and the Kubernetes manifests, without a container runtime.

The Dockerfile's last stage is performed into a folder: the files of the packages that it installs, and what `cmake --install`
puts there.  The server is started in that folder as in a container: as the image's user, the root read-only, no other program.
What a container runtime and systemd did with them, by hand: docs/operating.md, "Install".
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest
import yaml

from tests.support.pg import Cluster, binary
from tests.support.stack import call, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE_MB = 30


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


# ---- what the Dockerfile says ----

def dockerfile():
    """The stages, each a list of (instruction, rest)."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (ROOT / "docker/Dockerfile").read_text(), flags=re.M))
    stages = []
    for word, rest in re.findall(r"^([A-Z]+) (.*)$", text, re.M):
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, re.sub(r"\s+", " ", rest)))
    return stages


def packages(stage):
    return re.search(r"--no-install-recommends (.*?)( &&|$)", said(stage, "RUN"))[1].split()


def said(stage, instruction):
    return next(rest for word, rest in stage if word == instruction)


# ---- Debian's packages ----

def installed():
    """Package → what it depends on, and whether every Debian has it."""
    fields = "${Package}\t${Essential}\t${Priority}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    found, provided = {}, {}
    for line in run("dpkg-query", "--show", "--showformat", fields).splitlines():
        name, essential, priority, depends, provides = line.split("\t")
        wants = [[re.match(r"\s*([a-z0-9.+-]*)", one)[1] for one in group.split("|")] for group in depends.split(",")]
        found[name] = {"base": essential == "yes" or priority == "required" or name == "apt", "wants": [w for w in wants if w != [""]]}
        for one in provides.split(","):
            provided.setdefault(re.match(r"\s*([a-z0-9.+-]*)", one)[1], name)
    return found, provided


def closure(names):
    found, provided = installed()
    seen, todo = set(), list(names)
    while todo:
        name = todo.pop()
        name = name if name in found else provided.get(name)
        if name and name not in seen:
            seen.add(name)
            todo += [next((one for one in group if one in found or one in provided), "") for group in found[name]["wants"]]
    return seen


def base_packages():
    return closure(name for name, package in installed()[0].items() if package["base"])


def files_of(names):
    """What the packages hold; debian:12-slim leaves documents and translations out."""
    listed = {line for line in run("dpkg-query", "--listfiles", *sorted(names)).splitlines() if line.startswith("/")}
    return sorted(path for path in listed if not re.match(r"/usr/share/(doc|man|locale|info|lintian)/", path)
                  and (os.path.islink(path) or os.path.isfile(path)))


def size(paths):
    return sum(os.lstat(path).st_size for path in paths) / 1e6


# ---- the image, as a folder ----

@pytest.fixture(scope="module")
def stage():
    return dockerfile()[-1]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """What the last COPY brings."""
    out = tmp_path_factory.mktemp("out")
    words = re.search(r"cmake --install build (.*)", said(dockerfile()[-2][::-1], "RUN"))[1].split()
    run("cmake", "--install", ROOT / "build", *words, env={**os.environ, "DESTDIR": str(out)})
    return out


@pytest.fixture(scope="module")
def image(stage, ours):
    root = pathlib.Path(tempfile.mkdtemp(prefix="sluice-image-", dir="/var/tmp"))
    for link in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / link).mkdir(parents=True)
        (root / link).symlink_to("usr/" + link)
    for path in files_of(closure(packages(stage))):
        there = root / os.path.realpath(os.path.dirname(path))[1:] / os.path.basename(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, there, follow_symlinks=False)
    shutil.copytree(ours, root, dirs_exist_ok=True, symlinks=True)
    root.chmod(0o755)
    for folder in ("proc", "run/secrets", "run/database"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    yield root
    shutil.rmtree(root)


UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"])]


class Container:
    """Programs in the image as its user, the root read-only, without privileges to gain; by somebody who is not root, as
    whoever that is."""

    def __init__(self, root, user, mounts):
        self.root, self.user, self.mounts = root, user, mounts

    def command(self, *words):
        root = os.geteuid() == 0
        script = 'mount --bind "$0" "$0"; ' + "".join(f'mount --rbind {source} "$0"{there}; ' for source, there in self.mounts) + \
            'mount -o remount,bind,ro "$0"; exec "$@"'
        return [*UNSHARE, "sh", "-euc", script, str(self.root), "setpriv", "--no-new-privs",
                "chroot", *([f"--userspec={self.user}", "--groups="] if root else []), str(self.root), *words]

    def start(self, *words, **env):
        """With what Docker sets, and no more."""
        return subprocess.Popen(self.command(*words), env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env}, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def run(self, *words, **env):
        ran = self.start(*words, **env)
        return ran.communicate(timeout=60)[0], ran.returncode


def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    there = tmp_path_factory.mktemp("secrets")
    run(ROOT / "docker/secrets", there)
    before = {path.name: path.read_text() for path in there.iterdir()}
    run(ROOT / "docker/secrets", there)  # what is there stays
    assert before == {path.name: path.read_text() for path in there.iterdir()}
    return there


@pytest.fixture(scope="module")
def container(image, stage, secrets):
    """After the first start of compose's PostgreSQL, which is reached by a socket here."""
    if subprocess.run([*UNSHARE, "mount", "--bind", image, image], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("there are no mount namespaces here")
    with Cluster() as pg:
        os.chmod(pg.directory, 0o755)
        roles = (ROOT / "docker/roles.sql").read_text().replace("/run/secrets", str(secrets))
        run(binary("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", pg.url(), input=roles)
        assert pg.sql("SELECT count(*) FROM pg_authid WHERE rolname ~ '^sluice' AND rolpassword ~ '^SCRAM'") == ["3"]
        for name in ("migrate-url", "database-url"):
            (secrets / name).write_text((secrets / name).read_text().replace("@postgres/sluice", "@/sluice?host=/run/database"))
        names = compose()["secrets"]
        for name in names:
            (image / "run/secrets" / name).touch()
        yield Container(image, said(stage, "USER"), [("/proc", "/proc"), (pg.directory, "/run/database")] +
                        [(secrets / name, "/run/secrets/" + name) for name in names])


def test_the_image_is_small(stage, ours):
    program_files = [path for path in ours.rglob("*") if path.is_file()]
    mb = size(program_files) + size(files_of(closure(packages(stage)) - base_packages()))
    assert {path.name for path in program_files} >= {"sluiced", "sluice"}
    assert mb <= IMAGE_MB, f"{mb:.1f} MB"


def test_the_image_holds_every_library(stage, ours):
    linked = {name for path in (ours / "usr/bin").iterdir() for name in re.findall(r"NEEDED.*\[(.*?)\]", run("readelf", "--dynamic", path))}
    owners = {run("dpkg-query", "--search", "*/" + name).partition(":")[0] for name in linked}
    assert owners - {"libc6"} <= set(packages(stage))


def test_the_builder_installs_every_library_that_scripts_deps_does():
    known = re.search(r"run_packages=\(([^)]*)\)", (ROOT / "scripts/deps").read_text())[1].split()
    assert {name for name in known if name.endswith("-dev")} <= set(packages(dockerfile()[-2]))


def test_the_builder_is_given_all_that_it_needs(tmp_path):
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    for name in (line[1:] for line in lines if line.startswith("!")):
        (tmp_path / name).symlink_to(ROOT / name)
    run("cmake", "--preset", "release", cwd=tmp_path)
    targets = re.search(r"--target (.*?) &&", said(dockerfile()[-2][::-1], "RUN"))[1].split()
    run("ninja", "-C", tmp_path / "build", "-n", *targets)


def test_compose_starts_it_as_nobody_in_a_read_only_root(container):
    services, port = compose()["services"], free_port()
    settings = services["sluice"]["environment"] | {"PORT": str(port)}
    said_by, status = container.run("sluiced", *services["migrate"]["command"], **services["migrate"]["environment"])
    assert status == 0, said_by
    server = container.start("sluiced", **settings)
    try:
        here = {"SLUICE_URL": f"http://127.0.0.1:{port}"}
        until(lambda: container.run(*services["sluice"]["healthcheck"]["test"][1:], **here) == ("ready\n", 0), what="its health check passes")
        assert container.run(*json.loads(said(dockerfile()[-1], "HEALTHCHECK").partition("CMD ")[2]), **here) == ("healthy\n", 0)
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        if os.geteuid() == 0:
            assert re.search(r"^Uid:\s+65532\s+65532\s+65532\s+65532$", status, re.M)
            assert re.search(r"^CapEff:\s+0+$", status, re.M)
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
        token, status = container.run("sluiced", "token", "--sub", "alice", "--role", "admin", **settings)
        assert status == 0, token
        assert call("GET", here["SLUICE_URL"] + "/api/v1/me", token=token.strip())["subject"] == "alice"
        written, status = container.run("sluiced", "checkpoint-key", "--new", "/usr/key", **settings)
        assert status != 0 and "Read-only" in written
    finally:
        server.terminate()
        log = server.communicate(timeout=30)[0]
    assert server.returncode == 0, log


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# ---- names: settings, files, Secrets ----

def settings():
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/settings.md").read_text(), re.M)
    return {name + end for name in rows for end in ("", "_FILE")}


def test_compose_names_what_there_is():
    file = compose()
    for name, service in file["services"].items():
        if service["image"] == "sluice":
            assert set(service["environment"]) <= settings(), name
            assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
        given = {"/run/secrets/" + secret for secret in service["secrets"]}
        used = {value for key, value in service["environment"].items() if key.endswith("_FILE")}
        assert used <= given and set(service["secrets"]) <= set(file["secrets"]), name
        assert name == "postgres" or given == used
        for volume in service.get("volumes", ()):
            assert not volume.startswith("./docker") or (ROOT / volume.partition(":")[0]).exists()


def test_compose_keeps_each_secret_that_the_script_makes(secrets):
    file = compose()["secrets"]
    assert {name: f"./secrets/{name}" for name in file} == {name: secret["file"] for name, secret in file.items()}
    assert set(file) == {path.name for path in secrets.iterdir()}
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_containers_read_what_a_private_clone_holds(tmp_path):
    """Whatever its umask was: other users than the clone's run there."""
    (tmp_path / "docker").mkdir(mode=0o700)
    for name in ("secrets", "roles.sql"):
        shutil.copyfile(ROOT / "docker" / name, tmp_path / "docker" / name)
        (tmp_path / "docker" / name).chmod(0o700 if name == "secrets" else 0o600)
    for _ in range(2):
        run(tmp_path / "docker/secrets", umask=0o077)
    for service in compose()["services"].values():
        for source in (volume.partition(":")[0] for volume in service.get("volumes", ()) if volume.startswith("./")):
            assert (tmp_path / source).stat().st_mode & 0o777 == (0o755 if (tmp_path / source).is_dir() else 0o644), source
    for secret in compose()["secrets"].values():
        assert (tmp_path / secret["file"]).stat().st_mode & 0o777 == 0o644, secret
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert "/clusters/" in (ROOT / ".gitignore").read_text().splitlines()


# ---- systemd ----

@pytest.fixture(scope="module")
def unit(tmp_path_factory):
    """The unit with this build's program, where systemd can look at it."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    file = tmp_path_factory.mktemp("unit") / "sluice.service"
    file.write_text((ROOT / "packaging/sluice.service").read_text().replace("ExecStart=sluiced", f"ExecStart={ROOT}/build/bin/sluiced"))
    return file


def test_systemd_understands_the_unit(unit):
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    run("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit)


def test_the_unit_names_settings_and_its_own_credentials():
    text = (ROOT / "packaging/sluice.service").read_text()
    assigned = dict(re.findall(r"([A-Z_]+)=(\S+)", " ".join(re.findall(r"^Environment=(.*)$", text, re.M))))
    credentials = set(re.findall(r"^LoadCredential=([a-z-]+):", text, re.M))
    assert set(assigned) <= settings()
    assert {value[3:] for value in assigned.values() if value.startswith("%d/")} == credentials


def test_the_unit_never_gives_up():
    """Otherwise five quick failures, of a schema that is migrated later or a database that is away, end it for good."""
    sections = re.split(r"^\[(\w+)\]\n", (ROOT / "packaging/sluice.service").read_text(), flags=re.M)[1:]
    lines = {name: text.splitlines() for name, text in zip(sections[::2], sections[1::2])}
    assert "StartLimitIntervalSec=0" in lines["Unit"] and "Restart=always" in lines["Service"]


# ---- Kubernetes ----

def manifests():
    folder = ROOT / "packaging/kubernetes"
    names = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert {*names, "kustomization.yaml"} == {path.name for path in folder.iterdir()}
    return {(doc["kind"], doc["metadata"]["name"]): doc for name in names for doc in yaml.safe_load_all((folder / name).read_text())}


@pytest.mark.parametrize("what", [("Deployment", "sluice"), ("Job", "sluice-migrate")])
def test_pods_are_restricted_and_name_what_there_is(what):
    there, stage = manifests(), dockerfile()[-1]
    pod = there[what]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    user = int(said(stage, "USER").partition(":")[0])
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"] == {"runAsNonRoot": True, "runAsUser": user, "runAsGroup": user, "fsGroup": user,
                                      "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    named = {entry["name"]: entry["value"] for entry in container["env"]}
    for source in container.get("envFrom", ()):
        named |= there["ConfigMap", source["configMapRef"]["name"]]["data"]
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(named) <= settings()
    assert all(any(value == mount or value.startswith(mount + "/") for mount in mounts) for value in named.values() if value.startswith("/"))
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_probes_and_services_lead_to_the_server():
    there, stage = manifests(), dockerfile()[-1]
    server = there["Deployment", "sluice"]["spec"]
    container = server["template"]["spec"]["containers"][0]
    routes = {route["path"] for route in json.loads(run(ROOT / "build/bin/sluiced", "dump-routes"))}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in routes and container[probe]["httpGet"]["port"] == container["ports"][0]["name"]
    assert container["ports"][0]["containerPort"] == int(said(stage, "EXPOSE"))
    assert container["livenessProbe"]["httpGet"]["path"] == "/api/health"  # whoever has no database is not killed for it
    for name in ("sluice", "sluice-flags"):
        service = there["Service", name]["spec"]
        assert service["selector"] == server["selector"]["matchLabels"] == server["template"]["metadata"]["labels"]
        assert service.get("publishNotReadyAddresses", False) == (name == "sluice-flags")
    assert there["PodDisruptionBudget", "sluice"]["spec"]["minAvailable"] < server["replicas"]
    assert there["NetworkPolicy", "sluice"]["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": int(said(stage, "EXPOSE"))}]
