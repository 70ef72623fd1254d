"""Measurements: every figure that is told about voicechat is printed by one of these."""
