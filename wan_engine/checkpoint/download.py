# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching published checkpoints from the hub, through huggingface_hub, into a folder of the user's choice.

The first download of a folder settles the commit and writes it into `wan_previs.download.json` beside the files; later
ones stay with it. Every file is checked against the hub's checksum. What an interrupted download has of a file stays
as `NAME.partial` and is gone on with.

Files come by huggingface_hub's `http_get`, not by `hf_hub_download` or `snapshot_download`: those of release 2.4 delete
what a broken download had, tens of gigabytes at times, compare sizes instead of checksums, and may use Xet transfers,
which pass by the limits of `hub_limits.py`.

The address of the hub is the variable HF_ENDPOINT's, as everywhere in huggingface_hub; so are its token and its switch
HF_HUB_OFFLINE.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import httpx2
from filelock import FileLock, Timeout
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, filter_repo_objects

from ..errors import CheckpointError, GenerationError, UsageError, reason_of
from ..text_files import parsed, read_text
from . import distilled
from .hub_limits import Limits, patient_but_not_for_ever
from .hub_private import http_get
from .layout import RECORD
from .model import Model
from .models import ROWS

SCHEMA = "wan_previs.download/1"
OnProgress = Callable[[dict], None]

_BETWEEN_EVENTS = 0.2  # seconds
_MOST_FILES = 10_000  # of a repository; the published ones have less than a hundred
_LARGEST = 1 << 50  # bytes of a file; no disk holds more
_LONGEST_NAME = 200  # letters of a file's or folder's name, with room for ".partial"
_COMMIT = re.compile("[0-9a-f]{40}")
_DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_TEXT = ("models_t5_umt5-xxl-enc-bf16.pth", "google/umt5-xxl/tokenizer.json")
_DENSE = ("config.json", "diffusion_pytorch_model*.safetensors", "diffusion_pytorch_model.safetensors.index.json")
_EXPERTS = tuple(f"{expert}_noise_model/{name}" for expert in ("high", "low") for name in _DENSE)
_CLIP = "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth"


@dataclass(frozen=True)
class Published:
    """A repository of the hub and the patterns of the files a checkpoint needs of it; each pattern must find some,
    but those of an index, which only models in several pieces have.

    `revision` is a commit, or a branch whose newest commit is taken the first time.
    """

    repo: str
    files: tuple[str, ...]
    revision: str = "main"


def _published(row: Model) -> Published:
    """What the published folder of a model holds that is needed, by its experts, autoencoder and modules."""
    transformer = _EXPERTS if row.experts == 2 else _DENSE
    autoencoder = "Wan2.2_VAE.pth" if row.latent_channels == 48 else "Wan2.1_VAE.pth"
    return Published(row.repo, (*transformer, autoencoder, *_TEXT, *([_CLIP] if row.clip_pictures else [])))


MODELS: dict[str, Published] = {row.name: _published(row) for row in ROWS if row.name} | {
    lora.name: Published(lora.repo, tuple(lora.files.values())) for lora in distilled.ROWS
}


@dataclass(frozen=True)
class _File:
    """One file of the hub. `digest` is the SHA-256 of large files, else the git blob id (SHA-1)."""

    name: str
    size: int
    digest: str

    @classmethod
    def of(cls, entry: RepoFile) -> _File:
        """Raises ValueError for a size or a digest that is none."""
        told = (entry.size, entry.blob_id) if entry.lfs is None else (entry.lfs.size, entry.lfs.sha256)
        return cls.stated(entry.path, *told)

    @classmethod
    def stated(cls, name: str, size: Any, digest: Any) -> _File:
        """A file by what others say of it. Raises ValueError for a size or a digest that is none."""
        if type(size) is not int or not 0 <= size <= _LARGEST:
            raise ValueError(f"a size is {size!r:.40}")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ValueError(f"a checksum is {digest!r:.80}")
        return cls(name, size, digest)

    def fits(self, path: Path) -> bool:
        """Whether the file at `path` has this content; reads all of it."""
        if path.stat().st_size != self.size:
            return False
        begun = hashlib.sha256() if len(self.digest) == 64 else hashlib.sha1(b"blob %d\0" % self.size)
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: begun).hexdigest() == self.digest


