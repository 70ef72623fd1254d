"""What run_local.py is made of: options, sound devices, files, and what is shown."""
