"""Prints, as JSON, the number of rows of each of pyiceberg's inspections of the archive table, and a summary of
entries().
"""

import json
import sys
from collections import Counter

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
inspect = catalog.load_table(f"{request['namespace']}.changes").inspect
# Inspections that a later version adds are tried, too.
names = [name for name in dir(inspect) if not name.startswith("_") and callable(getattr(inspect, name))]
tables = {name: getattr(inspect, name)() for name in names}
entries = tables["entries"].to_pylist()
print(
    json.dumps(
        {
            "rows": {name: table.num_rows for name, table in tables.items()},
            "statuses": dict(Counter(str(entry["status"]) for entry in entries)),
            "records": sum(entry["data_file"]["record_count"] for entry in entries),
            "snapshots": len({entry["snapshot_id"] for entry in entries}),
        }
    )
)
