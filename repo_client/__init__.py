"""A client of the Moodle resources repository: for instances, scripts and tests.

    from repo_client import Repository

    with Repository("https://repo.example.org", token="mrr_…") as repository:
        resource = repository.share("course.mbz", licence="CC-BY-4.0", release=True)
        resource = repository.wait(resource.id)
        print(resource.url, resource.visibility)

It imports nothing of the service and needs httpx alone.
"""

from repo_client.client import Repository
from repo_client.errors import Problem, RepositoryError, Unreachable, UploadFailed, WrongSignature
from repo_client.records import Resource, Upload, Version, Webhook
from repo_client.webhooks import Message, verify

__all__ = [
    "Message",
    "Problem",
    "Repository",
    "RepositoryError",
    "Resource",
    "Unreachable",
    "Upload",
    "UploadFailed",
    "Version",
    "Webhook",
    "WrongSignature",
    "verify",
]
