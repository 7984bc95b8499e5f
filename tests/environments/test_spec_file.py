"""Specification files."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.core.environment import EnvironmentSpec, Resources
from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.services.build_steps.failures import resolve_failed
from jupyter_mlops.services.build_steps.output import StepOutput
from jupyter_mlops.services.build_steps.resolve import only_adds, requirements
from jupyter_mlops.services.spec_file import memory, parse_spec, validated
from tests.parts.services import Recorder

FULL = """
name: churn
base: debian
description: churn model, 2026
python: [pandas>=2, "scikit-learn == 1.7.*"]
apt: [libgomp1, "tree=2.1.0-1"]
variables: {OMP_NUM_THREADS: 2, TOKENIZERS_PARALLELISM: "false"}
secrets: [WANDB_API_KEY]
setup: |
  echo one
  echo two
network: none
resources: {cpus: 1.5, memory: 4GiB}
"""


def test_everything():
    assert parse_spec(FULL) == EnvironmentSpec(
        name="churn",
        base="debian",
        description="churn model, 2026",
        python=("pandas>=2", "scikit-learn == 1.7.*"),
        apt=("libgomp1", "tree=2.1.0-1"),
        variables={"OMP_NUM_THREADS": "2", "TOKENIZERS_PARALLELISM": "false"},
        secrets=("WANDB_API_KEY",),
        setup="echo one\necho two\n",
        network="none",
        resources=Resources(cpus=1.5, memory=4 * 1024**3),
    )


def test_the_example():
    file = Path(__file__).parents[2] / "examples/diabetes/environment.yaml"
    spec = parse_spec(file.read_text(), file.parent)
    assert spec.name == "diabetes" and "scikit-learn==1.7.*" in spec.python


def test_requirements_files(tmp_path: Path):
    (tmp_path / "requirements.txt").write_text(
        "# comment\npandas>=2  # why\n-r more.txt\n"
        "six==1.17.0 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\n"
        'tomli; python_version < "3.11"\n'
    )
    (tmp_path / "more.txt").write_text("humanize\n-r requirements.txt\n")
    wanted = ("pandas>=2", "humanize", "six==1.17.0", 'tomli; python_version < "3.11"')
    for entry in ("requirements.txt", "[requirements.txt]"):
        spec = parse_spec(f"name: a\nbase: b\npython: {entry}\n", tmp_path)
        assert spec.python == wanted


WRONG = {
    "name: a\nbase: b\npyhton: [x]": ("'pyhton'", "'python'"),
    "name: a\nbase: b\nresources: {memroy: 1}": ("'memroy'", "'memory'"),
    "name: a\nbase: b\nfrobnicate: 1": ("'frobnicate'", "Known are"),
    "name: a": ("no base", "base: NAME"),
    "base: a": ("no name", "name:"),
    "name: A_b\nbase: b": ("'A_b'", "lower-case"),
    "just text": ("key: value", "name:"),
    "name: a\n  base: b": ("line 2", "indentation"),
    "name: a\nbase: b\npython: [pandas=>2]": ("'pandas=>2'", "pandas>=2"),
    "name: a\nbase: b\npython: ['-e .']": ("'-e .'", "not a package|option"),
    "name: a\nbase: b\npython: ['x @ https://me:pw@h/x.whl']": ("'x'", "index_url"),
    "name: a\nbase: b\npython: ['x y @ https://me:pw@h/x.whl']": ("****@h", "Write it as"),
    "name: a\nbase: b\npython: missing.txt": ("'missing.txt'", "List|looked"),
    "name: a\nbase: b\napt: ['tree; rm -rf /']": ("tree; rm", "apt install"),
    "name: a\nbase: b\napt: ['--force']": ("--force", "apt install"),
    "name: a\nbase: b\nvariables: {PATH: x}": ("PATH", "Leave"),
    "name: a\nbase: b\nvariables: {A-B: x}": ("A-B", "underscores"),
    "name: a\nbase: b\nvariables: {DEBUG: true}": ("DEBUG", "quotes"),
    "name: a\nbase: b\nvariables: {AWS_SECRET_ACCESS_KEY: x}": ("AWS_SECRET", "secrets:"),
    "name: a\nbase: b\nvariables: {HF_TOKEN: x}": ("HF_TOKEN", "secrets:"),
    "name: a\nbase: b\nnetwork: wifi": ("'wifi'", "outbound"),
    "name: a\nbase: b\nresources: {memory: lots}": ("'lots'", "4GiB"),
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_files_say_where_and_what_to_do(text: str, tmp_path: Path):
    import re

    message, hint = WRONG[text]
    with pytest.raises(InvalidError) as caught:
        parse_spec(text, tmp_path)
    assert message in caught.value.message and "me:pw" not in str(caught.value)
    assert re.search(hint, f"{caught.value.message} {caught.value.hint}")


def test_option_in_a_requirements_file(tmp_path: Path):
    (tmp_path / "r.txt").write_text("--index-url https://index.example/simple\npandas\n")
    with pytest.raises(InvalidError, match="--index-url"):
        parse_spec("name: a\nbase: b\npython: r.txt", tmp_path)


def test_forms_are_checked_as_files_are():
    with pytest.raises(InvalidError, match="pandas=>2"):
        validated(EnvironmentSpec(name="a", base="b", python=("pandas=>2",)))


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GiB", 4 << 30), ("4G", 4 << 30), ("1.5 GB", 1_500_000_000), ("512m", 512 << 20), (7, 7)],
)
def test_amounts_of_memory(text: object, size: int):
    assert memory(text) == size


def test_what_every_environment_gets():
    assert requirements(["a"], ["b", "a"]) == ["a", "b", "ipykernel", "pip"]
    assert requirements(["IPyKernel<7", "pip==25"]) == ["IPyKernel<7", "pip==25"]


def test_additions():
    old = "head\n[[packages]]\nname = 'a'\n\n[[packages]]\nname = 'b'\n"
    assert only_adds(old, old + "\n[[packages]]\nname = 'c'\n")
    assert not only_adds(old, old.replace("'a'", "'z'"))


PROOF = """
error: No solution found when resolving dependencies
  cause: Because scikit-learn>=1.7.0rc1,<=1.7.2 depends on numpy>=1.22.0 and you require
         numpy<1.20, we can conclude that your requirements and scikit-learn are incompatible.
         And because you require scikit-learn==1.7.*, we can conclude that your requirements are
         unsatisfiable.
