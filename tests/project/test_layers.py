"""The picture of the layers, held against every import of the package."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "middleware" / "troth"

LEAVES = frozenset({"_native", "_types", "_codes", "errors", "diagnostics", "home", "manual"})
WORDS = LEAVES | {"model", "plan"}
SIBLINGS = frozenset({"consent", "rules", "engines", "filters", "audit"})
CORE = WORDS | SIBLINGS | {"runtime"}

# part: what it may import besides itself
MAY_IMPORT: dict[str, frozenset[str]] = {
    **dict.fromkeys(LEAVES, LEAVES),
    "model": LEAVES,
    "plan": LEAVES | {"model"},
    **dict.fromkeys(SIBLINGS, WORDS),
    "runtime": WORDS | SIBLINGS,
    "asgi": CORE,
    "troth": CORE | {"asgi"},
    "cases": CORE | {"asgi"},
    "cli": CORE | {"asgi", "cases", "troth"},
    "review": WORDS | SIBLINGS | {"cases"},
    "testing": CORE | {"asgi", "cases", "troth"},
}

# third-party module: where alone it may be imported (a file, or a folder)
ONLY_IN: dict[str, tuple[str, ...]] = {
    "structlog": ("audit/log.py",),
    "yaml": ("rules/yaml.py",),
    "turbohtml": ("filters/html.py",),
    "opa_client": ("engines/opa.py",),
    "psycopg": ("consent/postgres",),
    "jinja2": ("asgi", "cli", "review"),
    "click": ("cli",),
    "starlette": ("asgi", "review"),
    "cryptography": ("audit", "home.py"),
    "python_multipart": ("filters",),
    "publicsuffixlist": ("filters", "rules", "plan", "runtime", "asgi"),
    "msgspec": ("_types.py", "audit", "asgi", "cases", "cli", "consent", "filters", "runtime", "testing.py"),
}
IMPORT_NAME_OF = {
    "fastapi": "fastapi",
    "pyyaml": "yaml",
    "python-multipart": "python_multipart",
    "pytest-asyncio": "pytest_asyncio",
    "asgi-correlation-id": "asgi_correlation_id",
    "opa-python-client": "opa_client",
    "google-re2": "re2",
    "python-stdnum": "stdnum",
    "opentelemetry-api": "opentelemetry",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of all that a file imports, names of `from` imports included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def part(path: Path) -> str:
    """Name the part of the package to which a file belongs; `troth` is the package's own front."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "troth" if first in {"__init__", "__main__"} else first


def part_named(name: str) -> str | None:
    """Name the part that an import asks for, or None where it is not ours."""
    head, _, rest = name.partition(".")
    if head != "troth":
        return None
    first = rest.partition(".")[0]
    return first if first in MAY_IMPORT else "troth"


def upward(path: Path) -> list[str]:
    """List the imports by which a file breaks the picture."""
    own, found = part(path), []
    for line, name in imports(path):
        asked = part_named(name)
        if asked not in {None, own} | MAY_IMPORT[own]:
            found.append(f"{path.relative_to(ROOT)}:{line}: {own} imports {asked} ({name})")
    return found


def test_every_part_of_the_package_has_a_place_in_the_picture() -> None:
    assert {part(path) for path in modules()} <= set(MAY_IMPORT)


def test_no_part_imports_upward_or_sideways() -> None:
    assert [line for path in modules() for line in upward(path)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    name_of = {path: dotted(path) for path in modules()}
    known = set(name_of.values())

    def module_asked(name: str) -> str:
        return name if name in known else name.rpartition(".")[0]

    asked = {own: {module_asked(name) for _, name in imports(path)} & known - {own} for path, own in name_of.items()}
    tuple(TopologicalSorter(asked).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("module", sorted(ONLY_IN))
def test_a_library_is_imported_in_its_own_place_only(module: str) -> None:
    places = ONLY_IN[module]
    strays = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules()
        for line, name in imports(path)
        if name.partition(".")[0] == module
        and not any(path == PACKAGE / place or PACKAGE / place in path.parents for place in places)
    ]
    assert strays == []


def test_the_reference_interpreter_knows_the_model_alone() -> None:
    for path in (p for p in modules() if p.relative_to(PACKAGE).as_posix().startswith("engines/reference")):
        for line, name in imports(path):
            head, _, rest = name.partition(".")
            allowed = head in sys.stdlib_module_names or rest.partition(".")[0] == "model" or "reference" in rest
            assert allowed, f"{path.relative_to(ROOT)}:{line}: {name}"


def test_verification_never_imports_the_rest_of_the_trail() -> None:
    for path in (p for p in modules() if p.relative_to(PACKAGE).as_posix().startswith("audit/verify")):
        for line, name in imports(path):
            ours = name.startswith("troth.audit") and not name.startswith("troth.audit.verify")
            assert not ours, f"{path.relative_to(ROOT)}:{line}: {name}"


def declared(*groups: str) -> set[str]:
    """Return the import names that pyproject.toml declares for the package and the named groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = list(project["project"]["dependencies"])
    wanted += [name for extra in project["project"]["optional-dependencies"].values() for name in extra]
    wanted += [name for group in groups for name in project["dependency-groups"][group]]
    names = {entry.partition(">")[0] for entry in wanted}
    return {IMPORT_NAME_OF.get(name, name) for name in names}


@pytest.mark.parametrize(
    ("folder", "groups"),
    [
        ("middleware/troth", ()),
        ("middleware/native", ("dev",)),
        ("example_app", ("test",)),
        ("tests", ("test", "bench")),
        ("benchmarks", ("test", "bench")),
    ],
)
def test_whatever_is_imported_is_declared(folder: str, groups: tuple[str, ...]) -> None:
    known = declared(*groups) | set(sys.stdlib_module_names) | {"troth", "benchmarks", "example_app", "tests"}
    known |= {"anyio"}  # Starlette's own, and part of its interface
    strays = {
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, name in imports(path)
        if name.partition(".")[0] not in known
    }
    assert strays == set()
