"""Server of the UI tests: Galata's helpers, but token authentication and XSRF stay on."""

import os
from pathlib import Path

from jupyterlab.galata import configure_jupyter_server

configure_jupyter_server(c)  # noqa: F821

work = Path(os.environ["UI_TEST_WORK"])
registry = os.environ["UI_TEST_REGISTRY"]

c.ServerApp.port = int(os.environ["UI_TEST_PORT"])  # noqa: F821
c.ServerApp.port_retries = 0  # noqa: F821
c.ServerApp.ip = "127.0.0.1"  # noqa: F821
c.ServerApp.allow_root = True  # noqa: F821
c.ServerApp.root_dir = str(work / "files")  # noqa: F821
c.ServerApp.disable_check_xsrf = False  # noqa: F821
c.ServerApp.allow_unauthenticated_access = False  # noqa: F821
c.IdentityProvider.token = os.environ["UI_TEST_TOKEN"]  # noqa: F821
c.LabApp.news_url = None  # noqa: F821
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"  # noqa: F821

c.Mlops.data_dir = str(work / "data")  # noqa: F821
c.Mlops.runtime_dir = os.environ["UI_TEST_RUNTIME"]  # noqa: F821
c.Mlops.engine = os.environ["UI_TEST_ENGINE"]  # noqa: F821
c.Mlops.owner = os.environ["UI_TEST_OWNER"]  # noqa: F821
c.Mlops.project = f"{registry}/team/diabetes"  # noqa: F821
c.Mlops.targets = {  # noqa: F821
    "sagemaker": {
        "endpoint_url": os.environ["UI_TEST_AWS"],
        "registry_override": registry,
        "region": "eu-west-1",
        "poll_seconds": 0.5,
    }
}
