"""From the configuration's words to the answerer's."""

from __future__ import annotations

from bindpy.answer.policy import AnswerPolicy, ViewPolicy
from bindpy.config.acl import LocalAddresses
from bindpy.config.model import Config, ViewConfig


def answer_policy(config: Config, local: LocalAddresses) -> AnswerPolicy:
    """Return what *config* says about answers; *local* is what ``localhost`` and ``localnets`` mean."""
    options = config.options
    return AnswerPolicy(
        views=tuple(_view_policy(view) for view in config.views),
        max_udp_size=options.max_udp_size,
        edns_udp_size=options.edns_udp_size,
        version=options.version,
        hostname=options.hostname,
        server_id=options.server_id,
        blackhole=options.blackhole,
        local=local,
    )


def _view_policy(view: ViewConfig) -> ViewPolicy:
    return ViewPolicy(
        name=view.name,
        match_clients=view.match_clients,
        match_destinations=view.match_destinations,
        match_recursive_only=view.match_recursive_only,
        minimal_responses=view.minimal_responses,
        minimal_any=view.minimal_any,
        rrset_order=view.rrset_order,
    )
