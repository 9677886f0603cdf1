"""Problem sets by name: one source per file of this package, and those that other packages add."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import traceback
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evalharness.errors import EvalHarnessError, ProblemError
from evalharness.extensions import extension_named, extension_names, own_modules
from evalharness.problems import human_eval_form, humaneval
from evalharness.records import DEFAULT_LANGUAGE
from evalharness.settings.environment import variable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from evalharness.records import Problem, Release


class ProblemSource(Protocol):
    """One problem set: a module of this package, or a module or an object of another package.

    A source may also have:

    - ``recognises(text)``: whether the text of a JSONL file is this set's own file;
    - ``ELSEWHERE``: where the data comes from if it is not installed and no path is named;
    - ``names_of(problem)``: other names than its task id that a problem of the set has in files of other tools;
    - ``prompts_of(problem)``: other prompts than its own that tools ask for it with;
    - ``release_of(paths)``: which published file the problems are from, as a :class:`evalharness.records.Release`.

    ``names_of`` and ``prompts_of`` return a tuple of strings, empty for a problem that is not of the set.
    """

    NAME: str

    def load(self, paths: Mapping[str, Path], /) -> tuple[Problem, ...]:
        """Load all problems; ``paths`` has the file of each set that the user names one for, by ``NAME``.

        Raises ProblemError if they can't be read.
        """


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """Problems under one name. ``digest`` is the sha256, in hex, of their content.

    ``package`` is the package that the set comes from, None if it is this one or a user's own file; ``release`` is the
    published file, None if the set does not name one.
    """

    name: str
    problems: tuple[Problem, ...]
    digest: str
    package: str | None = None
    release: Release | None = None

    def first(self, count: int) -> ProblemSet:
        """The set of its first ``count`` problems: what ``--limit`` makes of it."""
        return self._of(self.problems[:count])

    def only(self, task_ids: Collection[str]) -> ProblemSet:
        """The set of these problems alone."""
        return self._of(tuple(problem for problem in self.problems if problem.task_id in task_ids))

    def _of(self, kept: tuple[Problem, ...]) -> ProblemSet:
        return self if len(kept) == len(self.problems) else replace(self, problems=kept, digest=digest(kept))

    def names_of(self, problem: Problem) -> tuple[str, ...]:
        """Other names than its task id that a problem has in files of other tools."""
        return self._from_sources("names_of", problem)

    def prompts_of(self, problem: Problem) -> tuple[str, ...]:
        """Other prompts than its own that tools ask for a problem with."""
        return self._from_sources("prompts_of", problem)

    def _from_sources(self, function: str, problem: Problem) -> tuple[str, ...]:
        """What the sources of this package and the set's own say: a user's file may contain any set's problems."""
        extension = None if self.package is None else extension_named("problems", self.name)
        sources = (*own_sources().values(), *(() if extension is None else (extension.guarded,)))
        functions = (getattr(source, function, None) for source in sources)
        return tuple(text for ask in functions if ask is not None for text in ask(problem))


@cache
def own_sources() -> Mapping[str, ProblemSource]:
    """The sources of this package by their names."""
    return {module.NAME: module for module in own_modules("evalharness.problems", "NAME")}


def problem_set_names() -> tuple[str, ...]:
    """The names of all sets: those of this package, then those that other packages add. Loads none of them."""
    return tuple(dict.fromkeys((*own_sources(), *extension_names("problems"))))


def load_problems(
    name_or_path: str | os.PathLike[str],
    *,
    limit: int | None = None,
    paths: Mapping[str, Path] | None = None,
    environment: Mapping[str, str],
) -> ProblemSet:
    """Load a set by its name, or your own by the path of its JSONL file or by the name that you declared for it.

    ``limit`` keeps the first ``limit`` problems. ``paths`` has files by name: of sets that are not installed, and of
    your own. After it, ``EVALHARNESS_<NAME>`` in ``environment`` is used. A path to an installed set's own file gives
    that set. Raises ProblemError if the name is unknown, the file can't be read or has faulty rows, the set has no
    problems, or ``limit`` is below 1, and ExtensionError if the package that adds the set is broken.
    """
    if limit is not None and limit < 1:
        raise ProblemError(f"limit is {limit}, expected at least 1")
    asked = os.fspath(name_or_path)
    known = {**_paths_in(environment, asked), **{name: Path(path) for name, path in (paths or {}).items()}}
    name, problems, package, release = _named(asked, known) or _declared(asked, known) or _from_path(asked)
    kept = problems[:limit]
    if not kept:
        raise ProblemError(f"the problem set {name!r} has no problems")
    return ProblemSet(name, kept, digest(kept), package, release)


_Loaded = tuple[str, tuple["Problem", ...], str | None, "Release | None"]
"""The name of a set, its problems, the package that it comes from, and the release that it is."""


