import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve_app.embedding.queueing import WINDOW, Lane, Ticket, plan_batches


def make_ticket(tokens: int) -> Ticket:
    return Ticket(np.zeros(tokens, np.int64), asyncio.get_running_loop().create_future())


def lengths(batch: list[Ticket]) -> list[int]:
    return [len(ticket.token_ids) for ticket in batch]


@given(st.lists(st.integers(2, 600)), st.integers(16, 1024))
def test_plan_holds_every_text_once_and_keeps_the_budget(counts, budget):
    batches = plan_batches(counts, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(counts)))
    for batch in batches:
        longest = max(counts[index] for index in batch)
        assert len(batch) == 1 or longest * len(batch) <= budget


@given(st.lists(st.integers(2, 600)), st.integers(16, 1024))
def test_plan_runs_the_shortest_first(counts, budget):
    order = [counts[index] for batch in plan_batches(counts, budget) for index in batch]
    assert order == sorted(counts)


def test_plan_pads_little():
    assert plan_batches([250, 10, 12, 250, 11], 512) == [[1, 4, 2], [0, 3]]


async def test_a_lane_hands_out_batches_within_the_budget():
    lane = Lane(100)
    lane.put([make_ticket(tokens) for tokens in (40, 10, 300, 45, 12)])
    assert [lengths(lane.take_batch()) for _ in range(4)] == [[10, 12], [40, 45], [300], []]


async def test_a_lane_sorts_a_window_at_a_time():
    lane = Lane(10_000)
    lane.put([make_ticket(5) for _ in range(WINDOW)] + [make_ticket(2)])
    assert lengths(lane.take_batch()) == [5] * WINDOW
    assert lengths(lane.take_batch()) == [2]


async def test_texts_whose_caller_left_are_not_handed_out():
    lane = Lane(20)
    tickets = [make_ticket(tokens) for tokens in (5, 6, 15, 16)]
    tickets[0].answer.cancel()
    lane.put(tickets)
    assert lengths(lane.take_batch()) == [6]
    tickets[2].answer.cancel()  # planned already
    assert lengths(lane.take_batch()) == [16]
    assert lane.take_batch() == []


async def test_everything_that_waits_can_be_taken():
    lane = Lane(20)
    lane.put([make_ticket(tokens) for tokens in (5, 15)])
    lane.take_batch()
    lane.put([make_ticket(7)])
    assert lengths(lane.take_all()) == [15, 7]
    assert lane.take_batch() == []
