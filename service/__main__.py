"""``python -m service``: `prospero serve`. Workers import this too, and shall not pay for what main needs."""

import sys

if __name__ == "__main__":
    from service.run import main

    sys.exit(main("python -m service", sys.argv[1:]))
