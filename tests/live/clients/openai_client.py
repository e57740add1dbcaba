"""The official client: synchronous and asynchronous, whole, streamed, cancelled, and its errors."""

import asyncio

import openai

URL = "http://localhost:8000/v1"
PROMPTS = ["ROMEO:", "JULIET:"]
client = openai.OpenAI(base_url=URL, api_key="none", max_retries=0)

whole = client.completions.create(model="gpt-shakespeare", prompt=PROMPTS, n=2, seed=1, max_tokens=30)
assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
assert whole.usage.completion_tokens == 120

texts = dict.fromkeys(range(4), "")
usage = None
with client.completions.create(
    model="gpt-shakespeare", prompt=PROMPTS, n=2, seed=1, max_tokens=30, stream=True,
    stream_options={"include_usage": True},
) as stream:  # fmt: skip
    for event in stream:
        usage = event.usage or usage
        for choice in event.choices:
            texts[choice.index] += choice.text
assert list(texts.values()) == [choice.text for choice in whole.choices]
assert usage == whole.usage

messages = [{"role": "user", "content": "Who goes there?"}]
chat = client.chat.completions.create(model="gpt-shakespeare", messages=messages, seed=1, logprobs=True)
assert chat.choices[0].finish_reason == "stop"
tokens = "".join(one.token for one in chat.choices[0].logprobs.content)
assert tokens.startswith(chat.choices[0].message.content)

with client.completions.create(model="gpt-shakespeare", prompt="a", max_tokens=4000, stream=True) as stream:
    next(iter(stream))  # and leaves

assert [model.id for model in client.models.list()] == ["gpt-shakespeare"]
assert client.models.retrieve("gpt-shakespeare").object == "model"
told = []
for error, arguments in (
    (openai.NotFoundError, {"model": "none"}),
    (openai.BadRequestError, {"model": "gpt-shakespeare", "suffix": "end"}),
):
    try:
        client.completions.create(prompt="a", **arguments)
    except error as caught:
        told.append((caught.param, caught.code))
assert told == [("model", "model_not_found"), ("suffix", "invalid_request")]


async def main() -> None:
    async with openai.AsyncOpenAI(base_url=URL, api_key="none", max_retries=0) as client:
        asked = [
            client.completions.create(model="gpt-shakespeare", prompt=prompt, n=2, seed=1, max_tokens=30)
            for prompt in PROMPTS
        ]
        answers = await asyncio.gather(*asked)
        assert [choice.text for answer in answers for choice in answer.choices] == list(texts.values())
        stream = await client.chat.completions.create(
            model="gpt-shakespeare", messages=messages, seed=1, stream=True
        )
        text = "".join([event.choices[0].delta.content or "" async for event in stream])
        assert text == chat.choices[0].message.content
        task = asyncio.ensure_future(
            client.completions.create(model="gpt-shakespeare", prompt="a", max_tokens=4000)
        )
        await asyncio.sleep(0.5)
        task.cancel()


asyncio.run(main())
print("done")
