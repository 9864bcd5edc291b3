"""Uploads a file with tuspy and prints what happened as one line of JSON.

    python upload.py whole|resume <endpoint> <file> <api key>

whole: in pieces, each with a SHA-1 checksum, to the end. resume: stops half way, then a new client asks
for the offset and goes on.
"""

import json
import os
import signal
import sys

from tusclient import client

CHUNK = 256 * 1024


def main():
    # A test that waits for ever tells less than one that fails.
    signal.alarm(60)
    scenario, endpoint, path, key = sys.argv[1:]
    size = os.path.getsize(path)
    tus = client.TusClient(endpoint, headers={"Authorization": f"Bearer {key}"})
    options = {"chunk_size": CHUNK, "metadata": {"filename": "clip.mp4", "filetype": "video/mp4"}}
    if scenario == "whole":
        uploader = tus.uploader(path, upload_checksum=True, **options)
        uploader.upload()
        result = {"url": uploader.url, "offset": uploader.offset}
    elif scenario == "resume":
        first = tus.uploader(path, **options)
        first.upload(stop_at=size // 2)
        second = tus.uploader(path, url=first.url, **options)
        resumed = second.offset
        second.upload()
        result = {"url": second.url, "from": resumed, "offset": second.offset}
    else:
        raise SystemExit(f"unknown scenario {scenario}")
    print(json.dumps({"size": size, **result}))


main()
