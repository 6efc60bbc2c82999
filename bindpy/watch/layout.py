"""Which directories must be watched for a set of files, and which files an event in one of them concerns.

A *place* is the directory part of a path as it was given; all files below it share what is known about
it. A *directory* is a real one, watched once however many places lead to it. A file that is a symbolic link
has a further *hop*: the place and the name that the link leads to.

All of it belongs to one thread, but for `Directory.on_event`.
"""

# Paths are plain strings here: 100,000 of them are looked at in one scan.
# ruff: noqa: PTH115, PTH116

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from typing import Final

from bindpy.files import FileStamp
from bindpy.watch.kernel import DirectoryWatch, Kernel
from bindpy.watch.mounts import MountTable
from bindpy.watch.observe import Known
from bindpy.watch.route import Route, find_route

_MAX_HOPS: Final = 40
_MAX_TRIES: Final = 5


class File:
    """A watched path, what was known of it when it was reported last, and how many want to know.

    There may be 100,000: what one of them is made of is kept small. ``racy`` as in `Known`; None while
    somebody is about to read the file and to tell how it is.
    """

    __slots__ = ("links", "owners", "path", "place", "racy", "stamp")

    def __init__(self, path: str) -> None:
        self.path = path
        self.owners = 0  # how many: thousands of zones may be made of one file
        self.stamp: FileStamp | None = None
        self.racy: bool | None = False
        self.place: Place | None = None
        self.links: tuple[tuple[Place, str], ...] = ()  # the hops behind the first

    @property
    def known(self) -> Known:
        """How it was when it was last reported."""
        return Known(self.stamp, bool(self.racy))

    @known.setter
    def known(self, known: Known) -> None:
        self.stamp, self.racy = known

    @property
    def is_expected(self) -> bool:
        """Whether somebody is about to read it."""
        return self.racy is None

    @property
    def hops(self) -> tuple[tuple[Place, str], ...]:
        """The places and names on the way to it."""
        return () if self.place is None else ((self.place, self.path.rpartition("/")[2]), *self.links)

    @property
    def blind(self) -> bool:
        """Whether a change may go without an event, so that the file must be polled."""
        return any(place.blind for place, _ in self.hops)


class Place:
    """A directory by the path that was given for it. ``blind`` says why no event may come ("" if they do)."""

    __slots__ = ("blind", "directories", "entries", "identity", "path", "route")

    def __init__(self, path: str) -> None:
        self.path = path
        self.entries: dict[str, File | tuple[File, ...]] = {}  # by name; nearly always one
        self.route = Route(None, (), ())
        self.directories: tuple[Directory, ...] = ()
        self.blind = ""
        self.identity: tuple[int, int] | None = None

    def files(self, name: str) -> tuple[File, ...]:
        """Return the files that the entry *name* is a hop of."""
        found = self.entries.get(name, ())
        return found if isinstance(found, tuple) else (found,)

    def add(self, name: str, file: File) -> None:
        """Make the entry *name* a hop of *file*, which it is not yet."""
        others = self.entries.get(name)
        self.entries[name] = file if others is None else (*self.files(name), file)

    def drop(self, name: str, file: File) -> None:
        """Make the entry *name* a hop of *file* no longer."""
        rest = tuple(other for other in self.files(name) if other is not file)
        if rest:
            self.entries[name] = rest if len(rest) > 1 else rest[0]
        else:
            self.entries.pop(name, None)

    def present_identity(self) -> tuple[int, int] | None:
        """Return device and inode of what the path leads to now."""
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino


class Directory:
    """A real directory with its watch."""

    __slots__ = ("_sink", "path", "places", "turns", "users", "watch")

    def __init__(self, path: str, sink: Callable[[Directory, str, int], None]) -> None:
        self.path = path
        self.places: tuple[Place, ...] = ()  # that lead here: their files are entries of this directory
        self.turns: dict[str, tuple[Place, ...]] = {}  # entries that decide where these places are
        self.users: set[Place] = set()
        self.watch: DirectoryWatch | None = None
        self._sink = sink

    @property
    def wants_entries(self) -> bool:
        """Whether events of entries matter, and not only those of the directory itself."""
        return bool(self.places or self.turns)

    def lead(self, place: Place, route: Route) -> None:
        """Take in which entries matter to *place* on its *route*.

        Each attribute is replaced at once: `on_event` must never see it without what stays as it was.
        """
        others = tuple(other for other in self.places if other is not place)
        self.places = (*others, place) if self.path == route.real else others
        turns = {
            name: tuple(user for user in users if user is not place) for name, users in self.turns.items()
        }
        for turn in route.turns:
            if turn.directory == self.path:
                turns[turn.name] = (*turns.get(turn.name, ()), place)
        self.turns = {name: users for name, users in turns.items() if users}

    def on_event(self, name: str, mask: int) -> None:
        """Pass on what concerns a watched file or place. Runs on watchdog's thread, must be quick."""
        if not name or name in self.turns or any(name in place.entries for place in self.places):
            self._sink(self, name, mask)


