"""Builds the image without an engine: the Dockerfile's own instructions in a root of their own.

The root is this system's `/usr` and `/etc` below overlays, with this interpreter at `/usr/local`,
where the base image has its own. So a build runs every instruction as an engine would, but for two
things: the base image's files are this system's, and `uv` is not installed but lent.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.image import dockerfile
from tests.image.dockerfile import Instruction, Stage

BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
LOWER = {"usr": "/usr", "usr/local": sys.base_prefix, "etc": "/etc"}
"""What lies below the overlays of a root."""

BUILD_SECONDS = 900


@dataclass(slots=True)
class Root:
    """The files of a stage, and the settings that later instructions and containers get.

    Attributes:
        folder: Holds `root`, what is not below an overlay, and the overlays' own folders.
        env: Environment of its processes.
        labels: What `LABEL` says.
        arguments: What `ARG` says.
        user: Who its processes are.
        workdir: Where they start.
        command: What a container runs when nothing else is said.
    """

    folder: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": BASE_PATH})
    labels: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    workdir: str = "/"
    command: list[str] = field(default_factory=list)

    def path(self, inside: str) -> Path:
        """Where a path inside is on this system; not for what is below an overlay."""
        path = Path(os.path.normpath(Path(self.workdir, inside)))
        assert path.parts[1:2] not in [("usr",), ("etc",)], f"{path} is below an overlay"
        return self.folder / "root" / path.relative_to("/")


def build(root: Path, folder: Path) -> Root:
    """Run all stages of the project's Dockerfile; the last one's root is the image."""
    context = _context(root, folder / "context")
    roots: dict[str, Root] = {}
    result = None
    for number, stage in enumerate(dockerfile.stages((root / "Dockerfile").read_text())):
        result = _begin(stage, folder / f"{number}", roots)
        for instruction in stage.instructions:
            _apply(instruction, result, roots, context)
        roots[stage.name] = result
    assert result is not None
    return result


def _context(root: Path, folder: Path) -> Path:
    """A copy of what the build is given, as a checkout made with a strict mask would be."""
    for file in dockerfile.context_files(root):
        (folder / file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(root / file, folder / file)
        (folder / file).chmod(0o600)
    return folder


def _begin(stage: Stage, folder: Path, roots: Mapping[str, Root]) -> Root:
    if stage.base in roots:
        base = roots[stage.base]
        _link(base.folder, folder)
        return Root(folder, dict(base.env), dict(base.labels), {}, base.user, base.workdir)
    assert stage.base.startswith("python:"), f"{stage.base} is not a base that can be stood in for"
    _new_root(folder)
    root = Root(folder)
    _run("ldconfig", root)  # as the base image does, so that its Python finds its own library
    return root


def _new_root(folder: Path) -> None:
    inside = folder / "root"
    for name in ("data", "dev", "etc", "proc", "root/.cache/uv", "run", "tmp", "usr", "var"):
        (inside / name).mkdir(parents=True)
    (inside / "tmp").chmod(0o1777)
    (inside / "root").chmod(0o700)
    for name in ("bin", "lib", "lib64", "sbin"):
        (inside / name).symlink_to(f"usr/{name}")
    for name in LOWER:
        for part in ("upper", "work"):
            (folder / part / name.replace("/", "-")).mkdir(parents=True)
    _hide_packages(folder / "upper/usr-local")


def _hide_packages(upper: Path) -> None:
    """Leave of what this interpreter has installed only pip, which the base image has too."""
    packages = Path(sysconfig.get_path("purelib", vars={"base": sys.base_prefix}))
    inside = upper / packages.relative_to(sys.base_prefix)
    inside.mkdir(parents=True)
    os.setxattr(inside, "trusted.overlay.opaque", b"y")
    for found in packages.glob("pip*"):
        shutil.copytree(found, inside / found.name)


def _link(source: Path, target: Path) -> None:
    """Copy a tree with hard links: builds replace files, and never write into one."""
    subprocess.run(["cp", "--archive", "--link", source, target], check=True)


def _apply(instruction: Instruction, root: Root, roots: Mapping[str, Root], context: Path) -> None:
    known = root.env | root.arguments
    match instruction.word:
        case "ENV":
            root.env |= {
                name: dockerfile.expanded(value, known)
                for name, value in dockerfile.pairs(instruction).items()
            }
        case "ARG":
            root.arguments |= dockerfile.pairs(instruction)
        case "LABEL":
            root.labels |= {
                name: dockerfile.expanded(value, known)
                for name, value in dockerfile.pairs(instruction).items()
            }
        case "WORKDIR":
            root.workdir = instruction.text
            root.path(".").mkdir(parents=True, exist_ok=True)
        case "COPY":
            copy = dockerfile.copied(instruction)
            for source in copy.sources:
                origin = roots[copy.stage].path(source) if copy.stage else context / source
                _copy(origin, root, copy.target)
        case "USER":
            root.user = instruction.text
        case "CMD":
            root.command = dockerfile.command(instruction)
        case "RUN":
            _run(instruction.text, root)


def _copy(origin: Path, root: Root, target: str) -> None:
    assert not origin.is_symlink(), f"engines differ in what they make of the link {origin}"
    assert origin.exists(), f"{origin} is not there to be copied"
    if origin.is_dir():
        shutil.copytree(
            origin, root.path(target), symlinks=True, dirs_exist_ok=True, copy_function=_link_file
        )
    elif target.endswith("/"):
        _link_file(origin, root.path(target) / origin.name)
    else:
        _link_file(origin, root.path(target))


def _link_file(source: str | Path, target: str | Path) -> None:
    Path(target).unlink(missing_ok=True)
    os.link(source, target, follow_symlinks=False)


def _run(text: str, root: Root) -> None:
    if text.startswith("pip install"):
        _lend_uv(text, root)
        return
    env = {"HOME": "/root", **_index_settings(), **root.env}
    cache = [f"mount --bind {uv_cache()} {root.folder}/root/root/.cache/uv"]
    script = [*mounts(root), *cache, enter(root, env, [f"cd {root.workdir}", text])]
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", "\n".join(script)],
        capture_output=True, text=True, check=False, timeout=BUILD_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, f"RUN {text}\nended with {done.returncode}:\n{done.stderr[-4000:]}"


def _lend_uv(text: str, root: Root) -> None:
    *_, requirement = text.split()
    assert requirement.startswith("uv=="), f"{text!r} installs something else than a pinned uv"
    folder = root.folder / "upper/usr-local/bin"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(_uv(), folder / "uv")


def _uv() -> Path:
    """The `uv` that runs this session, or the one on the path, as a binary."""
    named = os.environ.get("UV") or shutil.which("uv")
    assert named is not None, "uv is not installed"
    # What is on the path may be a script that chooses among versions; uv tells its programs.
    command = [named, "run", "--no-project", "sh", "-c", 'echo "$UV"']
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return Path(told.stdout.strip())


def uv_cache() -> Path:
    """Where this system's uv keeps what it has downloaded."""
    told = subprocess.run([_uv(), "cache", "dir"], capture_output=True, text=True, check=True)
    return Path(told.stdout.strip())


