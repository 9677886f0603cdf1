"""A stand-in for the Hugging Face hub that really serves files: over HTTP, on a port of this machine.

It answers what ``huggingface_hub`` asks for a download: what a model is, the tree of a commit, and its files. A large
file is behind a redirect to another host, as on the hub.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

TOKEN = "hf_standin"


def commit_of(text: str) -> str:
    """Forty hex digits, as git has them."""
    return hashlib.sha1(text.encode()).hexdigest()


@dataclass
class Repository:
    """One model: the folder with its files at each revision. ``refusal`` answers whoever has no token."""

    revisions: dict[str, Path]
    refusal: tuple[int, str] | None = None

    def commits(self) -> dict[str, Path]:
        return {commit_of(f"{name} {folder}"): folder for name, folder in self.revisions.items()}

    def resolved(self, revision: str) -> str | None:
        if revision in self.revisions:
            return commit_of(f"{revision} {self.revisions[revision]}")
        return revision if revision in self.commits() else None


@dataclass
class Hub:
    """The models by name, and every request that came."""

    models: dict[str, Repository] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    endpoint: str = ""
    tells_sizes: bool = True

    def add(self, name: str, refusal: tuple[int, str] | None = None, **revisions: Path) -> Repository:
        self.models[name] = Repository(revisions, refusal)
        return self.models[name]

    def downloads(self) -> list[str]:
        """The files that were sent since the last call, each as often as it was."""
        sent = [path.rpartition("/")[2] for method, path in self.requests if method == "GET" and "/api/" not in path]
        self.requests.clear()
        return sorted(sent)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        return

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        parts = path.strip("/").split("/")
        if parts[0] == "cdn":
            self._send_file(Path("/" + "/".join(parts[1:])), {})
            self.hub.requests.append((self.command, path))
        elif parts[:2] == ["api", "models"]:
            self.hub.requests.append((self.command, path))
            self._api("/".join(parts[2:4]), parts[4], parts[5])
        elif "resolve" in parts:
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]), path)
        else:
            self._refuse(404, "RepoNotFound")

    def _api(self, name: str, topic: str, revision: str) -> None:
        model = self.hub.models.get(name)
        if model is None:
            return self._refuse(404, "RepoNotFound")
        if model.refusal is not None and model.refusal[1] != "GatedRepo" and not self._has_token():
            return self._refuse(*model.refusal)
        commit = model.resolved(revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        folder = model.commits()[commit]
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        if topic == "tree":
            entries = [
                {"type": "file", "path": n, "size": f.stat().st_size, "oid": _digest(f)} for n, f in files.items()
            ]
            return self._send_json(entries)
        siblings = [{"rfilename": n, "size": f.stat().st_size, "blobId": _digest(f)} for n, f in files.items()]
        told = siblings if self.hub.tells_sizes else [{"rfilename": file["rfilename"]} for file in siblings]
        return self._send_json({"id": name, "modelId": name, "sha": commit, "siblings": told, "tags": []})

    def _resolve(self, name: str, revision: str, file: str, asked: str) -> None:
        model = self.hub.models.get(name)
        commit = None if model is None else model.resolved(revision)
        if model is None or commit is None:
            return self._refuse(404, "RepoNotFound" if model is None else "RevisionNotFound")
        if model.refusal is not None and not self._has_token():
            return self._refuse(*model.refusal)
        path = model.commits()[commit] / file
        if not path.is_file():
            return self._refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        if path.suffix != ".safetensors":
            self.hub.requests.append((self.command, asked))
            return self._send_file(path, {"X-Repo-Commit": commit})
        linked = {"X-Linked-ETag": f'"{_digest(path)}"', "X-Linked-Size": str(path.stat().st_size)}
        self.send_response(302)
        location = {
            "Location": f"{self.hub.endpoint.replace('127.0.0.1', 'localhost')}/cdn{path}",
            "X-Repo-Commit": commit,
            "Content-Length": "0",
        }
        return self._headers({**location, **linked})

    def _has_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _send_json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send_file(self, path: Path, headers: Mapping[str, str]) -> None:
        self._send(200, path.read_bytes(), {"ETag": f'"{_digest(path)}"', **headers})

    def _refuse(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        named = {"X-Error-Code": code} if code else {}
        self._send(status, b"", {**named, **(headers or {})})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self._headers({"Content-Length": str(len(body)), **headers})
        if self.command == "GET":
            self.wfile.write(body)

    def _headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """A hub without models, until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(hub: Hub, cache: Path, **more: str) -> dict[str, str]:
    """The environment of a process that uses this hub, and a cache of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    own = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(cache), "NO_PROXY": "*", "no_proxy": "*"}
    return {**kept, **own, **more}