class Layout:
    """The places and directories of all watched files."""

    def __init__(
        self, kernel: Kernel, sink: Callable[[Directory, str, int], None], mounts: MountTable | None = None
    ) -> None:
        self._kernel = kernel
        self._sink = sink
        self._mounts = mounts or MountTable()
        self._places: dict[str, Place] = {}
        self._directories: dict[str, Directory] = {}
        self.blind: set[Place] = set()

    @property
    def places(self) -> tuple[Place, ...]:
        """All places at this moment."""
        return tuple(self._places.values())

    @property
    def watched(self) -> int:
        """The number of directories with an inotify watch."""
        return sum(directory.watch is not None for directory in self._directories.values())

    def attach(self, file: File) -> None:
        """Watch all that decides where ``file.path`` leads; again after links on the way may have changed."""
        hops: list[tuple[Place, str]] = []
        path = file.path
        while len(hops) < _MAX_HOPS:
            directory, _, name = path.rpartition("/")
            place = self._place(directory or "/")
            hops.append((place, name))
            if file not in place.files(name):
                place.add(name, file)
            try:
                target = os.readlink(path)
            except (OSError, ValueError):
                break
            path = target if target.startswith("/") else f"{directory}/{target}"
        left = [hop for hop in file.hops if hop not in hops]
        file.place, file.links = hops[0][0], tuple(hops[1:])
        self._leave(file, left)

    def expect(self, path: str) -> File | None:
        """Watch where *path* is and return it, expected; if it turns out to be a link, `attach` it.

        None, and nothing is done, where any file is watched that has to do with that entry.
        """
        directory, _, name = path.rpartition("/")
        place = self._place(directory or "/")
        if name in place.entries:
            return None
        file = place.entries[name] = File(path)
        file.place, file.racy = place, None
        return file

    def detach(self, file: File) -> None:
        """Forget a file, and every place and directory that only it needed."""
        left, file.place, file.links = file.hops, None, ()
        self._leave(file, left)

    def locate(self, place: Place) -> bool:
        """Find out again where a place is, and watch the way there. Returns whether it leads elsewhere."""
        before = place.route, place.identity
        for _ in range(_MAX_TRIES):
            # The watches must be there before the route is read for the last time, else a change is missed.
            route = find_route(place.path)
            problem = self._follow(place, route)
            if not _passed_away(problem) and find_route(place.path) == route:
                break
        place.identity = place.present_identity()
        place.blind = self._why_blind(route, problem)
        if place.blind:
            self.blind.add(place)
        else:
            self.blind.discard(place)
        return before != (place.route, place.identity)

    def renew(self, directory: Directory) -> None:
        """Forget the watch of a directory that is gone, or no longer at its path."""
        if directory.watch is not None:
            directory.watch.remove()
            directory.watch = None

    def forget_watches(self) -> None:
        """Forget all watches, as the inotify instance has been closed."""
        for directory in self._directories.values():
            directory.watch = None

    def find(self, path: str) -> File | None:
        """Return the file that is watched as *path*."""
        directory, _, name = path.rpartition("/")
        place = self._places.get(directory or "/")
        if place is None:
            return None
        return next((file for file in place.files(name) if file.path == path), None)

    def files_of(self, places: Iterable[Place]) -> list[File]:
        """Return the files that are entries of *places*."""
        return list({file: None for place in places for name in place.entries for file in place.files(name)})

    def _place(self, path: str) -> Place:
        place = self._places.get(path)
        if place is None:
            place = self._places[path] = Place(path)
            self.locate(place)
        return place

    def _leave(self, file: File, hops: Iterable[tuple[Place, str]]) -> None:
        for place, name in hops:
            place.drop(name, file)
            if not place.entries and self._places.pop(place.path, None) is not None:
                self._follow(place, Route(None, (), ()))
                self.blind.discard(place)

    def _follow(self, place: Place, route: Route) -> OSError | None:
        """Make *place* use exactly the directories on *route*; return the first failure to watch one."""
        ends = () if route.real is None else (route.real,)
        paths = dict.fromkeys((*route.passed, *(turn.directory for turn in route.turns), *ends))
        wanted = [self._directory(path) for path in paths]
        for directory in dict.fromkeys((*place.directories, *wanted)):
            directory.lead(place, route)
            if directory in wanted:
                directory.users.add(place)
                continue
            directory.users.discard(place)
            if not directory.users:
                self.renew(directory)
                del self._directories[directory.path]
        place.directories = tuple(wanted)
        place.route = route
        failures = [self._watch(directory) for directory in wanted]
        return next((failure for failure in failures if failure is not None), None)

    def _directory(self, path: str) -> Directory:
        directory = self._directories.get(path)
        if directory is None:
            directory = self._directories[path] = Directory(path, self._sink)
        return directory

    def _watch(self, directory: Directory) -> OSError | None:
        old = directory.watch
        if old is not None and (old.entries or not directory.wants_entries):
            return None
        try:
            directory.watch = self._kernel.watch(directory.path, directory.wants_entries, directory.on_event)
        except OSError as failure:
            return failure
        if old is not None:
            old.remove()
        return None

    def _why_blind(self, route: Route, failure: OSError | None) -> str:
        if failure is not None:
            return _explain(failure)
        if route.problem:
            return route.problem
        for path in (*route.passed, *(() if route.real is None else (route.real,))):
            kind = self._mounts.remote_type(path)
            if kind is not None:
                return f"{kind} file systems do not report the changes that others make"
        return ""


def _passed_away(failure: OSError | None) -> bool:
    return failure is not None and failure.errno in {errno.ENOENT, errno.ENOTDIR}


def _explain(failure: OSError) -> str:
    if failure.errno == errno.ENOSPC:
        return "no inotify watches are left; raise the sysctl fs.inotify.max_user_watches"
    if failure.errno == errno.EMFILE:
        return (
            "no inotify instance is left; raise the sysctl fs.inotify.max_user_instances "
            "or the limit of open files"
        )
    return failure.strerror or str(failure)
