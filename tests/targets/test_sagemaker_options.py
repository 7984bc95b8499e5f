"""What a user may choose, and what they are told when it cannot be."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.targets.sagemaker.options import Options, parse, schema

ROLE = "arn:aws:iam::123456789012:role/service-role/runs"
GOOD = {"region": "eu-west-1", "role": ROLE}


def test_the_schema_draws_a_form() -> None:
    drawn = schema({})
    assert drawn["required"] == ["region", "role"]
    for name, field in drawn["properties"].items():
        assert field["title"] and field["description"], name
    kinds = ["real-time", "serverless", "async", "batch", "registry"]
    assert drawn["properties"]["kind"]["enum"] == kinds


def test_an_admins_answers_are_defaults_and_no_longer_required() -> None:
    drawn = schema({"region": "eu-west-1", "role": ROLE, "bucket": ""})
    assert drawn["required"] == []
    assert drawn["properties"]["role"]["default"] == ROLE
    assert parse({}, {"region": "eu-west-1", "role": ROLE}).role == ROLE
    assert parse({"region": "us-east-1"}, GOOD).region == "us-east-1"


def test_an_empty_field_of_the_form_is_left_alone() -> None:
    assert parse({**GOOD, "region": ""}, {"region": "us-east-2"}).region == "us-east-2"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"region": "eu-west-1"}, "'role' (Execution role) is missing"),
        ({**GOOD, "role": "admin"}, "must be the ARN of an IAM role"),
        ({**GOOD, "region": "Ireland"}, "'region' (Region)"),
        ({**GOOD, "kind": "edge"}, "'real-time', 'serverless', 'async'"),
        ({**GOOD, "kind": "batch"}, "'batch_input' (Batch input) is missing"),
        (
            {
                **GOOD,
                "kind": "batch",
                "batch_input": "s3://data/",
                "instance_type": "ml.m6g.large",
            },
            "has no Graviton",
        ),
        ({**GOOD, "batch_input": "s3://bucket/x"}, "is for batch only, not real-time"),
        ({**GOOD, "kind": "serverless", "capture": 10}, "for real-time endpoints only"),
        ({**GOOD, "max_instances": 2, "instance_count": 3}, "less than the 3 of the start"),
        ({**GOOD, "instance_type": "m5.large"}, "'instance_type' (Instance type)"),
        ({**GOOD, "instance_count": 0}, "greater than or equal to 1"),
        ({**GOOD, "memory": 1000}, "'memory' (Memory (MB))"),
        ({**GOOD, "bucket": "My_Bucket"}, "'bucket' (S3 bucket)"),
        ({**GOOD, "variables": {"A": "x" * 1025}}, "A is longer than 1024 bytes"),
        ({**GOOD, "variables": {"A B": "x"}}, "'A B' cannot be the name of a variable"),
        (
            {**GOOD, "variables": {f"A{i}": "x" * 1000 for i in range(40)}},
            "together they are larger than 32 kB",
        ),
        ({**GOOD, "colour": "red"}, "no option 'colour'"),
    ],
)
def test_a_wrong_choice_is_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(given, {})
    assert said in caught.value.message
    assert caught.value.hint


def test_instance_families_tell_the_processor() -> None:
    def architecture(kind: str, instance: str) -> str:
        return Options.model_validate(
            {**GOOD, "kind": kind, "instance_type": instance}
        ).architecture

    assert architecture("real-time", "ml.m5.large") == "amd64"
    assert architecture("real-time", "ml.g5.xlarge") == "amd64"
    assert architecture("real-time", "ml.m6g.large") == "arm64"
    assert architecture("real-time", "ml.r7gd.xlarge") == "arm64"
    assert architecture("serverless", "ml.m6g.large") == "amd64"
