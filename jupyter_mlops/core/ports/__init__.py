"""What the services need from outside, as abstract classes and protocols.

Adapters implement these; services know nothing else. Everything is async and idempotent where
the noun allows it (``start`` of a running container, ``remove`` of a missing one).
"""

from __future__ import annotations

from .containers import (
    Capabilities,
    Container,
    ContainerSpec,
    Credentials,
    Engine,
    EngineEvent,
    EngineProvider,
    Image,
    ImageConfig,
    Mount,
    OutputCallback,
    RootFilesystem,
    State,
    Usage,
)
from .kernels import KernelControl, LiveKernels
from .notebooks import KernelSpecs, NotebookRunner
from .persistence import Blobs, Repository, Store
from .progress import Progress
from .registries import (
    Descriptor,
    ImageFiles,
    Layout,
    Manifest,
    PackedImage,
    Registries,
    Registry,
    SavedImage,
)
from .targets import PackageRecords, Target

__all__ = [
    "Blobs",
    "Capabilities",
    "Container",
    "ContainerSpec",
    "Credentials",
    "Descriptor",
    "Engine",
    "EngineEvent",
    "EngineProvider",
    "Image",
    "ImageConfig",
    "ImageFiles",
    "KernelControl",
    "KernelSpecs",
    "Layout",
    "LiveKernels",
    "Manifest",
    "Mount",
    "NotebookRunner",
    "OutputCallback",
    "PackageRecords",
    "PackedImage",
    "Progress",
    "Registries",
    "Registry",
    "Repository",
    "RootFilesystem",
    "SavedImage",
    "State",
    "Store",
    "Target",
    "Usage",
]
