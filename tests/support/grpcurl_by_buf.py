"""Stand-in for grpcurl, which has no official package: sends the request of its command line by `buf curl`."""

import argparse
import os
import sys
from pathlib import Path

parser = argparse.ArgumentParser(prog="grpcurl", allow_abbrev=False)
parser.add_argument("-plaintext", action="store_true", required=True)
parser.add_argument("-max-time", default="0")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d", default="{}")
parser.add_argument("target")
parser.add_argument("method")
arguments = parser.parse_args()

headers = [argument for header in arguments.H for argument in ("-H", header)]
request = ["--timeout", f"{arguments.max_time}s", *headers, "-d", arguments.d]
buf = str(Path(sys.executable).with_name("buf"))
os.execv(buf, [buf, "curl", "--protocol", "grpc", *request, f"http://{arguments.target}/{arguments.method}"])  # noqa: S606
