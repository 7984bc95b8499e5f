"""The image in ECR and the model files in S3: what every kind of deployment starts from."""

from __future__ import annotations

from ...core.errors import InvalidError, MlopsError
from .images import PushedImage
from .job import Job
from .names import FOLDER, as_list, bucket_name, shared_tags, tags
from .plain_words import MissingError


async def push(job: Job, account: str) -> PushedImage:
    """The image, in a repository that is made if missing."""
    repository = job.options.repository
    owner = job.deployment.owner
    if not await job.images.find_repository(repository):
        # Recorded after: another deployment may be making the same one.
        await job.images.create_repository(repository, as_list(shared_tags(owner)))
        await job.made("ecr-repository", repository, kept=True)
    job.place = job.images.place(account, repository)
    pushed = await job.images.push(
        job.engine, job.package, job.place, job.options.architecture, job.progress
    )
    if pushed.pushed:
        await job.made("ecr-image", pushed.uri, kept=True)
    how = "rewritten as" if pushed.converted else "is"
    job.progress.log(f"image {pushed.uri}; its manifest {how} Docker schema 2\n")
    return pushed


async def upload(job: Job) -> str:
    """The model files; returns their ``s3://`` address."""
    bucket = bucket_name(job.options)
    await _find_bucket(job, bucket)
    path = job.blobs.path(job.package.model)
    key = f"{FOLDER}/{job.object_name}/model.tar.gz"
    url = f"s3://{bucket}/{key}"
    size = max(1, job.package.model_size and path.stat().st_size)
    await job.made("s3-object", url)

    def sent(total: int) -> None:
        job.progress.update(f"{total / 1e6:.1f} of {size / 1e6:.1f} MB", min(1.0, total / size))

    labels = tags(job.deployment, job.package)
    try:
        await job.eventually(lambda: job.aws.upload(path, bucket, key, sent, labels))
    except MlopsError:
        await job.not_made()
        raise
    job.progress.log(f"made s3-object {url}, {size} bytes\n")
    return url


async def _find_bucket(job: Job, bucket: str) -> None:
    region = job.options.region
    try:
        found = await job.aws.call("s3", "head_bucket", Bucket=bucket)
    except MissingError:
        where = (
            {}
            if region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        await job.aws.call("s3", "create_bucket", Bucket=bucket, **where)
        await job.made("s3-bucket", bucket, kept=True)
        labels = {"TagSet": as_list(shared_tags(job.deployment.owner))}
        await job.eventually(
            lambda: job.aws.call("s3", "put_bucket_tagging", Bucket=bucket, Tagging=labels)
        )
        job.progress.log(f"made s3-bucket {bucket}\n")
        return
    actual = found.get("BucketRegion") or region
    if actual != region:
        raise InvalidError(
            f"The bucket {bucket} is in {actual}; SageMaker needs it in {region}.",
            "Choose a bucket of that region, or leave it empty.",
        )
