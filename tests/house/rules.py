"""The house rules that read source: each gives the list of what breaks it."""

import ast
import re
from collections.abc import Iterator
from statistics import median

FILE_CEILING, FILE_MEDIAN = 300, 100
FUNCTION_CEILING, FUNCTION_MEDIAN = 40, 10
PARAMETERS = 6
EMPTY_NAMES = {"utils", "helpers", "common", "manager", "base", "misc"}
FOREIGN = re.compile(
    r"(?<![\w.])/(?:work|tmp/w|root|home/\w+)/|https?://\S+(?:\.whl|\.tgz|/simple/)"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_long(sources: dict[str, str]) -> list[str]:
    """Files and functions over a ceiling, and medians over theirs."""
    files = {name: text.count("\n") for name, text in sources.items() if text}
    functions = {
        f"{name}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, text in sources.items()
        for node in find_functions(text)
    }
    return [
        *_over("file", files, FILE_CEILING, FILE_MEDIAN),
        *_over("function", functions, FUNCTION_CEILING, FUNCTION_MEDIAN),
    ]


def too_many_parameters(name: str, text: str) -> list[str]:
    return [
        f"{name}:{node.name}" for node in find_functions(text) if _count(node.args) > PARAMETERS
    ]


def empty_names(paths: list[str]) -> list[str]:
    return [path for path in paths if EMPTY_NAMES & set(re.split(r"[/._]", path))]


def undocumented(name: str, text: str) -> list[str]:
    tree = ast.parse(text)
    missing = [] if ast.get_docstring(tree) or not text.strip() else [name]
    return missing + [
        f"{name}:{node.name}" for node in _public(tree) if not ast.get_docstring(node)
    ]


def foreign_addresses(name: str, text: str) -> list[str]:
    return [f"{name}: {match}" for match in FOREIGN.findall(text)]


def find_functions(text: str) -> list[Function]:
    return [n for n in ast.walk(ast.parse(text)) if isinstance(n, Function)]


def _over(what: str, lengths: dict[str, int], ceiling: int, middle: int) -> list[str]:
    wrong = [f"{what} {name}: {lines}" for name, lines in lengths.items() if lines > ceiling]
    if lengths and median(lengths.values()) > middle:
        wrong.append(f"median {what}: {median(lengths.values())}")
    return wrong


def _count(arguments: ast.arguments) -> int:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(argument.arg not in {"self", "cls"} for argument in every)


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)
