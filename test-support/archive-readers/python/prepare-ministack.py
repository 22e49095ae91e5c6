"""Makes a table bucket and a user with access to it. MiniStack checks this user's signatures, but not those of the
administrator.
"""

import json
import sys

import boto3

request = json.loads(sys.argv[1])
administrator = {
    "endpoint_url": request["endpoint"],
    "region_name": "us-east-1",
    "aws_access_key_id": request["administrator"],
    "aws_secret_access_key": "not checked",
}
bucket = boto3.client("s3tables", **administrator).create_table_bucket(name="tidemark-archive")
iam = boto3.client("iam", **administrator)
iam.create_user(UserName="archive")
statement = {"Effect": "Allow", "Action": ["s3:*", "s3tables:*"], "Resource": "*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
iam.put_user_policy(UserName="archive", PolicyName="archive", PolicyDocument=policy)
key = iam.create_access_key(UserName="archive")["AccessKey"]
credentials = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
print(json.dumps({"warehouse": bucket["arn"], "credentials": credentials}))
