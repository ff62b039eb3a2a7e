"""The semantic cache: what may be answered from it, its files, and the streams it replays."""
