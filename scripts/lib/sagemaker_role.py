"""Make the execution role that the demo and the browser tests name, where moto's server plays AWS.

usage: sagemaker_role.py NAME   (AWS_ENDPOINT_URL and AWS_DEFAULT_REGION are set)
"""

from __future__ import annotations

import json
import sys

import boto3
from botocore.config import Config

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def main(name: str) -> None:
    # The server may have been started a moment ago.
    patient = Config(retries={"total_max_attempts": 20, "mode": "standard"})
    iam = boto3.client("iam", config=patient)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    print(role["Role"]["Arn"])


if __name__ == "__main__":
    main(*sys.argv[1:])
