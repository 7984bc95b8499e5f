"""The only file that calls boto3: sessions, and calls in threads.

boto3 is imported when the first call is made: it costs a third of a second.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio

from ...core.errors import CancelledError, MlopsError
from ...core.settings import NetworkSettings
from .plain_words import in_plain_words
from .rights import CALLS, rights_of_call

_CONNECT_SECONDS = 10
_READ_SECONDS = 70
"""An invocation may take 60 seconds; AWS asks clients to wait 70."""


class Aws:
    """AWS as one user sees it in one region. Calls run in threads, one client per service."""

    def __init__(
        self,
        network: NetworkSettings,
        *,
        region: str,
        profile: str = "",
        endpoint_url: str = "",
    ) -> None:
        self.region = region
        self._network = network
        self._profile = profile
        self._endpoint_url = endpoint_url
        self.account = ""
        """Known once AWS was asked who we are; for what is said about missing rights."""
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        # boto3 sessions are not thread-safe while they make clients.
        self._lock = threading.Lock()
        self._limiter = anyio.CapacityLimiter(8)

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """One API call, ``create_model`` of ``sagemaker``, answered as boto3 answers.

        A call that has begun is waited for even when the task is cancelled: else nobody would
        know whether it made something. Raises domain errors; MissingError for "no such thing".
        """

        def run() -> dict[str, Any]:
            method = getattr(self._client(service), operation)
            answer: dict[str, Any] = method(**parameters)
            return answer

        return await self._thread(run, service, operation, parameters)

    async def invoke(
        self, name: str, body: bytes, content_type: str, accept: str
    ) -> dict[str, Any]:
        """``invoke_endpoint`` with the body read: status, content_type, body."""

        def run() -> dict[str, Any]:
            from botocore.exceptions import ClientError

            try:
                answer = self._client("sagemaker-runtime").invoke_endpoint(
                    EndpointName=name, Body=body, ContentType=content_type, Accept=accept
                )
            except ClientError as error:
                # Beyond what botocore's own type knows.
                response: Any = error.response
                status = response.get("OriginalStatusCode")
                if status is None:
                    raise
                # The container's own answer, as far as AWS lets it through (2048 characters).
                message = response.get("OriginalMessage") or ""
                return {
                    "status": int(status),
                    "content_type": "text/plain",
                    "body": message.encode(),
                }
            return {
                "status": int(answer["ResponseMetadata"]["HTTPStatusCode"]),
                "content_type": answer.get("ContentType", ""),
                "body": answer["Body"].read(),
            }

        return await self._thread(
            run, "sagemaker-runtime", "invoke_endpoint", {"EndpointName": name}
        )

    async def read(self, bucket: str, key: str) -> bytes:
        """A file of S3. Raises MissingError."""

        def run() -> dict[str, Any]:
            return {"content": self._client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()}

        found = await self._thread(run, "s3", "get_object", {"Bucket": bucket, "Key": key})
        content: bytes = found["content"]
        return content

    async def upload(
        self,
        path: Path,
        bucket: str,
        key: str,
        on_bytes: Callable[[int], None],
        tags: Mapping[str, str],
    ) -> None:
        """A file to S3, with tags, in parts where it is large. ``on_bytes`` gets the running total,
        on a thread of its own. When the task is cancelled the parts sent so far are aborted."""
        stop = threading.Event()
        total = 0
        count = threading.Lock()

        def sent(size: int) -> None:
            nonlocal total
            if stop.is_set():
                raise CancelledError("Cancelled.")
            with count:
                total += size
                on_bytes(total)

        def run() -> dict[str, Any]:
            from boto3.exceptions import S3UploadFailedError

            try:
                self._client("s3").upload_file(
                    str(path), bucket, key, Callback=sent, ExtraArgs={"Tagging": urlencode(tags)}
                )
            except S3UploadFailedError as error:
                # boto3 hides what went wrong in the cause.
                raise (error.__context__ or error) from error
            return {}

        await self._thread(
            run, "s3", "put_object", {"Bucket": bucket, "Key": key}, on_cancel=stop.set
        )

    # ----------------------------------------------------------------------------------

    async def _thread(
        self,
        run: Callable[[], dict[str, Any]],
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        on_cancel: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        if (service, operation) not in CALLS:
            raise LookupError(f"{service}.{operation} is not in the table of rights")
        work = asyncio.ensure_future(
            anyio.to_thread.run_sync(
                partial(self._plain, run, service, operation, parameters), limiter=self._limiter
            )
        )
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if on_cancel is not None:
                on_cancel()
            await asyncio.wait({work})
            work.exception()
            raise

    def _plain(
        self,
        run: Callable[[], dict[str, Any]],
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
    ) -> dict[str, Any]:
        try:
            return run()
        except MlopsError:
            raise
        except Exception as error:
            rights = rights_of_call(service, operation, parameters, self.region, self.account)
            plain = in_plain_words(error, rights)
            if plain is None:
                raise
            raise plain from error

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        config: Any = Config
        if self._session is None:
            new_session: Any = boto3.session.Session
            self._session = new_session(
                profile_name=self._profile or None, region_name=self.region or None
            )
        options: dict[str, Any] = {
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _READ_SECONDS,
            # Repeating an invocation would run somebody's model twice. Other calls are repeated
            # when AWS is throttling or in trouble, after up to 1, 2, 4, 8 and 16 seconds.
            "retries": {
                "mode": "standard",
                "total_max_attempts": 1 if service == "sagemaker-runtime" else 6,
            },
        }
        proxies = _proxies(self._network.proxies)
        if proxies and not self._endpoint_url:
            options["proxies"] = proxies
        return self._session.client(
            service,
            endpoint_url=self._endpoint_url or None,
            verify=self._network.ca_bundle or None,
            config=config(**options),
        )


def default_region(profile: str = "") -> str:
    """What the environment and AWS's configuration files say; empty when nothing does."""
    return str(_ask_botocore(profile, lambda session: session.get_config_variable("region")) or "")


def has_credentials(profile: str = "") -> bool:
    """Whether any are configured; says nothing about their being right."""
    return _ask_botocore(profile, lambda session: session.get_credentials()) is not None


def _ask_botocore(profile: str, question: Callable[[Any], Any]) -> Any:
    """An answer out of its configuration; None where that is broken or silent."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    new_session: Any = botocore.session.Session
    try:
        return question(new_session(profile=profile or None))
    except BotoCoreError:
        return None


def _proxies(settings: Mapping[str, str]) -> dict[str, str]:
    """botocore's own reading of the environment knows ``no_proxy``; ours is for proxies that
    only the configuration names."""
    import urllib.request

    if urllib.request.getproxies_environment():
        return {}
    return {
        scheme: settings[f"{scheme}_proxy"]
        for scheme in ("http", "https")
        if settings.get(f"{scheme}_proxy")
    }
