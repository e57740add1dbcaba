"""LiteLLM, which routes to any server that speaks OpenAI's API."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it looks for prices on the internet

import litellm

place = {"api_base": "http://localhost:8000/v1", "api_key": "none", "seed": 1, "max_tokens": 40}
text = litellm.text_completion(model="text-completion-openai/gpt-shakespeare", prompt="ROMEO:", **place)
assert text.choices[0].text
messages = [{"role": "user", "content": "Who goes there?"}]
chat = litellm.completion(model="openai/gpt-shakespeare", messages=messages, **place)
parts = litellm.completion(model="openai/gpt-shakespeare", messages=messages, stream=True, **place)
assert "".join(part.choices[0].delta.content or "" for part in parts) == chat.choices[0].message.content
print("done")
