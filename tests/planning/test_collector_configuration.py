"""What a run's collector is told."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planning.runs import UID, a_run
from tests.planning.test_children import S3, pods

from vaportrail.contract.pod_environment import REPLY_SECONDS
from vaportrail.crd.quantity import parse_quantity
from vaportrail_operator.planning.children.collector_configuration import collector_configuration


def configuration(**record: Any) -> dict[str, Any]:
    return collector_configuration(a_run({"record": {"uri": "s3://runs/ml", **record}}))


def exporter(name: str, **record: Any) -> dict[str, Any]:
    made: dict[str, Any] = configuration(**record)["exporters"][name]
    return made


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_a_post_is_answered_when_its_part_is_stored() -> None:
    queue = exporter("awss3")["sending_queue"]
    assert queue["wait_for_result"] is True
    assert queue["block_on_overflow"] is True


def test_the_collector_gives_up_while_a_shipper_still_waits_for_its_reply() -> None:
    made = exporter("awss3")
    # The last attempt may begin when all the time for attempts is nearly over.
    longest = seconds(made["retry_on_failure"]["max_elapsed_time"]) + seconds(made["timeout"])
    assert longest <= REPLY_SECONDS - 10


@pytest.mark.parametrize("uri", ["s3://runs/ml", "file:///records/ml"])
def test_where_memory_runs_short_a_post_is_refused_before_anything_keeps_it(uri: str) -> None:
    made = configuration(uri=uri)
    assert made["service"]["pipelines"]
    for pipeline in made["service"]["pipelines"].values():
        assert pipeline["processors"][0] == "memory_limiter"
    assert made["processors"]["memory_limiter"]["limit_percentage"] < 100


def test_what_waits_for_the_store_is_bounded_in_bytes_below_the_memory_that_there_is() -> None:
    queue = exporter("awss3")["sending_queue"]
    [container] = pods({"record": S3})["collector"]["containers"]
    memory = parse_quantity(container["resources"]["limits"]["memory"])
    assert queue["sizer"] == "bytes"
    assert 0 < queue["queue_size"] <= memory / 2


def test_parts_go_below_the_runs_own_spool() -> None:
    uploader = exporter("awss3")["s3uploader"]
    assert (uploader["s3_bucket"], uploader["s3_prefix"]) == ("runs", f"ml/spool/{UID}")
    assert exporter("awss3", uri="s3://runs")["s3uploader"]["s3_prefix"] == f"spool/{UID}"


def test_only_a_server_that_is_not_aws_is_asked_by_path() -> None:
    assert "s3_force_path_style" not in exporter("awss3")["s3uploader"]
    own = exporter("awss3", endpoint="http://minio:9000")["s3uploader"]
    assert (own["s3_force_path_style"], own["disable_ssl"]) == (True, True)
    assert exporter("awss3", endpoint="https://minio")["s3uploader"]["disable_ssl"] is False


def test_a_bucket_is_in_the_region_that_the_run_names_or_else_where_the_other_pods_look_for_it() -> None:
    assert exporter("awss3", region="eu-1")["s3uploader"]["region"] == "eu-1"
    # A region that is not given would be the exporter's own, whatever the environment says.
    region = exporter("awss3")["s3uploader"]["region"]
    assert region == "${env:AWS_REGION:-${env:AWS_DEFAULT_REGION:-us-east-1}}"


def test_a_root_on_a_claim_gets_one_file_a_signal() -> None:
    record = {"uri": "file:///records/ml/", "persistentVolumeClaim": {"claimName": "records"}}
    exporters = configuration(**record)["exporters"]
    paths = {name: each["path"] for name, each in exporters.items()}
    assert paths["file/logs"] == f"/records/ml/spool/{UID}/logs_collector.json"
    assert len(paths) == 3
    assert all(each["append"] and each["create_directory"] for each in exporters.values())


def test_all_signals_are_taken_from_clients_with_the_token() -> None:
    made = configuration()
    assert set(made["service"]["pipelines"]) == {"traces", "logs", "metrics"}
    http = made["receivers"]["otlp"]["protocols"]["http"]
    assert http["auth"] == {"authenticator": "bearertokenauth"}
    assert made["extensions"]["bearertokenauth"]["token"] == "${env:VAPORTRAIL_COLLECTOR_TOKEN}"


def test_nothing_of_a_users_is_expanded() -> None:
    assert exporter("awss3", uri="s3://runs/${env:HOME}")["s3uploader"]["s3_prefix"].startswith(
        "$${env:HOME}/"
    )
