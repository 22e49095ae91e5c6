"""Prints, as JSON, pyiceberg's tallies of the archive table for each question of the request, which is the argument."""

import hashlib
import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import load_catalog

request = json.loads(sys.argv[1])
catalog = load_catalog(
    "archive",
    type="rest",
    uri=request["catalogEndpoint"],
    warehouse=request["warehouse"],
    **{
        "s3.endpoint": request["s3Endpoint"],
        "s3.access-key-id": request["credentials"]["accessKeyId"],
        "s3.secret-access-key": request["credentials"]["secretAccessKey"],
        "s3.region": "us-east-1",
        "s3.path-style-access": "true",
        "header.X-Iceberg-Access-Delegation": "",
    },
    **request["signing"],
)
table = catalog.load_table(f"{request['namespace']}.changes")
facts = ["topic", "kafka_partition", "kafka_offset", "kafka_ts", "table_name", "op", "lsn", "key", "headers", "encoding"]
pieces = ["value", "before", "after", "source", "envelope_tail"]


def texts_of(batch):
    """Returns the text of each row from which its checksum is computed."""
    columns = {name: batch.column(name) for name in (*facts, *pieces)}
    columns["kafka_ts"] = pc.divide(columns["kafka_ts"].cast(pa.int64()), 1000)
    texts = {name: column.cast(pa.large_string()) for name, column in columns.items()}
    before, after = (pc.fill_null(texts[name], "null") for name in ("before", "after"))
    parts = ['{"before":', before, ',"after":', after, ',"source":', texts["source"], texts["envelope_tail"]]
    value = pc.if_else(pc.is_null(texts["envelope_tail"]), texts["value"], joined(parts, ""))
    return joined([pc.fill_null(part, "null") for part in (*(texts[name] for name in facts), value)], "|")


def joined(parts, separator):
    large = pa.large_string()
    scalars = (pa.scalar(part, large) if isinstance(part, str) else part for part in (*parts, separator))
    return pc.binary_join_element_wise(*scalars)


def checksum(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:4], "big")


def answer(question):
    scan = table.scan(row_filter=question, selected_fields=(*facts, *pieces))
    stream = ["topic", "kafka_partition"]
    read = []
    # One batch is read at a time, because the texts of all rows would be gigabytes.
    for batch in scan.to_arrow_batch_reader():
        sums = pa.array(map(checksum, texts_of(batch).to_pylist()), pa.int64())
        read.append(batch.select([*stream, "kafka_offset"]).append_column("checksum", sums))
    aggregates = {
        "records": ("kafka_offset", "count"),
        "offsets": ("kafka_offset", "count_distinct"),
        "first": ("kafka_offset", "min"),
        "last": ("kafka_offset", "max"),
        "checksum": ("checksum", "sum"),
    }
    rows = pa.Table.from_batches(read).group_by(stream).aggregate(list(aggregates.values())).to_pylist()
    return {
        f"{row['topic']}-{row['kafka_partition']}": {
            name: row[f"{column}_{function}"] for name, (column, function) in aggregates.items()
        }
        for row in rows
    }


def files_of(question):
    return len(list(table.scan(row_filter=question).plan_files()))


questions = request["questions"]
print(json.dumps({"answers": [answer(each) for each in questions], "files": [files_of(each) for each in questions]}))
