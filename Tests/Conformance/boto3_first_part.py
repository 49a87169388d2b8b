"""boto3_first_part.py FOLDER ENDPOINT TOKEN: the S3 operations of the first part, as boto3 does them; exits 1 at the first surprise."""
import datetime
import hashlib
import os
import sys

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

folder, endpoint, token = sys.argv[1:4]


def client(who):
    config = Config(
        signature_version=UNSIGNED, client_cert=(f"{folder}/pki/{who}.crt", f"{folder}/pki/{who}.key"),
        s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client("s3", endpoint_url=endpoint, region_name="dub1", verify=f"{folder}/pki/servers-ca.crt", config=config)


def fails(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert got == (code, status), f"{call.__name__} {arguments}: {got}, expected {(code, status)}"
        return error.response
    raise AssertionError(f"{call.__name__} {arguments} did not fail")


s3 = client("dub1-mailserver")
bucket = "mail-dub1"

assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [bucket]
s3.head_bucket(Bucket=bucket)
fails("404", 404, s3.head_bucket, Bucket="mail-iad1")
assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "dub1"

body = os.urandom(100_000)
etag = f'"{hashlib.md5(body).hexdigest()}"'
put = s3.put_object(Bucket=bucket, Key="alice/INBOX/1", Body=body, ContentType="message/rfc822", Metadata={"flags": "seen", "Mixed": "Case"})
assert put["ETag"] == etag, put
got = s3.get_object(Bucket=bucket, Key="alice/INBOX/1")
assert got["Body"].read() == body and got["ETag"] == etag and got["ContentType"] == "message/rfc822"
assert got["Metadata"] == {"flags": "seen", "mixed": "Case"}, got["Metadata"]
assert abs((got["LastModified"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) < 60
head = s3.head_object(Bucket=bucket, Key="alice/INBOX/1")
assert head["ContentLength"] == len(body) and head["ETag"] == etag

for wanted, piece, content_range in [("bytes=0-9", body[:10], "bytes 0-9/100000"), ("bytes=99990-", body[-10:], "bytes 99990-99999/100000"),
                                     ("bytes=-5", body[-5:], "bytes 99995-99999/100000"), ("bytes=99999-200000", body[-1:], "bytes 99999-99999/100000")]:
    part = s3.get_object(Bucket=bucket, Key="alice/INBOX/1", Range=wanted)
    assert part["Body"].read() == piece and part["ContentRange"] == content_range, wanted
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
fails("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="alice/INBOX/1", Range="bytes=100000-")

fails("304", 304, s3.get_object, Bucket=bucket, Key="alice/INBOX/1", IfNoneMatch=etag)
fails("PreconditionFailed", 412, s3.get_object, Bucket=bucket, Key="alice/INBOX/1", IfMatch='"other"')
s3.get_object(Bucket=bucket, Key="alice/INBOX/1", IfMatch=etag)
later = head["LastModified"] + datetime.timedelta(seconds=1)
fails("304", 304, s3.get_object, Bucket=bucket, Key="alice/INBOX/1", IfModifiedSince=later)
fails("PreconditionFailed", 412, s3.get_object, Bucket=bucket, Key="alice/INBOX/1", IfUnmodifiedSince=head["LastModified"] - datetime.timedelta(days=1))

fails("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="alice/INBOX/none")
fails("404", 404, s3.head_object, Bucket=bucket, Key="alice/INBOX/none")
fails("NoSuchBucket", 404, s3.get_object, Bucket="mail-nowhere", Key="x")
fails("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="alice/INBOX/1", Body=b"x", IfNoneMatch="*")

keys = ["a", "a/b", "a//b", "a/", "../../etc/passwd", "./.", "alice/%2F", "alice/ü ẞ+=&?#", "alice/INBOX/" + "x" * 240, "p/" * 511, "%bailiwick/x", "cur/1795416365.M530649P12096.vm,S=694,W=720:2,S"]
for key in keys:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
for key in keys:
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
everything = []
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3}):
    everything += [entry["Key"] for entry in page.get("Contents", [])]
assert everything == sorted(keys + ["alice/INBOX/1"], key=lambda k: k.encode()), everything

page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["%bailiwick/", "../", "./", "a/", "alice/", "cur/", "p/"], page["CommonPrefixes"]
assert [c["Key"] for c in page["Contents"]] == ["a"]
after = s3.list_objects_v2(Bucket=bucket, StartAfter="alice/INBOX/1")
assert [c["Key"] for c in after["Contents"]] == [k for k in everything if k.encode() > b"alice/INBOX/1"]
assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0

for key in keys:
    s3.delete_object(Bucket=bucket, Key=key)
s3.delete_object(Bucket=bucket, Key="never/was")
assert [c["Key"] for c in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["alice/INBOX/1"]
s3.put_object(Bucket=bucket, Key="empty", Body=b"")
assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""

abroad = client("iad1-ediscovery")
refusal = fails("AccessDenied", 403, abroad.get_object, Bucket=bucket, Key="alice/INBOX/1")
assert refusal["Error"]["Reason"] == "authorization-required" and refusal["Error"]["Jurisdiction"] == "IE", refusal
assert int(refusal["Error"]["DecisionIndex"]) > 0


def present(request, **_):
    request.headers["x-bailiwick-authorization"] = token


abroad.meta.events.register("before-send.s3", present)
assert abroad.get_object(Bucket=bucket, Key="alice/INBOX/1")["Body"].read() == body
