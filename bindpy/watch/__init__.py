"""Edited files: inotify events, polling where there are none, and when a file is fit to be read."""

from bindpy.watch.settle import Timing
from bindpy.watch.watcher import FileWatcher, WatchStatus

__all__ = ["FileWatcher", "Timing", "WatchStatus"]
