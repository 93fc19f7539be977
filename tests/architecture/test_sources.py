"""Rules about our own files that no linter knows: size, purity, who reads the environment, names."""

from __future__ import annotations

import statistics

from tests.architecture.sources import ROOT, Source, sources

OURS = ("gateway", "workers")
ALL = ("gateway", "workers", "tests", "bench", "config")

FILE_LINES_MAX = 500
FILE_LINES_MEDIAN_MAX = 120
FUNCTION_LINES_MAX = 60

#: What pure code may not touch: I/O, the clock, chance, the process.
IMPURE = {
    "asyncio",
    "flask",
    "gevent",
    "httptools",
    "logging",
    "os",
    "psycopg2",
    "random",
    "redis",
    "secrets",
    "select",
    "socket",
    "subprocess",
    "threading",
    "time",
    "uuid",
}
#: Files of a channel that are pure as the domain is.
PURE_FILES = ("verify", "parse", "render")

#: Who reads the environment, and why.
READS_ENVIRONMENT = {
    "gateway/cli/": "a command is where the environment enters",
    "gateway/settings/load.py": "what is not handed to it is this process's own",
    "gateway/wsgi.py": "gunicorn's entry point",
    "workers/__main__.py": "the worker's entry point",
    "workers/processes/__main__.py": "the entry point of the workers' parent",
    "gateway/demo/": "stands alone: it is a program of its own",
}

FORBIDDEN_NAMES = {"util", "utils", "common", "helper", "helpers", "manager", "misc"}


def test_files_are_small() -> None:
    """No file is over 500 lines, and half of the product's are at most 120."""
    large = {source.name: lines(source) for source in sources(*ALL) if lines(source) > FILE_LINES_MAX}
    assert large == {}
    assert statistics.median(lines(source) for source in sources(*OURS)) <= FILE_LINES_MEDIAN_MAX


def test_functions_are_short() -> None:
    """No function is over 60 lines."""
    long = [
        f"{source.name}:{function.line} {function.name}"
        for source in sources(*ALL)
        for function in source.functions
        if function.lines > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_the_domain_is_pure() -> None:
    """Time, randomness and bytes are arguments: the domain imports nothing that has its own."""
    assert impure(source for source in sources("gateway/domain")) == []


def test_channels_verify_parse_and_render_are_pure() -> None:
    """What decides about a payload can be run on bytes alone."""
    channel_files = [
        source
        for source in sources("gateway/channels")
        if any(part.removesuffix(".py") in PURE_FILES for part in source.name.split("/"))
    ]
    assert channel_files
    assert impure(channel_files) == []


def test_only_entry_points_read_the_environment() -> None:
    """Configuration is one value, read once: what a component needs, it is handed."""
    readers = [
        source.name
        for source in sources(*OURS)
        if not source.name.startswith(tuple(READS_ENVIRONMENT)) and source.reads_environment
    ]
    assert readers == []


def test_the_starter_is_free_of_gevent() -> None:
    """Children die with the thread that started them; in a patched process nobody knows which one that is."""
    for source in sources("gateway/embedded"):
        assert not {name for name in source.imports if name.partition(".")[0] == "gevent"}, source.name


def test_names_say_a_role() -> None:
    """A file is named for what it does, not for being useful."""
    found = [s.name for s in sources(*ALL) if s.name.split("/")[-1].removesuffix(".py") in FORBIDDEN_NAMES]
    assert found == []


def test_every_module_says_what_it_is() -> None:
    """A module of the product begins with its docstring."""
    assert [source.name for source in sources(*OURS) if not source.documented] == []


def test_nothing_is_left_for_later() -> None:
    """No marker of unfinished work, in any file of ours."""
    markers = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    left = [source.name for source in sources(*ALL) for marker in markers if marker in source.text]
    assert left == []


def test_no_stage_of_tests_patches_our_code() -> None:
    """Fakes are products: a test that patches ours tests something nobody runs."""
    patching = [
        source.name
        for source in sources("tests")
        if {"unittest.mock", "mock"} & source.imports or "monkeypatch.setattr" + "(" in source.text
    ]
    assert patching == []


def test_the_product_is_where_it_should_be() -> None:
    """These rules look at something: the packages exist."""
    assert all((ROOT / folder).is_dir() for folder in OURS)


def lines(source: Source) -> int:
    return source.text.count("\n")


def impure(files: object) -> list[str]:
    return [
        f"{source.name} imports {name}"
        for source in files  # type: ignore[attr-defined]
        for name in sorted(source.imports)
        if name.partition(".")[0] in IMPURE
    ]
