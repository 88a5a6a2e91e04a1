"""OpenAI's own client, unmodified, against a node whose model is another server.

Its argument is JSON: base_url, losing (the same behind a proxy that loses things), api_key, model.
Prints how many calls were charged; fails at the first thing that is not as it should be.
"""

import json
import sys

import openai
from pydantic import BaseModel

WORLD = json.loads(sys.argv[1])
MODEL = WORLD["model"]
USER = [{"role": "user", "content": "How is the weather in Porto?"}]
FUNCTION = {
    "name": "weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
TOOLS = [{"type": "function", "function": FUNCTION}]
charged = 0


class Weather(BaseModel):
    city: str
    degrees: int


def client(base="base_url", **more):
    return openai.OpenAI(base_url=WORLD[base], api_key=WORLD["api_key"], **more)


def count(calls=1):
    global charged
    charged += calls


def tools():
    chat = client(max_retries=0).chat.completions
    answer = chat.create(model=MODEL, messages=USER, tools=TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls", answer
    call = answer.choices[0].message.tool_calls[0]
    assert (call.id, call.function.name) == ("call_1", "weather"), answer
    assert json.loads(call.function.arguments) == {"city": "Porto"}, answer
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    again = chat.create(
        model=MODEL, messages=[*USER, answer.choices[0].message, result], tools=TOOLS
    )
    assert again.choices[0].message.content == "It says 21 degrees.", again
    assert again.usage.prompt_tokens == 7 and again.usage.completion_tokens == 3, again
    assert again.usage.prompt_tokens_details is None, again
    count(2)
    with chat.stream(model=MODEL, messages=USER, tools=TOOLS) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls", final
    call = final.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "Porto"}, final
    count()


def structured():
    chat = client(max_retries=0).chat.completions
    answer = chat.parse(model=MODEL, messages=USER, response_format=Weather)
    assert answer.choices[0].message.parsed == Weather(city="Porto", degrees=21), answer
    count()


def choices_and_fields():
    chat = client(max_retries=0).chat.completions
    answer = chat.create(model=MODEL, messages=USER, n=3)
    said = [choice.message.content for choice in answer.choices]
    assert said == ["choice 0", "choice 1", "choice 2"], answer
    chunks = list(chat.create(model=MODEL, messages=USER, n=2, stream=True))
    texts = ["", ""]
    for chunk in chunks:
        assert chunk.usage is None, chunk
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == ["choice 0", "choice 1"], chunks
    own = chat.create(model=MODEL, messages=USER, extra_body={"top_k": 3})
    assert own.choices[0].message.content == "top_k is 3", own
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    seen = [{"role": "user", "content": [{"type": "text", "text": "see"}, image]}]
    answer = chat.create(model=MODEL, messages=seen)
    assert answer.choices[0].message.content == "2 parts", answer
    count(4)
    for more, param in [({"n_predict": 9}, "n_predict"), ({"temperature": 2}, "temperature")]:
        try:
            chat.create(model=MODEL, messages=USER, extra_body=more)
            raise AssertionError(f"{more} was taken")
        except openai.BadRequestError as error:
            assert (error.code, error.param) == ("invalid_request", param), repr(error)


def responses():
    api = client(max_retries=0).responses
    answer = api.create(model=MODEL, input="Hello", instructions="Be brief")
    assert answer.output_text == "choice 0", answer
    assert answer.status == "completed" and answer.usage.total_tokens == 10, answer
    assert answer.usage.input_tokens_details.cached_tokens == 0, answer
    known = api.create(model=MODEL, input="Hello", prompt_cache_key="known")
    assert known.usage.input_tokens_details.cached_tokens == 4, known
    flat = [{"type": "function", **FUNCTION}]
    called = api.create(model=MODEL, input=USER, tools=flat)
    call = called.output[0]
    assert call.type == "function_call" and json.loads(call.arguments) == {"city": "Porto"}, called
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    again = api.create(model=MODEL, input=[*USER, call.model_dump(), result], tools=flat)
    assert again.output_text == "It says rain.", again
    parsed = api.parse(model=MODEL, input="Porto", text_format=Weather)
    assert parsed.output_parsed == Weather(city="Porto", degrees=21), parsed
    with api.stream(model=MODEL, input="Hello") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    assert final.output_text == "choice 0", final
    count(6)


def lost():
    """Whatever is lost, whenever: one answer, one charge."""
    for what in ("answer", "connection", "silence"):
        for when in ("before", "after"):
            lossy = client("losing", max_retries=2, timeout=4)
            content = f"{what} lost {when}"
            answer = lossy.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": content}],
                extra_headers={"lose": f"{what}-{when}"},
            )
            assert answer.choices[0].message.content == "choice 0", answer
            count()
    # Equal requests that were not lost are two.
    same = client(max_retries=2).chat.completions
    ids = {same.create(model=MODEL, messages=USER).id for _ in range(2)}
    assert len(ids) == 2, ids
    count(2)


for part in (tools, structured, choices_and_fields, responses, lost):
    part()
    print(part.__name__, "ok", flush=True)
print("charged", charged)
