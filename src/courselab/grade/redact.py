"""Taking secrets out of what was collected, before anything else sees it, and cutting what is too large.

Two ways work together. By place: data of Secrets, values of environment variables and settings whose name says so, tokens, keys
and JWTs by their shape, files that are secret as a whole. By value: whatever was found secret that way is looked for in all free
text (logs, annotations, events, ConfigMaps, arguments, files, facts, probe results).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import msgspec

from courselab.grade import redacted
from courselab.grade.dig import Obj, table

TEXT_LIMIT = 16 * 1024
OBJECT_LIMIT_BYTES = 256 * 1024
_LEARN_SHORTEST, _LEARN_LONGEST, _LEARN_MOST = 6, 4096, 400
_MOST_CERTIFICATES, _LONGEST_CERTIFICATE = 4, 8192
_DEPTH_LIMIT = 60

_WORDS = "password|passwd|passphrase|secret|token|credentials?|apikey|api[_-]?key|private[_-]?key|access[_-]?key|key[_-]?data"
_SECRET_NAME = re.compile(rf"(?i)(?:^|[_.\-/]|(?<=[a-z])(?=[A-Z]))(?:{_WORDS})(?:$|[_.\-/0-9])|(?:{_WORDS})$")
_SETTING = re.compile(rf"(?i)((?:{_WORDS})[\w.\-]{{0,40}}[\"']?\s{{0,8}}[=:]\s{{0,8}}[\"']?)([^\s\"'#,;&]{{4,}})")
_IN_URL = re.compile(r"(://[^\s:/@]{1,64}:)([^\s@/]{1,256})(@)")
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{8,}")
_K3S_TOKEN = re.compile(r"K10([0-9a-f]{64})::([A-Za-z0-9_-]+)([.:])([^\s\"',]+)")
_PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.S)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_SECRET_FILE = re.compile(r"(?i)(^|/)((node-|agent-)?token|[^/]*\.key|id_[a-z0-9]+|passwd|shadow|password[^/]*|[^/]*secret[^/]*)$")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_BOOTSTRAP_TOKEN = "bootstrap.kubernetes.io/token"  # noqa: S105 a type
_MASK = "‹secret›"
_PLAIN_WORDS = {"permission", "required", "missing", "invalid", "cannot", "must", "open"}  # exec: "/etc/passwd": permission denied


class Redactor:
    """Cleans the parts of one Evidence. `key` is the lab's, see courselab.grade.redacted; `public` are values never taken as secret."""

    def __init__(self, key: str, public: Iterable[str] = ()) -> None:
        self._key = key
        self._public = set(public)
        self._known: set[str] = set()
        self._longest_first: list[str] = []  # one may be a part of another, whose rest would stay
        self.trimmed: list[str] = []  # what was cut, in words
        self.cuts = 0  # how often something was

    # What is secret -----------------------------------------------------------------------------------------------------------

    def learn(self, value: str | bytes) -> None:
        """Remember a secret value, so that it is found wherever else it stands."""
        text = value.decode("utf-8", "ignore") if isinstance(value, bytes) else value
        if text.strip() in self._public:  # also with a newline behind it, as files have
            return
        for form in (text, text.strip(), base64.b64encode(text.strip().encode()).decode(), base64.b64encode(text.encode()).decode()):
            if _LEARN_SHORTEST <= len(form) <= _LEARN_LONGEST and form not in self._public and len(self._known) < _LEARN_MOST:
                self._known.add(form)
        if len(self._longest_first) < len(self._known):
            self._longest_first = sorted(self._known, key=lambda secret: (-len(secret), secret))

    def learn_secrets(self, secrets: Iterable[Obj]) -> bool:
        """Remember the values of Secret objects, as the API gave them. Whether there were new ones among them."""
        before = len(self._known)
        for secret in secrets:
            for key, value in table(secret, "data").items():
                if secret.get("type") == _BOOTSTRAP_TOKEN and key != "token-secret":
                    continue  # its id, end and description are for everybody: `k3s token list` prints them
                raw = _decoded(value)
                if b"-----BEGIN CERTIFICATE" not in raw[:64]:  # a certificate is public
                    self.learn(raw)
        return len(self._known) > before

    # Cleaning -----------------------------------------------------------------------------------------------------------------

    def object(self, obj: Obj) -> Obj:
        """A Kubernetes object without secrets and managedFields, with long texts cut. Changes and returns `obj`."""
        metadata = table(obj, "metadata")
        metadata.pop("managedFields", None)
        annotations = table(metadata, "annotations")
        if _APPLIED in annotations:
            annotations[_APPLIED] = "(left out)"
        kind = obj.get("kind")
        if kind == "Secret":
            self._secret_data(obj)
        elif kind == "ConfigMap":
            data = table(obj, "data")
            for key, value in data.items():
                data[key] = self._setting(key, value)
        elif kind in ("HelmChart", "HelmChartConfig"):
            self._helm_values(table(obj, "spec"))
        self._walk(obj, 0)
        size = len(msgspec.json.encode(obj))
        if size > OBJECT_LIMIT_BYTES:
            name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}".lstrip("/")
            self.note(f"{kind} {name}: {size >> 10} KiB, the first {OBJECT_LIMIT_BYTES >> 10} of it were kept")
            whole = {"apiVersion": obj.get("apiVersion"), "kind": kind, "metadata": metadata, **obj}
            obj.clear()
            obj.update(_within(whole, OBJECT_LIMIT_BYTES))
        return obj

    def text(self, text: str, limit: int = TEXT_LIMIT) -> str:
        """Free text without secrets, cut at `limit` characters."""
        if len(text) > limit:
            self.note(f"a text of {len(text)} characters")
            text = f"{text[:limit]} … (cut)"
        text = self._without_shapes(text)
        for secret in self._longest_first:
            if secret in text:
                text = text.replace(secret, _MASK)
        return text

    def _without_shapes(self, text: str) -> str:
        """The text without what looks like a secret, whether it is known as one or not."""
        if "PRIVATE KEY" in text:
            text = _PRIVATE_KEY.sub("‹private key›", text)
        if "K10" in text:
            text = _K3S_TOKEN.sub(_describe_k3s_token, text)
        if "eyJ" in text:
            text = _JWT.sub(_describe_jwt, text)
        if "=" in text or ":" in text:
            text = _SETTING.sub(self._mask_setting, text)
            text = _IN_URL.sub(rf"\1{_MASK}\3", text)
        return text

    def value(self, value: Any) -> Any:
        """Any JSON value (a fact, a probe's result): texts cleaned, a text that is a secret as a whole replaced by its place holder."""
        return self._each_text(value, self._whole_or_part, 0)

    def mapping(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Settings by name: those whose name says secret are replaced, the others cleaned (K3s's config, parameters)."""
        cleaned: dict[str, Any] = {}
        for key, value in values.items():
            if isinstance(value, dict):
                cleaned[key] = self.mapping(cast("dict[str, Any]", value))
            elif isinstance(value, str):
                cleaned[key] = self._setting(key, value)
            else:
                cleaned[key] = self.value(value)
        return cleaned

    def file(self, path: str, text: str) -> Any:
        """A file's content: text without secrets, or one place holder if the whole file is one."""
        if _SECRET_FILE.search(path) and text.strip() and not path.endswith("/etc/passwd"):
            self.learn(text)
            return self.secret(text)
        return self.text(text, limit=64 * 1024)

    def secret(self, value: str | bytes) -> dict[str, Any]:
        """The place holder of a secret value, with what is public of it: a JWT's claims, a token's kind, certificates."""
        holder = redacted.redact(value, self._key)
        inside: dict[str, Any] = holder[redacted.MARK]
        text = value.decode("utf-8", "ignore") if isinstance(value, bytes) else value
        certificates = _CERTIFICATE.findall(text)[:_MOST_CERTIFICATES] if "BEGIN CERTIFICATE" in text else []
        if certificates:
            inside["certificates"] = [pem for pem in certificates if len(pem) <= _LONGEST_CERTIFICATE]
        if found := _JWT.fullmatch(text.strip()):
            inside["jwt"] = _claims(found[0])
        if found := _K3S_TOKEN.fullmatch(text.strip()):
            inside["token"] = _token_parts(found)
        return holder

    # Inside -------------------------------------------------------------------------------------------------------------------

    def _secret_data(self, obj: Obj) -> None:
        data = table(obj, "data")
        for key, value in data.items():
            data[key] = self.secret(_decoded(value))
        obj.pop("stringData", None)

    def _helm_values(self, spec: Obj) -> None:
        """A chart's values. K3s keeps a copy of valuesContent in a Secret: as a whole it is none, only what it says may be."""
        content = spec.get("valuesContent")
        if isinstance(content, str):
            cleaned = self._without_shapes(content)
            for secret in self._longest_first:
                if secret.strip() != content.strip():
                    cleaned = cleaned.replace(secret, _MASK)
            spec["valuesContent"] = cleaned
        for key in ("set", "values"):
            if isinstance(spec.get(key), dict):
                spec[key] = self.mapping(spec[key])

    def _setting(self, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return self.value(value)
        if value and value not in self._public and _SECRET_NAME.search(name) and len(value) <= TEXT_LIMIT:
            self.learn(value)
            return self.secret(value)
        return self._whole_or_part(value)

    def _whole_or_part(self, text: str) -> Any:
        if text in self._known or _JWT.fullmatch(text) or _K3S_TOKEN.fullmatch(text):
            return self.secret(text)
        return self.text(text)

    def _mask_setting(self, found: re.Match[str]) -> str:
        value = found[2]
        public = value in self._public or value.startswith(("‹", "[", "{", "$")) or "://" in value or value in _PLAIN_WORDS
        return found[0] if public else found[1] + _MASK

    def _walk(self, node: Any, depth: int) -> None:
        """Clean the free-text places below a dict or list, and cut long texts anywhere."""
        if depth > _DEPTH_LIMIT:
            raise ValueError("an object is nested too deeply")
        is_dict = isinstance(node, dict)
        entries: Any = list(cast("Obj", node).items()) if is_dict else enumerate(cast("list[Any]", node))
        for key, value in entries:
            if isinstance(value, str):
                if key == "message" or len(value) > TEXT_LIMIT:
                    node[key] = self.text(value)
            elif isinstance(value, (dict, list)) and value:
                clean = _FREE_TEXT.get(key) if is_dict else None
                if clean is not None:
                    node[key] = clean(self, value)
                elif key not in _STRUCTURE and not redacted.is_redacted(value):
                    self._walk(value, depth + 1)

    def _env(self, entries: Any) -> Any:
        for entry in cast("list[Any]", entries):
            if isinstance(entry, dict) and isinstance(cast("Obj", entry).get("value"), str):
                entry["value"] = self._setting(str(cast("Obj", entry).get("name")), entry["value"])
        return entries

    def _texts(self, value: Any) -> Any:
        return self._each_text(value, self.text, 0)

    def _each_text(self, value: Any, clean: Callable[[str], Any], depth: int) -> Any:
        if depth > _DEPTH_LIMIT:
            return "… (nested too deeply)"
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, dict):
            entries = cast("dict[Any, Any]", value).items()
            if redacted.is_redacted(value):
                return cast("Any", value)
            return {str(key): self._each_text(item, clean, depth + 1) for key, item in entries}
        if isinstance(value, (list, tuple)):
            return [self._each_text(item, clean, depth + 1) for item in cast("list[Any]", value)]
        return value

    def note(self, what: str) -> None:
        """Say that something was cut."""
        self.cuts += 1
        if what not in self.trimmed and len(self.trimmed) < 100:
            self.trimmed.append(what)


# Keys of any object below which free text stands, and those below which only structure does.
_FREE_TEXT: dict[str, Callable[[Redactor, Any], Any]] = {
    "annotations": Redactor._texts,  # pyright: ignore[reportPrivateUsage]
    "command": Redactor._texts,  # pyright: ignore[reportPrivateUsage]
    "args": Redactor._texts,  # pyright: ignore[reportPrivateUsage]
    "env": Redactor._env,  # pyright: ignore[reportPrivateUsage]
}
_STRUCTURE = frozenset(
    {
        "labels",
        "matchLabels",
        "selector",
        "ownerReferences",
        "data",
        "images",
        "resources",
        "ports",
        "tolerations",
        "finalizers",
        "capacity",
        "allocatable",
        "securityContext",
        "volumeMounts",
    }
)


def _within(value: Any, room: int) -> Any:
    """As much from the beginning of a dict or list as fits into about `room` bytes of JSON. Keys stay, with less and less behind them."""
    if isinstance(value, dict) and not redacted.is_redacted(cast("Obj", value)):
        kept: Obj = {}
        for key, item in cast("Obj", value).items():
            if room <= 0:
                break
            kept[key] = _within(item, room)
            room -= len(key) + 4 + len(msgspec.json.encode(kept[key]))
        return kept
    if isinstance(value, list):
        items: list[Any] = []
        for item in cast("list[Any]", value):
            if room <= 0:
                break
            items.append(_within(item, room))
            room -= 1 + len(msgspec.json.encode(items[-1]))
        return items
    return cast("Any", value)


def is_secret_name(name: str) -> bool:
    """Whether a setting of this name is taken to be secret: DB_PASSWORD, api-key, agent-token."""
    return bool(_SECRET_NAME.search(name))


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except ValueError:
        return str(value).encode()


def _token_parts(found: re.Match[str]) -> dict[str, str]:
    # Bootstrap tokens read "id.secret", the others "user:password": https://docs.k3s.io/cli/token
    kind = "bootstrap" if found[3] == "." else found[2]
    return {"kind": kind, "id": found[2] if kind == "bootstrap" else "", "ca": found[1]}


def _describe_k3s_token(found: re.Match[str]) -> str:
    parts = _token_parts(found)
    name = f" id={parts['id']}" if parts["id"] else ""
    return f"‹K3s token kind={parts['kind']}{name} ca={parts['ca']}›"


def _claims(jwt: str) -> dict[str, Any]:
    """What a token says of itself, as far as it is plain: anybody may have written it, and what is nested is of no use to a check."""
    body = jwt.split(".")[1]
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return {}
    return {key: value for key, value in table({"": claims}, "").items() if isinstance(value, (str, int, float))}


def _describe_jwt(found: re.Match[str]) -> str:
    claims = _claims(found[0])
    shown = " ".join(f"{key}={claims[key]}" for key in ("sub", "exp") if key in claims)
    return f"‹JWT {shown}›" if shown else "‹JWT›"
