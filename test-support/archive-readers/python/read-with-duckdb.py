"""Prints, as JSON, DuckDB's tallies of the archive table for each question of the request, which is the argument."""

import json
import sys
from pathlib import Path

import duckdb

request = json.loads(sys.argv[1])
connection = duckdb.connect(config={"extension_directory": str(Path(sys.prefix) / "duckdb-extensions")})
connection.execute("set autoinstall_known_extensions = false; set timezone = 'UTC'; set threads = 2")
connection.execute("load httpfs; load avro; load iceberg")
store = request["s3Endpoint"].removeprefix("http://")
key = request["credentials"]
connection.execute(
    f"create secret (type s3, key_id '{key['accessKeyId']}', secret '{key['secretAccessKey']}', region 'us-east-1', "
    f"endpoint '{store}', url_style 'path', use_ssl false)"
)
connection.execute(f"create secret catalog (type iceberg, token '{request['token']}')")
# DuckDB is read-only, because it writes manifests that ClickHouse misreads.
connection.execute(
    f"attach '{request['warehouse']}' as archive (type iceberg, endpoint '{request['catalogEndpoint']}', "
    "secret catalog, access_delegation_mode 'none', read_only)"
)


def answer(question):
    rows = connection.execute(
        f"""select topic || '-' || kafka_partition, count(*), count(distinct kafka_offset), min(kafka_offset),
              max(kafka_offset), sum(('0x' || md5({request["rowText"]})[1:8])::ubigint)::ubigint
            from archive.{request["namespace"]}.changes
            where {question}
            group by all"""
    ).fetchall()
    names = ["records", "offsets", "first", "last", "checksum"]
    return {stream: dict(zip(names, tally, strict=True)) for stream, *tally in rows}


print(json.dumps([answer(question) for question in request["questions"]]))
