# SPDX-License-Identifier: Apache-2.0
"""python3 -m simcf DIRECTORY: a foundation for trying things out by hand, until it is ended."""

import argparse
import json
import signal

from . import Foundation


def parse():
    args = argparse.ArgumentParser(prog="simcf", description=__doc__)
    args.add_argument("directory", help="for its keys and certificates")
    args.add_argument("--mode", choices=("cc", "korifi"), default="cc")
    args.add_argument("--port", type=int, default=0, help="of the API; 0: any")
    args.add_argument("--uaa-port", type=int, default=0)
    args.add_argument("--org", default="demo")
    args.add_argument("--space", default="dev")
    args.add_argument("--user", default="penstock")
    args.add_argument("--password", default="penstock")
    args.add_argument("--service", action="append", default=[], metavar="NAME",
                      help="a managed service instance; may be given several times")
    return args.parse_args()


def main():
    from . import services
    args = parse()
    with Foundation(args.directory, mode=args.mode, ports=(args.port, args.uaa_port)) as cf:
        _, space = cf.place(args.org, args.space)
        cf.developer(args.user, args.password, space)
        for name in args.service:
            services.managed(cf.world, space, name)
        print(json.dumps({"url": cf.url, "uaa": cf.uaa_url, "ca": str(cf.ca_file),
                          "org": args.org, "space": args.space}), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
