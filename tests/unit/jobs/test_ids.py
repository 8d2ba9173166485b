from gateway.jobs.ids import make_id


def test_an_id_is_the_prefix_and_a_uuid_of_version_7() -> None:
    made = make_id("batch_", 1_700_000_000.123, bytes(range(10)))
    assert made == "batch_" + "018bcfe5687b" + "7001" + "8203" + "040506070809"
    assert len(made) == len("batch_") + 32


def test_ids_sort_by_time() -> None:
    assert make_id("", 1.0, b"\xff" * 10) < make_id("", 1.5, bytes(10)) < make_id("", 2e9, bytes(10))
