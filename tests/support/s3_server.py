#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: s3_server.py FOLDER PORT BUCKET

OpenStack Swift with its S3 interface as one process on loopback, for tests: Debian's python3-swift, one copy of everything,
objects in memory, accounts and containers in FOLDER. Access key test:tester, secret testing, region us-east-1.
BUCKET is made, and empty. Writes "event=ready" to standard error, then what it serves. Ends with its parent.
"""
import logging
import os
import pathlib
import sys
import urllib.request

import eventlet
import eventlet.wsgi

eventlet.patcher.monkey_patch()

PROXY = """
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth copy proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
recheck_account_existence = 0
recheck_container_existence = 0
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
allow_multipart_uploads = false
dns_compliant_bucket_names = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:copy]
use = egg:swift#copy
"""


def write_ring(folder, name, port):
    """One device on one server."""
    from swift.common.ring import RingBuilder
    builder = RingBuilder(1, 1, 0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": port, "device": "sda1", "meta": ""})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{name}.ring.gz"))


class Cache:
    """What Swift keeps in memcached."""

    def __init__(self):
        self.values = {}

    def get(self, key, **_):
        return self.values.get(key)

    def set(self, key, value, **_):
        self.values[key] = value

    def delete(self, key, **_):
        self.values.pop(key, None)

    def incr(self, key, delta=1, **_):
        self.values[key] = int(self.values.get(key) or 0) + delta
        return self.values[key]


def with_cache(app):
    cache = Cache()

    def call(env, start_response):
        env["swift.cache"] = cache
        return app(env, start_response)
    return call


def serve(sock, app, verbose=False):
    log = logging.getLogger("swift" if verbose else "quiet")
    eventlet.spawn(eventlet.wsgi.server, sock, app, log, log_output=verbose)


def make_bucket(port, name):
    """Over Swift's own interface: the one under test shall not be needed for it."""
    def ask(method, path, headers):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers=headers)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return direct.open(request, timeout=10).headers

    token = ask("GET", "/auth/v1.0", {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"})["X-Auth-Token"]
    ask("PUT", f"/v1/AUTH_test/{name}", {"X-Auth-Token": token, "Content-Length": "0"})


def main():
    folder = pathlib.Path(sys.argv[1])
    port = int(sys.argv[2])
    (folder / "sda1").mkdir(parents=True, exist_ok=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n")
    (folder / "proxy-server.conf").write_text(PROXY.format(folder=folder))

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    logging.getLogger("quiet").propagate = False
    from swift.common import utils
    utils.SWIFT_CONF_FILE = str(folder / "swift.conf")
    utils.HASH_PATH_SUFFIX = utils.HASH_PATH_PREFIX = b"test"
    from swift.account.server import AccountController
    from swift.container.server import ContainerController
    from swift.obj.mem_server import ObjectController
    from swift.common.wsgi import loadapp

    conf = {"devices": str(folder), "mount_check": "false", "swift_dir": str(folder), "allowed_headers": "content-disposition"}
    for name, controller in (("account", AccountController), ("container", ContainerController), ("object", ObjectController)):
        sock = eventlet.listen(("127.0.0.1", 0))
        write_ring(folder, name, sock.getsockname()[1])
        serve(sock, controller(conf))
    sock = eventlet.listen(("127.0.0.1", port))
    serve(sock, with_cache(loadapp(str(folder / "proxy-server.conf"))), verbose=True)
    make_bucket(port, sys.argv[3])
    print("event=ready", file=sys.stderr, flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        eventlet.sleep(1)


main()
