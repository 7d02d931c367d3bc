"""Replay: a recorded run again, offline, in virtual time, with the recording in the place of the world."""
