"""The catalogue: every verb that there is. What each does stands in the modules ``verbs_*.py``."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from bindpy.control.verb import CLASS, OPTIONAL_ZONE, VIEW, ZONE, Group, Kind, Parameter, Verb, flag

ON = ("on", "yes", "true", "1")
OFF = ("off", "no", "false", "0")
_TYPES = ("primary", "secondary", "native")
_LEVEL = Parameter("level", Kind.NUMBER, optional=True)
_STATEMENTS = Parameter("statements", Kind.CONFIG)
_WORDS = Parameter("words", Kind.WORD, optional=True, many=True)


def _verb(
    name: str,
    group: Group,
    *parameters: Parameter,
    help: str,
    changes: bool = True,
    aliases: tuple[str, ...] = (),
) -> Verb:
    return Verb(name, aliases, parameters, help, changes, group)


NO_CACHE = ("flush", "flushname", "flushtree")
"""What scripts call to be on the safe side; it succeeds."""
NOT_HERE = {
    "bindpy is not a resolver": ("managed-keys", "nta", "recursing", "secroots", "serve-stale", "validation"),
    "bindpy serves zones with the signatures that their files hold, and makes none": (
        "dnssec",
        "loadkeys",
        "sign",
        "signing",
    ),
    "there is no dnstap; see querylog": ("dnstap", "dnstap-reopen"),
    "named.conf says them, and reconfig takes them over": ("tcp-timeouts",),
}
"""What BIND has verbs for and this server does not do, by the reason; they fail and say it."""


def _foreign() -> Iterator[Verb]:
    group = Group.FOREIGN
    for name in NO_CACHE:
        text = "Nothing to do: an authoritative server has no cache."
        yield _verb(name, group, _WORDS, changes=False, help=text)
    for why, names in NOT_HERE.items():
        for name in names:
            yield _verb(name, group, _WORDS, changes=False, help=f"Not here: {why}.")


CATALOGUE = (
    _verb("status", Group.SERVER, help="Say how the server is.", changes=False),
    _verb("version", Group.SERVER, help="Say which version of bindpy is running.", changes=False),
    _verb("uptime", Group.SERVER, help="Say how long the server has been running.", changes=False),
    _verb("ping", Group.SERVER, help="Say that the server is there.", aliases=("rping",), changes=False),
    _verb("null", Group.SERVER, help="Do nothing, which shows that the channel works.", changes=False),
    _verb(
        "stats",
        Group.SERVER,
        flag("-show"),
        help="Append the counters to statistics-file; -show: print them instead.",
    ),
    _verb(
        "dumpdb",
        Group.SERVER,
        flag("-all"),
        flag("-zones"),
        flag("-cache"),
        Parameter("view", Kind.VIEW, optional=True, many=True),
        help="Write all zones, or those of some views, to dump-file. "
        "There is no cache: -cache writes no zones.",
    ),
    _verb(
        "scan",
        Group.SERVER,
        help="Look for new and gone addresses of this host, and listen as named.conf says.",
    ),
    _verb(
        "stop",
        Group.SERVER,
        flag("-p"),
        help="Stop the server; -p says its process's number.",
        aliases=("quit",),
    ),
    _verb(
        "halt",
        Group.SERVER,
        flag("-p"),
        help="Stop without finishing what can be made anew, such as deltas for IXFR.",
    ),
    _verb(
        "list-zones",
        Group.ZONES,
        Parameter("type", Kind.WORD, optional=True, choices=_TYPES),
        help="List all zones, or those of one type: name, class, view, type, state, serial.",
        changes=False,
    ),
    _verb(
        "find-zones",
        Group.ZONES,
        Parameter("beginning", Kind.WORD, optional=True),
        Parameter("number", Kind.NUMBER, optional=True),
        help="Say which zones' names begin so: 100, or NUMBER, of them at most. For completion in shells.",
        changes=False,
    ),
    _verb(
        "zonestatus",
        Group.ZONES,
        ZONE,
        CLASS,
        VIEW,
        help="Say all that is known of a zone.",
        aliases=("bind-domain-extended-status",),
        changes=False,
    ),
    _verb("showzone", Group.ZONES, ZONE, CLASS, VIEW, help="Show the statement of a zone.", changes=False),
    _verb(
        "list-rejects",
        Group.ZONES,
        help="List the zones whose files cannot be used as they are, with the reason.",
        aliases=("bind-list-rejects",),
        changes=False,
    ),
    _verb(
        "bind-domain-status",
        Group.ZONES,
        Parameter("zone", Kind.ZONE, optional=True, many=True),
        help="Say of zones, or of all, when they were loaded, in PowerDNS' words.",
        changes=False,
    ),
    _verb(
        "addzone",
        Group.ZONES,
        ZONE,
        CLASS,
        VIEW,
        _STATEMENTS,
        help="Add a zone with the given statements, also for later starts; its view needs allow-new-zones.",
        aliases=("bind-add-zone",),
    ),
    _verb(
        "modzone",
        Group.ZONES,
        ZONE,
        CLASS,
        VIEW,
        _STATEMENTS,
        help="Give a zone other statements; where named.conf has the zone, only until that is reread.",
    ),
    _verb(
        "delzone",
        Group.ZONES,
        flag("-clean"),
        ZONE,
        CLASS,
        VIEW,
        help="Remove a zone; -clean deletes its files, too, where it was added by addzone or an autoprimary.",
    ),
    _verb(
        "reload",
        Group.FILES,
        OPTIONAL_ZONE,
        CLASS,
        VIEW,
        help="Reread named.conf and all zone files that changed, or one zone's. "
        "A secondary zone is refreshed.",
    ),
    _verb(
        "reload-now",
        Group.FILES,
        Parameter("zone", Kind.ZONE, many=True),
        help="Read zones' files now, changed or not, and say what came of each.",
        aliases=("bind-reload-now",),
    ),
    _verb(
        "reconfig",
        Group.FILES,
        help="Reread named.conf, and only the files of zones that are new or changed there.",
    ),
    _verb(
        "rediscover",
        Group.FILES,
        help="The same as reconfig; says how many zones came and went, as PowerDNS does.",
    ),
    _verb(
        "freeze",
        Group.FILES,
        OPTIONAL_ZONE,
        CLASS,
        VIEW,
        help="Neither read nor write a zone's file (or any zone's) until thaw, so that it can be edited.",
    ),
    _verb(
        "thaw",
        Group.FILES,
        OPTIONAL_ZONE,
        CLASS,
        VIEW,
        help="End freeze: load what changed in the file, and follow it from now on.",
        aliases=("unfreeze",),
    ),
    _verb(
        "sync",
        Group.FILES,
        flag("-clean"),
        OPTIONAL_ZONE,
        CLASS,
        VIEW,
        help="Nothing to do, as files are always current; -clean forgets what IXFR is answered from.",
    ),
    _verb("refresh", Group.TRANSFERS, ZONE, CLASS, VIEW, help="Ask a secondary zone's primaries at once."),
    _verb(
        "retransfer",
        Group.TRANSFERS,
        ZONE,
        CLASS,
        VIEW,
        help="Transfer a secondary zone anew and in full, whatever its serial.",
        aliases=("retrieve",),
    ),
    _verb(
        "notify",
        Group.TRANSFERS,
        ZONE,
        CLASS,
        VIEW,
        help="Tell all who are to know of a zone, or with * of all zones, that it changed.",
    ),
    _verb(
        "notify-host",
        Group.TRANSFERS,
        ZONE,
        Parameter("host", Kind.HOST),
        Parameter("port", Kind.NUMBER, optional=True),
        Parameter("key", Kind.WORD, optional=True),
        VIEW,
        help="Tell one server, by its name or address (HOST#PORT, too), that a zone has changed; "
        "KEY - is none.",
    ),
    _verb(
        "tsig-list",
        Group.TRANSFERS,
        help="List the TSIG keys of each view. Secrets are not shown.",
        changes=False,
    ),
    _verb(
        "querylog",
        Group.LOGGING,
        Parameter("switch", Kind.WORD, optional=True, choices=(*ON, *OFF)),
        help="Log queries, or do not; without a word, the other of the two. A reload leaves it as it is.",
    ),
    _verb(
        "trace",
        Group.LOGGING,
        _LEVEL,
        help="Log debug messages up to a level; without one, up to one level more than now.",
    ),
    _verb("notrace", Group.LOGGING, help="Log no debug messages."),
    _verb(
        "loglevel",
        Group.LOGGING,
        _LEVEL,
        help="Set the debug level (0: no debug messages) and say what it is.",
    ),
    *_foreign(),
)
"""The verbs as people are shown them: in each group those that are used most come first."""


@functools.cache
def verbs() -> Mapping[str, Verb]:
    """Return every verb by its name, in alphabetical order."""
    return {one.name: one for one in sorted(CATALOGUE, key=lambda one: one.name)}


@functools.cache
def words_of_verbs() -> Mapping[str, Verb]:
    """Return every verb by each word that it can be called by."""
    return {word: one for one in verbs().values() for word in (one.name, *one.aliases)}


def find_verb(word: str) -> Verb | None:
    """Return the verb that *word*, in any case, is a name of."""
    return words_of_verbs().get(word.lower())