_LEFT_OUT = (("language", DEFAULT_LANGUAGE), ("inputs", None))
_ONCE_IN_PROCESS = frozenset({"MBPP/367", "MBPP/601", "MBPP/927"})
"""Problems whose tests ran beside the program in earlier versions; what they ask is the same."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """In words, how many problems a set has and where they are; or, with ``fault``, why it can't be loaded."""

    words: str
    fault: bool = False


def where_problems_are(
    environment: Mapping[str, str], paths: Mapping[str, Path] | None = None
) -> dict[str, Whereabouts]:
    """The whereabouts of each set by its name: those of :func:`problem_set_names`, then those declared in ``paths``."""
    names = dict.fromkeys((*problem_set_names(), *(paths or {})))
    return {name: _where(name, environment, paths or {}) for name in names}


def _where(name: str, environment: Mapping[str, str], paths: Mapping[str, Path]) -> Whereabouts:
    path = {**_paths_in(environment, name), **paths}.get(name)
    elsewhere = getattr(own_sources().get(name), "ELSEWHERE", None)
    if path is None and elsewhere is not None:
        return Whereabouts(str(elsewhere))
    try:
        loaded = load_problems(name, paths=paths, environment=environment)
    except EvalHarnessError as error:
        return Whereabouts(str(error), fault=True)
    package = "the installed packages" if loaded.package is None else f"the package {loaded.package}"
    return Whereabouts(f"{len(loaded.problems)} problems, {f'in {package}' if path is None else path}")


def yardsticks(task_ids: Collection[str]) -> tuple[Problem, ...]:
    """The problems of HumanEval with these ids, which every installation has."""
    return tuple(problem for problem in humaneval.load({}) if problem.task_id in task_ids)


def digest(problems: tuple[Problem, ...]) -> str:
    """The sha256, in hex, of the problems as canonical JSON: every field, in the order given."""
    canonical = json.dumps(list(map(_row, problems)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _row(problem: Problem) -> dict[str, Any]:
    """As earlier versions had it, so that digests are theirs: without the default language and what a problem lacks."""
    row = {k: v for k, v in asdict(problem).items() if (k, v) not in _LEFT_OUT}
    return row | {"judged": "in_process"} if problem.task_id in _ONCE_IN_PROCESS else row


def _paths_in(environment: Mapping[str, str], asked: str) -> dict[str, Path]:
    """The files that the environment names: of all installed sets, and of the one that is asked for."""
    named = {name: environment.get(variable(name)) for name in (*problem_set_names(), asked)}
    return {name: Path(path).expanduser() for name, path in named.items() if path}


def _named(asked: str, paths: Mapping[str, Path]) -> _Loaded | None:
    if asked in own_sources():
        return _own(asked, paths)
    extension = extension_named("problems", asked)
    return None if extension is None else (asked, tuple(extension.guarded.load(paths)), extension.package, None)


def _own(name: str, paths: Mapping[str, Path]) -> _Loaded:
    source = own_sources()[name]
    problems, release_of = _loaded(source, paths), getattr(source, "release_of", None)
    return name, problems, None, None if release_of is None else release_of(paths)


def _loaded(source: ProblemSource, paths: Mapping[str, Path]) -> tuple[Problem, ...]:
    try:
        return tuple(source.load(paths))
    except EvalHarnessError:
        raise
    except Exception as error:  # a file that somebody added may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        message = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise ProblemError(f"the problem set {source.NAME!r} can't be loaded: {message} ({where})") from error


def _declared(asked: str, paths: Mapping[str, Path]) -> _Loaded | None:
    """A set that only its user knows, by the name that the manifest, an option or the environment declares for it."""
    return (asked, *_from_file(paths[asked])[1:]) if asked in paths else None


def _from_path(asked: str) -> _Loaded:
    path = Path(asked)
    if not asked or not (path.exists() or _looks_like_a_path(asked)):
        raise ProblemError(_unknown(asked))
    return _from_file(path)


def _from_file(path: Path) -> _Loaded:
    text = human_eval_form.read_text(path)
    for name, source in own_sources().items():
        recognises = getattr(source, "recognises", None)
        if recognises is not None and recognises(text):
            return _own(name, {name: path})
    return Path(path.name.removesuffix(".gz")).stem, human_eval_form.load(path), None, None


def _looks_like_a_path(asked: str) -> bool:
    return os.sep in asked or asked.endswith((".jsonl", ".json", ".gz"))


def _unknown(asked: str) -> str:
    names = problem_set_names()
    nearest = difflib.get_close_matches(asked.lower(), names, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return (
        f"unknown problem set {asked!r}, expected {', '.join(names)}, the path of a .jsonl file, "
        f'or a name that evalharness.toml declares with [problems.NAME] path = "…"{hint}'
    )
