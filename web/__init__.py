"""The conversation over the network: the OpenAI Realtime protocol, the page, the kiosk."""
