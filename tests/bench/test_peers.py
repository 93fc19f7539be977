"""What contestants are made of: pinned, hashed, without addresses; nothing of it in the product's environment."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from bench import needs, versions
from bench.contestants import CONTESTANTS
from bench.lines import LINES
from bench.needs import NEEDS, PEERS


@pytest.mark.parametrize("name", ["node", "bullmq", "chat_sdk"])
def test_npm_packages_are_pinned_by_hash_and_without_a_place(name: str) -> None:
    """Where packages come from is the machine's business."""
    lock = json.loads((PEERS / name / "package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert len(packages) > 10
    assert [path for path, package in packages.items() if "resolved" in package] == []
    assert [path for path, package in packages.items() if not package.get("integrity")] == []
    asked = json.loads((PEERS / name / "package.json").read_text())["dependencies"]
    assert {each: packages[f"node_modules/{each}"]["version"] for each in asked} == asked


@pytest.mark.parametrize("name", ["falcon", "fastapi", "go", "bolt_flask", "bolt_async", "uvloop", "locust"])
def test_packages_of_pypi_are_pinned_by_hash_and_without_a_place(name: str) -> None:
    """As the product's own lock files are."""
    text = (PEERS / name / "requirements.txt").read_text()
    pins = re.findall(r"^\S.*", text, re.MULTILINE)
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)? \\", pin)] == []
    assert text.count("--hash=sha256:") >= len(pins)
    assert not re.search(r"://|^\s*-(?!-hash=)|\bfile:| @ ", text, re.MULTILINE)


def test_modules_of_go_are_pinned_by_hash() -> None:
    """Each that go.mod names, with what it is made of and with its own go.mod."""
    modules = re.findall(r"(\S+\.\S+/\S+) (v\S+)", (PEERS / "go" / "go.mod").read_text())
    assert len(modules) > 3
    sums = dict(line.rsplit(" ", 1) for line in (PEERS / "go" / "go.sum").read_text().splitlines())
    for module, version in modules:
        assert sums[f"{module} {version}"].startswith("h1:")
        assert sums[f"{module} {version}/go.mod"].startswith("h1:")


@pytest.mark.parametrize("name", ["plug", "phoenix"])
def test_packages_of_hex_are_pinned(name: str) -> None:
    """To the last digit; a bare version is exactly that one."""
    text = (PEERS / name / "mix.exs").read_text()
    packages = text[text.index("@packages [") : text.index("]")]
    versions = re.findall(r'^    \w+: "(.+)",?$', packages, re.MULTILINE)
    assert len(versions) > 10
    assert [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_packages_of_clojure_are_pinned() -> None:
    """To the last digit."""
    text = (PEERS / "aleph" / "deps.edn").read_text()
    versions = re.findall(r'{:mvn/version "(.+?)"}', text)
    assert len(versions) == len(re.findall(r"\w/\w", text)) - text.count(":mvn/version")
    assert [version for version in versions if not re.fullmatch(r"[\d.]+", version)] == []


def test_another_source_is_another_program(tmp_path: Path) -> None:
    """And what a build leaves beside the sources is none of them."""
    (tmp_path / "app" / "lib").mkdir(parents=True)
    source = tmp_path / "app" / "lib" / "router.ex"
    source.write_text("one")
    before = needs.built("app", tmp_path)
    (tmp_path / "app" / "_build").mkdir()
    (tmp_path / "app" / "_build" / "router.ex").write_text("one, built")
    assert needs.built("app", tmp_path) == before
    source.write_text("two")
    assert needs.built("app", tmp_path) != before


def test_what_is_too_old_is_not_there() -> None:
    """A distribution's may be; what the proof needs stands in its environment."""
    old = needs.Need("tool", "sh", ("true",), proof=("sh", "-c", 'test "$AGE" = new'), env={"AGE": "old"})
    assert not old.there
    assert msgspec.structs.replace(old, env={"AGE": "new"}).there
    assert old.command == "AGE=old true"


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution's programs, which write down how they were called; its tool is 1.14."""
    calls = tmp_path / "calls"
    for name in ("apt-get", "apt-cache"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $1" >> {calls}\necho "  Candidate: $CANDIDATE"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return calls


def a_tool(candidate: str, sign: str = "a-tool-of-the-test") -> needs.Need:
    """Return a need for a tool of a distribution that has *candidate*, which anybody may install here."""
    return needs.Need(
        f"tool 1.15, not {candidate}", sign, ("apt-get", "install", candidate),
        env={"CANDIDATE": candidate}, proof=("sh", "-c", "echo 1.14.0; exit 1"), package=("tool", "1.15"),
        else_see="see the paper",
    )  # fmt: skip


@pytest.mark.parametrize("candidate", ["1.14.0.dfsg-2", "1:1.9.1+really-1", "0.20"])
def test_what_is_too_old_is_not_installed(apt: Path, candidate: str) -> None:
    """It could not help, and would stay; said is which one it is and what would help."""
    assert a_tool(candidate).install() == f"(apt has {candidate}): see the paper"
    assert a_tool(candidate, "sh").install() == f"(1.14.0 is here, apt has {candidate}): see the paper"
    assert "apt-get install" not in apt.read_text()


@pytest.mark.parametrize("candidate", ["1.15.0-1", "2:1.18.4.dfsg-1", "(none)"])
def test_what_may_help_is_installed(
    apt: Path, candidate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a command that is told before; also what nobody knows the version of: apt says best what it lacks."""
    need = a_tool(candidate)
    assert need.install().startswith("(status 0: Candidate: ")
    assert apt.read_text().split("\n")[-2] == "apt-get install"
    assert f"installing {need.name}: CANDIDATE={candidate} apt-get install {candidate} ..." in capsys.readouterr().err


def test_what_could_not_be_installed_is_not_tried_again(tmp_path: Path) -> None:
    """Two contestants may need it; each is told the reason."""
    script = f"echo once >> {tmp_path}/tries; echo broken at {needs.ROOT}/here by https://packages.example/x; exit 3"
    need = needs.Need("tool", str(tmp_path / "none"), ("sh", "-c", script), else_see="see the paper")
    told = [needs.missing(["tool"], {"tool": need}) for _ in range(2)]
    assert told[0].startswith("tool is missing (status 3: broken at here by ...): sh -c ")
    assert told[0].endswith("; see the paper")
    assert told[1] == told[0]
    assert (tmp_path / "tries").read_text() == "once\n"


def test_commands_for_a_person_name_no_place_of_this_machine() -> None:
    """They are on a page that others see, and can be pasted as they are."""
    assert [need.name for need in NEEDS.values() if str(needs.ROOT) in need.command] == []
    assert NEEDS["aleph"].command.startswith("cd bench/peers/aleph && sh build.sh ../../../.bench/aleph-")


def test_debians_clojure_is_told_from_clojures_tool(tmp_path: Path) -> None:
    """That one takes an option for a file, and says where it has written down that there is none."""
    (tmp_path / "clojure").write_text("#!/bin/sh\necho Full report at: >&2\necho /tmp/clojure-1.edn >&2\nexit 1\n")
    (tmp_path / "clojure").chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    argv = ["sh", "build.sh", str(tmp_path / "built")]
    done = subprocess.run(argv, cwd=PEERS / "aleph", env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "Clojure's command line tool is missing; Debian's clojure is another program\n"


def test_packages_of_earlier_pins_are_not_there(tmp_path: Path) -> None:
    """They are taken away and installed anew: otherwise a run would be by versions that nobody has pinned."""
    folder, pins = tmp_path / "installed", tmp_path / "requirements.txt"
    argv = ("sh", "-c", f"mkdir -p {folder}/a_tool-2.0.dist-info && echo 'Name: A.Tool\nVersion: 2.0' > $0")
    need = needs.Need("tool", str(folder / "a_tool-2.0.dist-info"), (*argv, f"{folder}/a_tool-2.0.dist-info/METADATA"))
    need = msgspec.structs.replace(need, pins=(pins, folder))
    pins.write_text("a-tool==2.0 \\\n    --hash=sha256:0\n")
    assert need.install() == ""
    (folder / "old").touch()
    assert need.there
    pins.write_text("a-tool==2.1 \\\n    --hash=sha256:1\n")
    assert not need.there
    assert need.install().startswith("(status 0: ")
    assert not (folder / "old").exists()


def test_npm_packages_of_an_earlier_lock_are_not_there(tmp_path: Path) -> None:
    """What is optional may be missing."""

    def lock(path: Path, **versions: str) -> None:
        packages = {f"node_modules/{name}": {"version": version} for name, version in versions.items()}
        path.write_text(json.dumps({"packages": {"": {"name": "tool"}, **packages}}))

    wanted = tmp_path / "package-lock.json"
    lock(wanted, pg="8.1.0", helper="1.0.0")
    lock(tmp_path / ".package-lock.json", pg="8.1.0")
    assert needs.as_pinned(wanted, tmp_path)
    lock(tmp_path / ".package-lock.json", pg="8.0.0")
    assert not needs.as_pinned(wanted, tmp_path)


def test_who_is_here_tells_its_versions() -> None:
    """The product's own Python packages are, whatever else is."""
    told = CONTESTANTS["flask_gevent"].version()
    assert re.fullmatch(r"Python 3\.\d+\.\d+, flask \S+, gunicorn \S+, gevent \S+", told)


def test_who_is_not_here_has_no_version(tmp_path: Path) -> None:
    """And that is no reason to lose a run."""
    assert versions.node(("fastify",), tmp_path)() == ""
    assert versions.go(tmp_path / "go", tmp_path / "program", ("pgx",))() == ""
    assert versions.elixir(tmp_path, ("bandit",))() == ""
    assert versions.clojure(tmp_path / "deps.edn", ("aleph",))() == ""


def test_peers_are_not_in_the_product() -> None:
    """A benchmark installs nothing beside what is shipped."""
    assert importlib.util.find_spec("falcon") is None
    assert importlib.util.find_spec("fastapi") is None


def test_lines_name_contestants_that_exist() -> None:
    """And contestants name needs that exist; whom a promise is held against takes part."""
    for line in LINES.values():
        assert set(line.contestants) <= set(CONTESTANTS)
        assert {line.ours, *(p.to for p in line.promises if p.to)} <= set(line.contestants)
    assert all(set(each.needs) <= set(NEEDS) for each in CONTESTANTS.values())