@dataclass
class _Record:
    """`wan_previs.download.json`: which commit the folder holds, and what of it has been checked.

    `files` maps a name to size, digest and, once checked, the time of the file's last change.
    """

    path: Path
    model: str
    repo: str
    commit: str
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, model: str) -> _Record | None:
        """The folder's record, None without one. Raises UsageError when it is that of another model,
        CheckpointError when it is damaged.
        """
        path = folder / RECORD
        try:
            data = parsed(read_text(path))
            if data["schema"] != SCHEMA:
                raise ValueError(f"its schema is {data['schema']!r}")
            record = cls(path, str(data["model"]), str(data["repo"]), str(data["commit"]), dict(data["files"]))
            for name in record.files:
                _check_name(name, record.repo)
            record.wanted()
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} cannot be read ({reason_of(error)}). Remove it and download again; files that are whole are "
                "kept."
            ) from error
        if (record.model, record.repo) != (model, MODELS[model].repo):
            raise UsageError(f"{folder} holds {record.model}; choose another folder for {model}.")
        return record

    def write(self) -> None:
        data = {"schema": SCHEMA, "model": self.model, "repo": self.repo, "commit": self.commit, "files": self.files}
        partial = self.path.with_name(f"{self.path.name}.partial")
        partial.write_text(json.dumps(data, indent=1), encoding="utf-8")
        os.replace(partial, self.path)

    def wanted(self) -> list[_File]:
        """Raises ValueError, KeyError or TypeError for a record that was changed by hand."""
        return [_File.stated(name, fact["size"], fact["digest"]) for name, fact in self.files.items()]

    def has(self, file: _File) -> bool:
        """Whether the file is there and whole; one that has changed since it was checked is read again."""
        path = self.path.parent / file.name
        if not path.is_file():
            return False
        if path.stat().st_mtime_ns == self.files[file.name].get("checked"):
            return path.stat().st_size == file.size
        if not file.fits(path):
            return False
        self.tick(file)
        return True

    def tick(self, file: _File) -> None:
        """Note that the file has been checked."""
        self.files[file.name]["checked"] = (self.path.parent / file.name).stat().st_mtime_ns
        self.write()


class _Progress:
    """Bytes of the whole download as events {"event": "download", "file", "done", "total"}, a few per second.

    `bar` is what huggingface_hub takes for a progress bar.
    """

    def __init__(self, tell: OnProgress, done: int, total: int) -> None:
        self.tell, self.done, self.total = tell, done, total
        self.file = ""
        self._others, self._size = done, total
        self._told = 0.0

    def begin(self, file: str, begun: int, size: int) -> None:
        """`file` of `size` bytes is next, of which `begun` are there and counted."""
        self.file, self._others, self._size = file, self.done - begun, size
        self.show()

    def restart(self) -> None:
        """What was there of the file has been thrown away."""
        self.done = self._others

    def update(self, n: int | float | None = 1) -> None:
        self.done += int(n or 0)
        if self.done - self._others > self._size:
            raise GenerationError(f"More comes than {self.file} has; start again: it goes on from here.")
        if time.monotonic() - self._told >= _BETWEEN_EVENTS:
            self.show()

    def show(self) -> None:
        self._told = time.monotonic()
        self.tell({"event": "download", "file": self.file, "done": self.done, "total": self.total})

    @contextmanager
    def bar(self, initial: int = 0, **_: Any) -> Iterator[_Progress]:
        self.done = self._others + initial  # 0 when the server begins anew
        yield self