"""
OLDER = """
  No solution found when resolving dependencies:
  ╰─▶ Because only pandas<=2.3.3 is available and you require pandas>=99, we
      can conclude that your requirements are unsatisfiable.
"""


def test_proofs_become_sentences():
    def said(text: str) -> str:
        output = StepOutput(Recorder(), ())
        output(text)
        return resolve_failed()(1, output).message

    assert said(PROOF) == (
        "These packages cannot be installed together. Scikit-learn>=1.7.0rc1,<=1.7.2 depends on "
        "numpy>=1.22.0 and you require numpy<1.20. You require scikit-learn==1.7.*."
    )
    assert said(OLDER).endswith("Only pandas<=2.3.3 is available and you require pandas>=99.")


def test_output_is_masked_across_chunks():
    recorder = Recorder()
    output = StepOutput(recorder, ("alice:secret", "secret"))
    for chunk in ("from https://alice:se", "cret@index/\n 10%\r100", "%\nlast"):
        output(chunk)
    output.close()
    assert recorder.text == "from https://****@index/\n100%\nlast\n"
    assert output.last(1) == "last"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("secrets: [my-key=hunter2]", "must be names of variables"),
        ("secrets: {A: hunter2}", "must be a list"),
        ("secrets: [PATH]", "PATH is set by the environment itself"),
        ("secrets: [A]\nvariables: {A: b}", "both in variables: and in secrets:"),
        ("variables: {API_TOKEN: hunter2}", "looks like a secret"),
    ],
)
def test_secrets_are_names(line: str, said: str):
    with pytest.raises(InvalidError, match=said) as error:
        parse_spec(f"name: a\nbase: debian\n{line}")
    assert "hunter2" not in str(error.value)


def test_secrets_change_no_image():
    spec = parse_spec("name: a\nbase: debian\nsecrets: [A, B, A]")
    assert spec.secrets == ("A", "B")
    assert spec.digest == parse_spec("name: a\nbase: debian").digest
