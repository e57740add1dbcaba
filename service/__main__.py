"""``python -m service``. Workers import this too, and shall not pay for what only the main process needs."""

import sys

if __name__ == "__main__":
    from service.run import main

    sys.exit(main())
