"""Makes `python -m watchkeeper` the same as `watchkeeper`."""

from watchkeeper.main import main

if __name__ == "__main__":
    main()
