"""Code compiles, told by parsers; nothing is run."""

import time

import pytest

from pointsman.signals import code
from pointsman.signals.code import Block, code_compiles, compiles

from .conftest import answer

GOOD = {
    "python": "def f(x):\n    return x + 1",
    "js": "const f = async (x) => await g(x);",
    "ts": "function f(x: number): string { return `${x}`; }",
    "tsx": "const a = <div>{x}</div>;",
    "rust": 'fn main() { println!("{}", 1); }',
    "go": "package main\n\nfunc main() {\n\tx := 1\n\t_ = x\n}",
    "c": "int main(void) { return 0; }",
    "sql": "SELECT a, count(*) FROM t JOIN u USING (id) GROUP BY 1",
}
BAD = {
    "python": "def f(x)\n    return x + 1",
    "js": "const = async (x =>",
    "ts": "function f(x: ): { return }",
    "tsx": "const a = <div>{x</div>;",
    "rust": "fn main() { let = ; }",
    "go": "func main( {",
    "c": "int main(void { return 0;",
    "sql": "SELECT FROM t WHERE",
}


@pytest.mark.parametrize("label", GOOD)
def test_a_program_compiles_and_a_broken_one_does_not(label):
    assert compiles(Block(label, GOOD[label])) is True
    assert compiles(Block(label, BAD[label])) is False


def test_statements_alone_compile():
    assert compiles(Block("go", "x := 1\nfmt.Println(x)"))
    assert compiles(Block("rust", "let x = 1;"))
    assert compiles(Block("python", "    indented = 1\n    return indented"))


def test_what_is_no_program_or_of_no_known_language_is_not_judged():
    for block in (
        Block("python", ">>> 1 + 1\n2"),
        Block("cobol", "MOVE A TO"),
        Block("js", "x" * 30_000),
        Block("python", "(" * 400),
        Block("sql", "VACUUM FULL ANALYZE"),
        Block("", "any text"),
    ):
        assert compiles(block) is None


def test_the_share_of_code_that_compiles_is_a_gate_where_code_was_asked_for():
    text = f"Here:\n```python\n{GOOD['python']}\n```\nand\n```rust\n{BAD['rust']}\n```\nDone."
    asked, quoted = code_compiles(answer(text, structure="code")), code_compiles(answer(text))
    n_good, n_bad = len(GOOD["python"]), len(BAD["rust"])
    assert asked.value == pytest.approx(n_good / (n_good + n_bad))
    assert (asked.kind, asked.is_failed_gate) == ("gate", True)
    assert (quoted.kind, quoted.is_failed_gate) == ("hint", False)


def test_sql_without_a_fence_is_code_where_sql_was_asked_for():
    assert code_compiles(answer(GOOD["sql"], structure="sql")).value == 1.0
    assert code_compiles(answer(BAD["sql"], structure="sql")).value == 0.0
    assert code_compiles(answer("Use a join.", structure="sql")) is None


def test_a_fence_that_never_closes_ends_with_the_answer():
    assert code_compiles(answer("```python\nx = (", structure="code")).value == 0.0


def test_code_is_never_run(tmp_path):
    trap = tmp_path / "ran"
    text = f"```python\nopen({str(trap)!r}, 'w')\n__import__('os').system('touch {trap}')\n```"
    assert code_compiles(answer(text, structure="code")).value == 1.0
    assert not trap.exists()


@pytest.mark.parametrize(
    "unit", ["(", "[", "-", "f(", "not ", "{", "a+", "SELECT (", "<a>", "*", "if x:\n", "`"]
)
@pytest.mark.parametrize("label", ["python", "js", "rust", "c", "go", "tsx", "sql"])
def test_deep_nesting_is_quick_and_harmless(label, unit):
    start = time.perf_counter()
    compiles(Block(label, "x = " + unit * (code._MAX_BLOCK_CHARS // len(unit) - 4)))
    compiles(Block(label, "SELECT " + unit * 120 + "1" + ")" * 120))
    assert time.perf_counter() - start < 3
