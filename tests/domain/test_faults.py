from app.domain.faults import Fault


def test_a_fault_is_seen_from_the_document_that_holds_the_record() -> None:
    fault = Fault("/due_at", "record.not_instant")

    assert fault.under("/dossiers/7") == Fault("/dossiers/7/due_at", "record.not_instant")
    assert fault.under("").pointer == "/due_at"
