#!/usr/bin/env python3
"""Downloads a private file with the headers that credential-helper finds for its URL.

    fetch.py URL FILE

Nothing but Python's own library is needed.
"""

import json
import shutil
import subprocess
import sys
import urllib.request


def headers(url):
    """Returns the headers for a URL. What goes wrong is told on standard error by credential-helper itself."""
    answer = subprocess.run(
        ["credential-helper", "get"], input=json.dumps({"uri": url}).encode(), stdout=subprocess.PIPE, check=True
    )
    return {name: ", ".join(values) for name, values in json.loads(answer.stdout)["headers"].items()}


class OwnHeaders(urllib.request.HTTPRedirectHandler):
    """Follows redirects with the headers of each URL itself: urllib would send those of the first one on to every host."""

    def redirect_request(self, req, fp, code, msg, hdrs, newurl):
        if super().redirect_request(req, fp, code, msg, hdrs, newurl) is None:
            return None
        return urllib.request.Request(newurl, headers=headers(newurl))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: fetch.py URL FILE")
    url, file = sys.argv[1:]
    opener = urllib.request.build_opener(OwnHeaders)
    try:
        with opener.open(urllib.request.Request(url, headers=headers(url))) as response, open(file, "wb") as out:
            shutil.copyfileobj(response, out)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except OSError as error:
        sys.exit(f"fetch.py: {url}: {error}")


main()
