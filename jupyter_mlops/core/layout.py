"""Names that both sides of a container's wall must agree on."""

ENV_PREFIX = "/opt/env"
"""The virtual environment of every environment."""

R_LIBRARY = f"{ENV_PREFIX}/lib/R/library"
"""Where R installs packages, in builds and in notebooks; the first place it looks for them."""

RUN_DIR = "/run/mlops"
"""Everything of ours in a running container; below the tmpfs ``/run``, so a freeze drops it."""

SERVE_DIR = "/opt/mlops/serve"
"""The serving layer in a model package's image."""

SERVE_SPEC = "/opt/mlops/serve.json"
"""What the serving layer serves: handler, sample, provenance."""

MODEL_DIR = "/opt/ml/model"
"""Where SageMaker, and so everyone, puts model files; read-only."""

LABEL_PREFIX = "io.jupyter-mlops"
LABEL_KIND = f"{LABEL_PREFIX}.kind"
"""``build``, ``kernel``, ``check``, ``probe``, ``deployment`` on containers; ``base``,
``revision``, ``snapshot``, ``package`` on images."""
LABEL_OWNER = f"{LABEL_PREFIX}.owner"
LABEL_ENVIRONMENT = f"{LABEL_PREFIX}.environment"
LABEL_REVISION = f"{LABEL_PREFIX}.revision"
LABEL_KERNEL = f"{LABEL_PREFIX}.kernel"
LABELS = (LABEL_KIND, LABEL_OWNER, LABEL_ENVIRONMENT, LABEL_REVISION, LABEL_KERNEL)

PATH = f"{ENV_PREFIX}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""``!pip`` in a notebook finds the environment's pip only when its bin directory is first."""

DATABASE = "mlops.sqlite"
"""In the data folder."""
