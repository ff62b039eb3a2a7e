"""TensorZero's embedded gateway: `tensorzero_gateway.py CONFIG FILE` writes its base URL to FILE."""

import sys
import threading
from pathlib import Path

import openai
import tensorzero

client = openai.OpenAI(api_key="none")
tensorzero.patch_openai_client(client, config_file=sys.argv[1], async_setup=False)
Path(sys.argv[2]).write_text(str(client.base_url))
threading.Event().wait()