def _index_settings() -> dict[str, str]:
    """What this system says of how to reach the package index, should uv's cache lack a file."""
    names = ("SSL_CERT_FILE", "UV_DEFAULT_INDEX", "UV_SYSTEM_CERTS")
    proxies = [name for name in os.environ if name.lower().endswith("_proxy")]
    return {name: os.environ[name] for name in (*names, *proxies) if name in os.environ}


def mounts(root: Root, *, read_only: bool = False, then: Sequence[str] = ()) -> list[str]:
    """Shell commands that put a root together, for a mount namespace of its own.

    Args:
        root: The root.
        read_only: Whether nothing can be written in it.
        then: What to run as long as it still can be.
    """
    inside = root.folder / "root"
    lines = [f"mount --bind {inside} {inside}"]
    for name, lower in LOWER.items():
        upper, work = (root.folder / part / name.replace("/", "-") for part in ("upper", "work"))
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        lines.append(f"mount -t overlay -o {options} overlay {inside}/{name}")
    lines += then
    if read_only:
        lines += [f"mount -o remount,bind,ro {inside}/{name}" for name in ("", *LOWER)]
    return [*lines, f"mount --rbind /dev {inside}/dev", f"mount -t proc proc {inside}/proc"]


def enter(root: Root, env: Mapping[str, str], inside: Sequence[str], become: str = "") -> str:
    """The shell command that goes into a root whose mounts are made, and runs lines there.

    Args:
        root: The root.
        env: The whole environment.
        inside: Lines of shell.
        become: The command that makes the process somebody else than root.
    """
    assignments = " ".join(shlex.quote(f"{name}={value}") for name, value in env.items())
    script = shlex.quote("\n".join(inside))
    return (
        f"exec chroot {root.folder}/root {become} "
        f"/usr/bin/env --ignore-environment {assignments} sh -ec {script}"
    )
