"""LangChain's `OpenAI` and `ChatOpenAI`."""

from langchain_openai import ChatOpenAI, OpenAI

place = {"base_url": "http://localhost:8000/v1", "api_key": "none", "model": "gpt-shakespeare", "seed": 1}
model = OpenAI(**place, max_tokens=40)
first, second = model.generate(["ROMEO:", "JULIET:"]).generations
assert first[0].text
assert second[0].text
assert "".join(model.stream("ROMEO:")) == model.invoke("ROMEO:") == first[0].text

chat = ChatOpenAI(**place, max_tokens=40)
answer = chat.invoke("Who goes there?")
assert answer.content
assert "".join(part.content for part in chat.stream("Who goes there?")) == answer.content
print("done")