def fetch(model: str, folder: Path, on_progress: OnProgress = lambda event: None, offline: bool = False) -> Path:
    """Have the files of `model`, a key of MODELS, in `folder`, whole and checked; returns the folder.

    `on_progress` gets {"event": "download", "file", "done": bytes, "total": bytes} and, for a damaged file that is
    fetched again, {"event": "note", "message"}. With `offline` (or HF_HUB_OFFLINE) nothing is fetched: the folder is
    only looked through, and no connection is opened.

    Raises UsageError for an unknown model, an unfit folder, too little space, or offline when something is missing;
    CheckpointError when the hub does not have or not give the files, or gives damaged ones; GenerationError when the
    connection breaks or the disk is full (what has come stays, and the next call goes on from there). Ctrl-C stops
    it alike.
    """
    if model not in MODELS:
        raise UsageError(f"{model!r} is no model that can be downloaded; choose one of {', '.join(MODELS)}.")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give a folder for the checkpoint.")
    if offline or constants.is_offline_mode():
        return _look_through(model, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".wan_previs.download.lock", timeout=0):
            endpoint = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
            with patient_but_not_for_ever(endpoint) as limits:
                return _Download(model, folder, on_progress, endpoint, limits).run()
    except Timeout:
        raise UsageError(f"Another download into {folder} is at work; wait for it, or choose another folder.") from None
    except OSError as error:
        raise GenerationError(
            f"{error.filename or folder} cannot be written ({error.strerror or error}); make room there, or choose "
            "another folder, and start again: it goes on from here."
        ) from error


def _look_through(model: str, folder: Path) -> Path:
    record = _Record.read(folder, model)
    if record is None or not record.files:
        raise UsageError(
            f"{model} has not been downloaded into {folder}, and the offline switch forbids to do it now. "
            "Choose the folder that holds it, or allow to go online."
        )
    missing = [file.name for file in record.wanted() if not record.has(file)]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(
            f"{folder} lacks {missing[0]}{others}, whole and unchanged, and the offline switch forbids to fetch it. "
            "Allow to go online, and download again."
        )
    return folder


