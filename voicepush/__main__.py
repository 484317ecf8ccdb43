"""
``python -m voicepush`` does what ``voicepush`` does.
"""

from voicepush.cli.application import main

if __name__ == "__main__":
    main()
