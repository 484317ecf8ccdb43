"""
``python -m voicepush`` does what ``voicepush`` does.
"""

from voicepush.cli import main

if __name__ == "__main__":
    main()