class _Download:
    """One fetch of one model into one folder."""

    def __init__(self, model: str, folder: Path, tell: OnProgress, endpoint: str, limits: Limits) -> None:
        self._model, self._folder, self._tell = model, folder, tell
        self._source = MODELS[model]
        self._endpoint, self._limits = endpoint, limits

    def run(self) -> Path:
        record = self._settle()
        files = record.wanted()
        missing = [file for file in files if not record.has(file)]
        self._check_space(missing)
        total = sum(file.size for file in files)
        progress = _Progress(self._tell, total - sum(file.size - self._begun(file) for file in missing), total)
        for file in missing:
            progress.begin(file.name, self._begun(file), file.size)
            self._have(file, record, progress)
        progress.show()
        return self._folder

    def _settle(self) -> _Record:
        """The commit to take and its files; asks the hub unless the folder's record tells."""
        record = _Record.read(self._folder, self._model)
        if record is not None and record.files:
            return record
        repo = self._source.repo
        with self._words(f"the list of {repo}'s files"), self._limits.listing():
            commit, wanted = self._listed(repo)
        for pattern in self._source.files:
            found = filter_repo_objects((file.name for file in wanted), allow_patterns=pattern)
            if not pattern.endswith(".index.json") and next(found, None) is None:
                raise CheckpointError(f"{repo} at {commit[:12]} has no file {pattern}; it is not laid out as expected.")
        record = _Record(self._folder / RECORD, self._model, repo, commit)
        record.files = {file.name: {"size": file.size, "digest": file.digest} for file in wanted}
        record.write()
        return record

    def _listed(self, repo: str) -> tuple[str, list[_File]]:
        """The newest commit and its files that are needed."""
        api = HfApi(endpoint=self._endpoint)
        commit = api.model_info(repo, revision=self._source.revision).sha
        if commit is None or not _COMMIT.fullmatch(commit):
            raise ValueError(f"{commit!r} is no commit")
        tree = list(islice(api.list_repo_tree(repo, recursive=True, revision=commit), _MOST_FILES + 1))
        if len(tree) > _MOST_FILES:
            raise ValueError(f"{repo} has more than {_MOST_FILES} files")
        files = [entry for entry in tree if isinstance(entry, RepoFile)]
        for entry in files:
            _check_name(entry.path, repo)
        needed = filter_repo_objects(files, allow_patterns=[*self._source.files], key=lambda entry: entry.path)
        return commit, [_File.of(entry) for entry in needed]

    def _partial(self, file: _File) -> Path:
        return self._folder / f"{file.name}.partial"

    def _begun(self, file: _File) -> int:
        """Bytes that an earlier download left of the file."""
        partial = self._partial(file)
        if not partial.is_file():
            return 0
        if partial.stat().st_size > file.size:
            partial.unlink()
            return 0
        return partial.stat().st_size

    def _check_space(self, missing: list[_File]) -> None:
        need = sum(file.size - self._begun(file) for file in missing)
        free = shutil.disk_usage(self._folder).free
        if need > free:
            raise UsageError(
                f"{self._model} needs {_gigabytes(need)} more in {self._folder}, where {_gigabytes(free)} are free; "
                "make room, or choose another folder."
            )

    def _have(self, file: _File, record: _Record, progress: _Progress) -> None:
        """Fetch the file and check it; one that comes damaged is fetched once more from its beginning."""
        target, partial = self._folder / file.name, self._partial(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        for last in (False, True):
            self._transfer(file, record.commit, partial, progress)
            if file.fits(partial):
                os.replace(partial, target)
                record.tick(file)
                return
            partial.unlink()
            progress.restart()
            if not last:
                words = f"{file.name} came damaged (its checksum differs) and is fetched again."
                self._tell({"event": "note", "message": words})
        raise CheckpointError(
            f"{file.name} came damaged twice: its checksum is not the one that {self._source.repo} states. "
            "Look at proxies and mirrors on the way, and download again."
        )

    def _transfer(self, file: _File, commit: str, partial: Path, progress: _Progress) -> None:
        """Append to `partial` what is missing of the file."""
        begun = self._begun(file)
        url = hf_hub_url(self._source.repo, file.name, revision=commit, endpoint=self._endpoint)
        with self._words(file.name), partial.open("r+b" if begun else "wb") as out:
            out.seek(begun)
            http_get(
                url,
                out,
                resume_size=begun,
                headers=build_hf_headers(),
                expected_size=file.size,
                displayed_filename=file.name,
                tqdm_class=progress.bar,  # type: ignore[arg-type]
            )

    @contextmanager
    def _words(self, what: str) -> Iterator[None]:
        """Turn what huggingface_hub raises into errors that say what to do."""
        repo, hub = self._source.repo, self._endpoint
        try:
            yield
        except GatedRepoError as error:
            raise CheckpointError(
                f"{repo} asks to accept its terms first: do so on its page at {hub}, log in with `hf auth login`, and "
                "download again."
            ) from error
        except RepositoryNotFoundError as error:
            raise CheckpointError(
                f"The hub at {hub} has no {repo}, or does not show it without a login (`hf auth login`)."
            ) from error
        except RevisionNotFoundError as error:
            raise CheckpointError(
                f"The hub has the commit of {repo} that {RECORD} names no more; remove that file to take the newest."
            ) from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in (401, 403):
                raise CheckpointError(
                    f"The hub at {hub} does not allow to fetch {what} of {repo} (status {status}); log in with "
                    "`hf auth login` or set HF_TOKEN."
                ) from error
            if status == 404:
                raise CheckpointError(f"The hub at {hub} does not have {what} of {repo} (status 404).") from error
            raise GenerationError(
                f"The hub at {hub} failed at {what} (status {status}); try again later, it goes on from here."
            ) from error
        except HTTPError as error:
            raise GenerationError(
                f"The connection to the hub at {hub} broke at {what} ({error or type(error).__name__}). "
                "Look at the network, and start again: it goes on from here."
            ) from error
        except OSError as error:
            if error.errno is not None:
                raise GenerationError(
                    f"{what} cannot be written ({error.strerror}); make room in {self._folder}, and start again: it "
                    "goes on from here."
                ) from error
            raise GenerationError(f"{what} ended too early or too late; start again: it goes on from here.") from error
        except (httpx2.InvalidURL, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise CheckpointError(
                f"What answers at {hub} is no hub ({reason_of(error)}). Look at proxies and mirrors on the way, and at "
                "HF_ENDPOINT."
            ) from error


def _check_name(name: str, repo: str) -> None:
    """Raises CheckpointError for the name of a file that would not lie below the folder, on any system, or that is too
    long for one."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or any(sign in name for sign in ("\\", ":", "\0")):
        raise CheckpointError(f"{repo} has a file named {name!r}, which would leave the folder.")
    if any(len(part.encode("utf-8", "replace")) > _LONGEST_NAME for part in path.parts):
        raise CheckpointError(f"{repo} has a file named {name[:40]!r} and so on, which is too long for a disk.")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
