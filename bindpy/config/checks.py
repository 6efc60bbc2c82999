"""Checks that need more than one statement: what BIND's named-checkconf refuses once the syntax is right.

`check_statements` takes the statement tree with its includes in place and returns findings; each points at
file, line and column, and at the other place where there are two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bindpy.config.check_acls import AclChecks
from bindpy.config.check_anchors import check_anchors
from bindpy.config.check_channels import (
    check_controls,
    check_http,
    check_listeners,
    check_statistics,
    check_tls,
)
from bindpy.config.check_keys import KeyTable, check_server_keys
from bindpy.config.check_logging import check_logging
from bindpy.config.check_options import check_block, check_general_block, listening_port
from bindpy.config.check_policies import check_policies
from bindpy.config.check_remotes import RemoteLists
from bindpy.config.check_report import Report, having, inside, members, word
from bindpy.config.check_scope import Scope, Shared
from bindpy.config.check_servers import check_servers
from bindpy.config.check_zones import ZoneChecks
from bindpy.config.tree import Statement
from bindpy.diagnostics import Diagnostic


def check_statements(statements: Sequence[Statement]) -> list[Diagnostic]:
    """Return what is wrong with the top-level *statements* of a configuration taken together.

    Malformed statements are passed over: whoever read their values has reported them. Never raises.
    """
    report = Report()
    options = next(having(statements, "options"), None)
    settings = members(options)
    keys = KeyTable()
    keys.define(report, statements)
    acls = AclChecks(report, having(statements, "acl"), keys)
    tls = check_tls(report, having(statements, "tls"))
    http = check_http(report, having(statements, "http"))
    views = list(having(statements, "view"))
    # BIND looks into policies only where there are no views.
    policies = check_policies(Report() if views else report, having(statements, "dnssec-policy"))
    remotes = RemoteLists(report, statements, tls)
    for logging in having(statements, "logging"):
        check_logging(report, logging)
    if options is not None:
        acls.check_statements(inside(options))
        check_block(report, inside(options), settings, forwards=not views)
        check_general_block(report, inside(options), output="dnstap-output" in settings)
        check_listeners(report, inside(options), tls, http)
    servers = list(having(statements, "server"))
    if not views:
        check_servers(report, servers, listening_port(settings))
        for server in servers:
            check_server_keys(report, server, keys)
    check_anchors(report, statements, settings, views)
    for controls in having(statements, "controls"):
        check_controls(report, controls, acls, keys)
    shared = Shared(report, acls, remotes, policies, settings)
    _check_zones(shared, statements, keys)
    acls.check_unused()
    for channels in having(statements, "statistics-channels"):
        check_statistics(acls, channels)  # after what is used: here BIND only logs what it finds
    return report.diagnostics.items


def _check_zones(shared: Shared, statements: Iterable[Statement], keys: KeyTable) -> None:
    checks = ZoneChecks(shared, having(statements, "server"))
    views = list(having(statements, "view"))
    zones = list(having(statements, "zone"))
    checks.check_views(views, keys)
    if not views:
        checks.check_zones(Scope("", 1, {}, keys), zones)
        return
    for zone in zones:
        shared.report.error(
            f"zone '{word(zone)}' is outside of views: with 'view' statements, all zones must be in views",
            zone.source,
            zone.offset,
            related=[("there is a view here", views[0])],
        )
