"""States and flows: their numbers are permanent, because the store keeps them."""

from app.domain.timeliness import FINISHES, Flow, State


def test_the_numbers_of_states_never_change() -> None:
    assert {state.word: int(state) for state in State} == {
        "awaiting_intake_in_time": 10,
        "awaiting_intake_overdue": 11,
        "receipt_unknown": 12,
        "refused_at_intake": 20,
        "open_in_time": 30,
        "open_overdue": 31,
        "open_no_due": 32,
        "paused": 33,
        "finished_early": 40,
        "finished_on_time": 41,
        "finished_late": 42,
        "finished_no_due": 43,
        "withdrawn": 50,
        "stopped": 51,
        "transferred_out": 60,
        "voided": 70,
    }


def test_the_numbers_of_flows_never_change() -> None:
    assert [int(flow) for flow in Flow] == [
        *(0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 20, 21, 22, 30, 31, 32)
    ]


def test_four_states_are_in_hand_and_four_are_finished() -> None:
    assert [state.word for state in State if state.in_hand] == [
        *("open_in_time", "open_overdue", "open_no_due", "paused")
    ]
    assert {state for state in State if state.finished} == set(FINISHES)
    assert [flow for flow in Flow if flow.enters] == [
        *(Flow.RECEIVED, Flow.REOPENED, Flow.TRANSFERRED_IN, Flow.SUCCEEDED_IN)
    ]
