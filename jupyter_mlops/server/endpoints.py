"""Every address of the REST interface, with what goes in and what comes out.

``openapi.yaml`` is made from this list; a test holds it against the handlers, and another every
answer of the tests against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.additions import Additions
from ..core.deletion import Deletion
from ..core.deployment import Deployment, Plan, TargetInfo
from ..core.environment import Base, Environment
from ..core.gate import GateResult
from ..core.imported import Imported
from ..core.inventory import Inventory, InventoryDiff
from ..core.kernel import KernelStatus, SecretRequest
from ..core.live_model import LiveExport, LiveModels
from ..core.model_package import Candidates, ModelPackage
from ..core.operation import Operation
from ..core.reproduction import ReproduceReport
from ..core.revision import Revision
from ..core.snapshot import CatalogueEntry, Finding, FreezePreview, Snapshot
from ..services.limits import LimitChoice
from .schemas.about import EngineStatus, ServerSettings
from .schemas.bases import CreateBase
from .schemas.catalogue import OpenPublished
from .schemas.deployments import (
    CreateDeployment,
    InvocationAnswer,
    Invoke,
    Logs,
    Review,
    UpdateDeployment,
)
from .schemas.environments import (
    BuildRequest,
    ChangeEnvironment,
    ImportRequest,
    RevisionRequest,
)
from .schemas.limits import SaveLimits
from .schemas.operations import LogText
from .schemas.packages import ApprovePackage, CreatePackage, ExportModel, ModelCard
from .schemas.secrets import GivenSecrets
from .schemas.snapshots import (
    CreateSnapshot,
    OpenSnapshot,
    PublishSnapshot,
    ReproduceSnapshot,
)


@dataclass(frozen=True)
class Query:
    name: str
    description: str
    type: str = "string"
    required: bool = False


@dataclass(frozen=True)
class Endpoint:
    verb: str
    path: str
    """Below ``mlops/``."""
    summary: str
    answer: Any = None
    """A noun, a model, or a media type; None for 204."""
    many: bool = False
    """The answer is a page of them."""
    accepted: bool = False
    """The answer is 202 and the operation that does the work."""
    body: Any = None
    query: tuple[Query, ...] = ()

    @property
    def status(self) -> int:
        if self.accepted:
            return 202
        return 204 if self.answer is None else 200


_PAGES = (
    Query("limit", "How many at most; 200 when missing, 1000 at most.", "integer"),
    Query("after", "The `next` of the page before."),
)
_SEARCH = (*_PAGES, Query("query", "Words that are looked for."))


def _get(path: str, summary: str, answer: Any, *query: Query) -> Endpoint:
    return Endpoint("get", path, summary, answer, query=query)


def _list(path: str, summary: str, noun: Any, *query: Query) -> Endpoint:
    return Endpoint("get", path, summary, noun, many=True, query=query)


def _work(verb: str, path: str, summary: str, body: Any = None) -> Endpoint:
    return Endpoint(verb, path, summary, Operation, accepted=True, body=body)


def _delete(path: str, summary: str) -> Endpoint:
    return Endpoint("delete", path, summary)


ENDPOINTS: tuple[Endpoint, ...] = (
    _get("engine", "The container engine, or why there is none.", EngineStatus),
    _get("settings", "What an administrator configured.", ServerSettings),
    _get("openapi.yaml", "This description.", "application/yaml"),
    _list("bases", "Base images.", Base),
    _work("post", "bases", "Make or pull a base image.", CreateBase),
    _delete("bases/{name}", "Delete a base image that no environment starts from."),
    _list("environments", "Environments, newest first.", Environment, *_SEARCH),
    _work("post", "environments", "Build the first revision of an environment.", BuildRequest),
    _get("environments/{name}", "One environment.", Environment),
    Endpoint(
        "patch",
        "environments/{name}",
        "Change the description.",
        Environment,
        body=ChangeEnvironment,
    ),
    Endpoint("delete", "environments/{name}", "Delete it with its revisions.", Deletion),
    _get(
        "environments/{name}/deletion",
        "What deleting it, or its old revisions, would take away.",
        Deletion,
        Query("old", "`true`: revisions that are not active and that nothing needs.", "boolean"),
    ),
    _get(
        "old-revisions",
        "What deleting those of every environment that are not active and that nothing needs "
        "would take away.",
        Deletion,
    ),
    Endpoint("delete", "old-revisions", "Delete these.", Deletion),
    Endpoint(
        "post",
        "imports",
        "Requirements of a file of another tool, or of the server's own Python.",
        Imported,
        body=ImportRequest,
    ),
    _list("environments/{name}/revisions", "Its revisions.", Revision),
    _work("post", "environments/{name}/revisions", "Build a new revision.", RevisionRequest),
    Endpoint(
        "delete",
        "environments/{name}/revisions",
        "Delete all that are not active and that nothing needs.",
        Deletion,
    ),
    Endpoint(
        "delete",
        "environments/{name}/revisions/{number}",
        "Delete one that nothing needs.",
        Deletion,
    ),
    _get(
        "environments/{name}/revisions/{number}/deletion",
        "What deleting it would take away.",
        Deletion,
    ),
    _get("environments/{name}/revisions/{number}", "One revision; 0 is the active.", Revision),
    _get(
        "environments/{name}/revisions/{number}/lock",
        "Its lock, as pylock.toml.",
        "application/toml",
    ),
    _get(
        "environments/{name}/revisions/{number}/inventory",
        "What is installed in it.",
        Inventory,
    ),
    Endpoint(
        "post",
        "environments/{name}/revisions/{number}/activate",
        "Make it the active one.",
        Environment,
    ),
    _get(
        "diff",
        "What differs between two of: `environment@revision`, a snapshot, `kernel:<id>`.",
        InventoryDiff,
        Query("a", "Before.", required=True),
        Query("b", "After.", required=True),
    ),
    _list("kernels", "Kernels in containers.", KernelStatus),
    _get("kernels/{id}", "One kernel.", KernelStatus),
    _get("kernels/{id}/drift", "What changed in it since its revision was built.", InventoryDiff),
    _get("kernels/{id}/additions", "What of that its environment can have.", Additions),
    _get("kernels/{id}/preview", "What a snapshot of it would contain.", FreezePreview),
    _get(
        "kernels/{id}/models",
        "Variables of its process that are models, and requests to them.",
        LiveModels,
    ),
    Endpoint(
        "post",
        "kernels/{id}/models",
        "Write one of them into the project, with the notebook's own prediction.",
        LiveExport,
        body=ExportModel,
    ),
    _list("secrets", "Kernels that wait for secrets while they start.", SecretRequest),
    Endpoint(
        "put",
        "kernels/{id}/secrets",
        "Give a kernel the secrets that it waits for.",
        body=GivenSecrets,
    ),
    _delete("kernels/{id}/secrets", "Do not give them: the kernel does not start."),
    _get(
        "limits",
        "Limits of a notebook's kernel, and what there is to choose from.",
        LimitChoice,
        Query("notebook", "Its path, as the file browser has it.", required=True),
        Query("environment", "The name of its environment."),
    ),
    Endpoint(
        "put",
        "limits",
        "Choose limits for a notebook; in force in its next container.",
        LimitChoice,
        body=SaveLimits,
    ),
    _list("snapshots", "Snapshots, newest first.", Snapshot, *_SEARCH),
    _work("post", "snapshots", "Freeze a running kernel.", CreateSnapshot),
    _get("snapshots/{id}", "One snapshot.", Snapshot),
    _delete("snapshots/{id}", "Delete it here; what was published stays."),
    _list("snapshots/{id}/findings", "What in it looks like a secret.", Finding),
    _work("post", "snapshots/{id}/publish", "Publish it to a project.", PublishSnapshot),
    _work("post", "snapshots/{id}/open", "Put its files into a folder.", OpenSnapshot),
    _work("post", "snapshots/{id}/reproduce", "Run it again and compare.", ReproduceSnapshot),
    _get("reports/{id}", "The newest report of reproducing a snapshot.", ReproduceReport),
    _list(
        "catalogue",
        "What a team published.",
        CatalogueEntry,
        Query("project", "`registry/team/name`; the configured one when missing."),
    ),
    _work("post", "catalogue/open", "Fetch a published snapshot.", OpenPublished),
    _list("packages", "Model packages, newest first.", ModelPackage, *_PAGES),
    _work("post", "packages", "Make a model package.", CreatePackage),
    _get(
        "packages/candidates",
        "Files of a snapshot that can play a part in a package.",
        Candidates,
        Query("snapshot", "Its id.", required=True),
    ),
    _get("packages/{id}", "One model package.", ModelPackage),
    _delete("packages/{id}", "Delete a model package that is not deployed."),
    _work("post", "packages/{id}/check", "Check it against the serving contract."),
    Endpoint(
        "post", "packages/{id}/approve", "Approve it as it is.", ModelPackage, body=ApprovePackage
    ),
    _get(
        "packages/{id}/gate",
        "Whether it may be deployed, and what is missing.",
        GateResult,
        Query("level", "The last level of reproduction that must have passed: `L0` to `L3`."),
        Query("approval", "Whether somebody must have approved it.", "boolean"),
    ),
    _get("packages/{id}/card", "Its model card.", ModelCard),
    _list("targets", "Where packages can be deployed, with the schema of the options.", TargetInfo),
    _list("deployments", "Deployments, newest first, with their live state.", Deployment, *_PAGES),
    _work("post", "deployments", "Deploy a package.", CreateDeployment),
    Endpoint(
        "post", "deployments/plan", "What deploying would create.", Plan, body=CreateDeployment
    ),
    _get("deployments/{id}", "One deployment, with its live state.", Deployment),
    _work(
        "patch",
        "deployments/{id}",
        "Another package or other options, while it goes on answering.",
        UpdateDeployment,
    ),
    _work("post", "deployments/{id}/rollback", "Back to what it was before its last update."),
    Endpoint(
        "post",
        "deployments/{id}/review",
        "Approve or reject a version in a registry of models.",
        Deployment,
        body=Review,
    ),
    _work("delete", "deployments/{id}", "Take it away with everything made for it."),
    _work("post", "deployments/{id}/stop", "Stop it, and keep it."),
    _work("post", "deployments/{id}/start", "Start again what was stopped."),
    Endpoint(
        "post", "deployments/{id}/invoke", "Ask for a prediction.", InvocationAnswer, body=Invoke
    ),
    _get("deployments/{id}/logs", "The last lines it wrote.", Logs),
    _list(
        "operations",
        "Operations, newest first.",
        Operation,
        *_PAGES,
        Query("state", "Only those in this state."),
    ),
    _get("operations/{id}", "One operation.", Operation),
    Endpoint("delete", "operations/{id}", "Cancel it.", Operation),
    _get(
        "operations/{id}/log",
        "Its log from an offset on.",
        LogText,
        Query("offset", "In bytes.", "integer"),
    ),
)
