"""Uses a node through OpenAI's own client, of which only address and key are set.

Takes one argument, a JSON object: base_url, api_key (a certificate), model (a capsule's id),
name (what people call it) and words (every answer of the model). Prints how many calls were
charged; fails at the first thing that is not as the client's users know it.
"""

import json
import math
import sys

import openai

MESSAGES = [{"role": "user", "content": "one two three"}]
TOKENS_IN = 3


class Client:
    """The client, and how many of its calls were charged."""

    def __init__(self, world):
        self.world = world
        self.model = world["model"]
        self.words = world["words"]
        self.charged = 0
        self.openai = self.with_key(world["api_key"])

    def with_key(self, key):
        return openai.OpenAI(base_url=self.world["base_url"], api_key=key, max_retries=0)

    def chat(self, **more):
        return self.openai.chat.completions.create(model=self.model, messages=MESSAGES, **more)

    def keyed(self, key, content="one two three"):
        raw = self.openai.chat.completions.with_raw_response
        messages = [{"role": "user", "content": content}]
        headers = {"Idempotency-Key": key}
        return raw.create(model=self.model, messages=messages, extra_headers=headers)


def check_usage(usage, words):
    assert usage.prompt_tokens == TOKENS_IN, usage
    assert usage.completion_tokens == len(words.split()), usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage


def check_receipt(headers):
    channel, number = headers["ambar-receipt"].split("-")
    assert int(channel) >= 0 and int(number) >= 0, headers
    assert float(headers["ambar-price"]) > 0, headers
    assert float(headers["ambar-mu"]) > 0, headers


def models(client):
    listed = {model.id for model in client.openai.models.list()}
    assert listed == {client.model}, listed
    model = client.openai.models.retrieve(client.model)
    assert model.id == client.model and model.object == "model", model
    assert model.name == client.world["name"], model


def chat_plain(client):
    raw = client.openai.chat.completions.with_raw_response
    raw = raw.create(model=client.model, messages=MESSAGES)
    check_receipt(raw.headers)
    answer = raw.parse()
    assert answer.object == "chat.completion", answer
    assert answer.choices[0].message.content == client.words, answer
    assert answer.choices[0].finish_reason == "stop", answer
    check_usage(answer.usage, client.words)
    short = client.chat(max_completion_tokens=2, temperature=0.5, seed=7)
    assert short.choices[0].message.content == "w0 w1", short
    assert short.choices[0].finish_reason == "length", short
    client.charged += 2


def chat_stream(client):
    options = {"include_usage": True}
    *chunks, last = client.chat(stream=True, stream_options=options)
    assert all(chunk.usage is None for chunk in chunks), chunks
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant", deltas
    assert "".join(delta.content or "" for delta in deltas) == client.words, deltas
    assert chunks[-1].choices[0].finish_reason == "stop", chunks
    assert last.choices == [], last
    check_usage(last.usage, client.words)
    without = list(client.chat(stream=True))
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in without), without
    client.charged += 2


def stream_receipt(client):
    """The receipt is the header of a stream and its last comment before the end."""
    streaming = client.openai.chat.completions.with_streaming_response
    with streaming.create(model=client.model, messages=MESSAGES, stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]", lines
    comments = [line for line in lines if line.startswith(": ")]
    assert comments[-1] == ": ambar-receipt " + response.headers["ambar-receipt"], comments
    client.charged += 1


def completions(client):
    asked = {"model": client.model, "prompt": "one two three"}
    answer = client.openai.completions.create(**asked)
    assert answer.object == "text_completion", answer
    assert answer.choices[0].text == client.words, answer
    check_usage(answer.usage, client.words)
    chunks = list(client.openai.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == client.words, chunks
    assert chunks[-1].choices[0].finish_reason == "stop", chunks
    client.charged += 2


def embeddings(client):
    texts = ["one two", "three"]
    for encoding in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        answer = client.openai.embeddings.create(model=client.model, input=texts, **encoding)
        assert [datum.index for datum in answer.data] == [0, 1], answer
        assert answer.usage.prompt_tokens == 3, answer
        client.charged += 1
        if encoding.get("encoding_format") == "base64":
            continue
        for datum in answer.data:
            length = math.sqrt(sum(number * number for number in datum.embedding))
            assert abs(length - 1) < 1e-5, length
    one, again = (client.openai.embeddings.create(model=client.model, input="one") for _ in "ab")
    assert one.data[0].embedding == again.data[0].embedding
    client.charged += 2


def refused(kind, code, call, param=None):
    try:
        call()
    except openai.APIStatusError as error:
        assert type(error) is kind, repr(error)
        assert error.code == code, repr(error)
        assert error.param == param, repr(error)
        assert error.body["message"], repr(error)
        return error
    raise AssertionError(f"{code} was not refused")


def errors(client):
    wrong = client.with_key("sk-wrong")
    listing = wrong.models.list
    refused(openai.AuthenticationError, "certificate_invalid", listing)
    asking = lambda: wrong.chat.completions.create(model=client.model, messages=MESSAGES)
    refused(openai.AuthenticationError, "certificate_invalid", asking)
    other = lambda: client.openai.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    refused(openai.NotFoundError, "model_not_found", other, "model")
    finding = lambda: client.openai.models.retrieve("gpt-4o")
    refused(openai.NotFoundError, "model_not_found", finding, "model")
    for param, value in [
        ("temperature", 9),
        ("top_p", 0),
        ("max_tokens", 0),
        ("n", 2),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
    ]:
        call = lambda param=param, value=value: client.chat(**{param: value})
        refused(openai.BadRequestError, "invalid_request", call, param)
    empty = lambda: client.openai.embeddings.create(model=client.model, input=[])
    refused(openai.BadRequestError, "invalid_request", empty, "input")
    for param, value in [("dimensions", 3), ("task", "query")]:
        field = {param: value}
        call = lambda field=field: client.openai.embeddings.create(
            model=client.model, input="one", extra_body=field
        )
        refused(openai.BadRequestError, "invalid_request", call, param)


def idempotency(client):
    first, second = client.keyed("a-key"), client.keyed("a-key")
    assert first.headers["ambar-receipt"] == second.headers["ambar-receipt"]
    assert "ambar-replayed" not in first.headers
    assert second.headers["ambar-replayed"] == "true"
    same = lambda raw: raw.parse().model_dump(exclude={"created"})
    assert same(first) == same(second), (first.text, second.text)
    other = client.keyed("another-key")
    assert other.headers["ambar-receipt"] != first.headers["ambar-receipt"]
    client.charged += 2
    conflict = lambda: client.keyed("a-key", "something else")
    kind, code = openai.UnprocessableEntityError, "idempotency_conflict"
    error = refused(kind, code, conflict)
    assert error.response.headers["ambar-receipt"] == first.headers["ambar-receipt"]


def main():
    client = Client(json.loads(sys.argv[1]))
    for part in (
        models,
        chat_plain,
        chat_stream,
        stream_receipt,
        completions,
        embeddings,
        errors,
        idempotency,
    ):
        part(client)
        print(part.__name__, "ok", flush=True)
    print("charged", client.charged)


if __name__ == "__main__":
    main()
