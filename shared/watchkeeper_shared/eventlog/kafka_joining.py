"""Keeps kafka-python from losing its way while it joins a group.

The client follows a rebalance only while it is polled. What happens between two polls it
forgets, in two ways, each named at the function that mends it.
"""

from __future__ import annotations

from typing import Any

from kafka.coordinator.base import MemberState


def keep_joining(coordinator: Any) -> None:
    """Hold on to a rebalance that is under way; to be called before each poll.

    One that began because partitions were found ends, for the client, the moment it hands
    them out as leader: a poll that returns between that and the broker's answer never
    takes the answer up, and the group throws the member out without its knowledge.

    Parameters
    ----------
    coordinator
        The client's part that joins.
    """
    if coordinator.state is MemberState.REBALANCING:
        coordinator.request_rejoin()


def hold_answers(coordinator: Any) -> None:
    """Give an answer that nobody took up to the attempt that would ask for it again.

    The client drops what the broker answers between two polls, and asks anew. All other
    members then have to ask anew as well, and their answers may come between polls too: a
    group of four that was polled in turn did not settle within a minute.

    Parameters
    ----------
    coordinator
        The client's part that joins. All it does there it does on one thread.
    """
    ask = coordinator._do_join_and_sync_async  # noqa: SLF001 - no public way
    held: list[tuple[Any, Any]] = []

    async def once() -> Any:
        # An answer that was taken up left the member stable, and one that was thrown out
        # of the group has another generation.
        untaken = coordinator.state is MemberState.REBALANCING and held
        if untaken and held[0][0] == coordinator._generation:  # noqa: SLF001
            return held.pop()[1]
        held.clear()
        answer = await ask()
        held[:] = [(coordinator._generation, answer)]  # noqa: SLF001
        return answer

    coordinator._do_join_and_sync_async = once  # noqa: SLF001
