"""``jupyter mlops deploy --explain-iam``: no package, no engine and no AWS account are asked."""

from __future__ import annotations

from .conftest import CommandLine

ROLE = "arn:aws:iam::123456789012:role/team/runs"
CHOSEN = ("--option", "region=eu-west-1", "--option", f"role={ROLE}", "--name", "churn")


def test_the_policies_of_caller_and_role(cli: CommandLine) -> None:
    ended = cli("deploy", "--explain-iam", "--target", "sagemaker", *CHOSEN, "--json")
    assert ended.code == 0, ended.err
    assert set(ended.data) == {"caller", "execution-role", "trust"}
    statements = {s["Sid"]: s for s in ended.data["caller"]["Statement"]}
    assert statements["PassRole"]["Action"] == ["iam:PassRole"]
    assert statements["PassRole"]["Resource"] == ROLE
    assert statements["Endpoint"]["Resource"].endswith(":endpoint/churn")
    assert statements["Objects"]["Resource"].endswith("/jupyter-mlops/churn-*")


def test_people_read_titles(cli: CommandLine) -> None:
    ended = cli("deploy", "--explain-iam", "--target", "sagemaker", *CHOSEN)
    assert "For the user or role that deploys" in ended.out
    assert "For the execution role runs" in ended.out
    assert '"sagemaker:CreateEndpoint"' in ended.out


def test_a_target_without_rights_says_so(cli: CommandLine) -> None:
    ended = cli("deploy", "--explain-iam", "--target", "local")
    assert ended.code == 1
    assert "needs no rights" in ended.err


def test_without_it_a_package_is_needed(cli: CommandLine) -> None:
    ended = cli("deploy", "--target", "local")
    assert ended.code == 2
    assert "Name the PACKAGE" in ended.err
