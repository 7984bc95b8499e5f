"""Answers requests with the model that train.ipynb saved.

A request is ``{"instances": [{"age": 59, "sex": 2, "bmi": 32.1, …}, …]}``, one object per patient;
the answer is ``{"predictions": [206.4, …]}``. The four functions are called by name.
"""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import pandas as pd


def model_fn(model_dir):
    """Called once, at start."""
    return joblib.load(Path(model_dir) / "model.joblib")


def input_fn(body, content_type):
    """From a request's body to what the model takes."""
    if not content_type.startswith("application/json"):
        raise ValueError(f"Send application/json, not {content_type}.")
    return pd.DataFrame(json.loads(body)["instances"])


def predict_fn(patients, model):
    # By name, so that the order of the fields in a request does not matter.
    return model.predict(patients[list(model.feature_names_in_)])


def output_fn(predictions, accept):
    """From the model's answer to the body of the response."""
    return json.dumps({"predictions": [float(value) for value in predictions]})
