"""The recipe that makes `mini`, the embedded model, from nothing: `python -m training`."""
