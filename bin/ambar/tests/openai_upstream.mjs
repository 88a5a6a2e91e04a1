// OpenAI's own client for Node.js, unmodified, against a node whose model is another server.
//
// Its argument is JSON: base_url, losing (the same behind a proxy that loses things), api_key,
// model. AMBAR_NPM is the directory that the client is installed in. Prints how many calls were
// charged; fails at the first thing that is not as it should be.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const { default: OpenAI } = createRequire(path.join(process.env.AMBAR_NPM, "x.js"))("openai");
const world = JSON.parse(process.argv[2]);
const model = world.model;
const messages = [{ role: "user", content: "How is the weather in Porto?" }];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", function: { name: "weather", parameters } }];
const format = { type: "json_schema", json_schema: { name: "weather", schema: parameters } };
let charged = 0;

const client = (base, more = {}) =>
  new OpenAI({ baseURL: world[base], apiKey: world.api_key, maxRetries: 0, ...more });
const own = client("base_url");

async function plain() {
  const answer = await own.chat.completions.create({ model, messages });
  assert.equal(answer.choices[0].message.content, "choice 0");
  assert.equal(answer.usage.total_tokens, 10);
  const stream = await own.chat.completions.create({
    model, messages, n: 2, stream: true, stream_options: { include_usage: true },
  });
  const texts = ["", ""];
  let usage = null;
  for await (const chunk of stream) {
    for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual(texts, ["choice 0", "choice 1"]);
  assert.equal(usage.completion_tokens, 6);
  charged += 2;
}

async function toolsAndStructure() {
  const runner = own.chat.completions.stream({ model, messages, tools });
  const final = await runner.finalChatCompletion();
  const call = final.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, "weather");
  assert.deepEqual(JSON.parse(call.function.arguments), { city: "Porto" });
  const result = { role: "tool", tool_call_id: call.id, content: "21 degrees" };
  const again = await own.chat.completions.create({
    model, messages: [...messages, final.choices[0].message, result], tools,
  });
  assert.equal(again.choices[0].message.content, "It says 21 degrees.");
  const shaped = await own.chat.completions.create({ model, messages, response_format: format });
  assert.deepEqual(JSON.parse(shaped.choices[0].message.content), { city: "Porto", degrees: 21 });
  charged += 3;
}

async function embeddings() {
  const answer = await own.embeddings.create({ model, input: ["one", "two"] });
  assert.deepEqual(answer.data.map((datum) => datum.embedding), [[1, 0], [1, 0]]);
  const more = { dimensions: 3, encoding_format: "float", task: "query", user: "u" };
  const wide = await own.embeddings.create({ model, input: ["one"], ...more });
  assert.deepEqual(wide.data[0].embedding, [1, 0, 1]);
  more.encoding_format = "base64";
  const packed = await own.embeddings.create({ model, input: "one", ...more });
  const bytes = Buffer.from(packed.data[0].embedding, "base64");
  assert.deepEqual([0, 4, 8].map((at) => bytes.readFloatLE(at)), [1, 0, 1]);
  await assert.rejects(own.embeddings.create({ model, input: "one", task: "none" }), (error) => {
    assert.deepEqual([error.status, error.code, error.param], [400, "invalid_request", "task"]);
    return true;
  });
  charged += 3;
}

async function responses() {
  const answer = await own.responses.create({ model, input: "Hello" });
  assert.equal(answer.output_text, "choice 0");
  const kinds = [];
  const stream = own.responses.stream({ model, input: "Hello" });
  for await (const event of stream) kinds.push(event.type);
  assert.equal(kinds[0], "response.created");
  assert.equal(kinds.at(-1), "response.completed");
  assert.equal((await stream.finalResponse()).output_text, "choice 0");
  charged += 2;
}

async function lost() {
  for (const what of ["answer", "connection", "silence"]) {
    for (const when of ["before", "after"]) {
      const lossy = client("losing", { maxRetries: 2, timeout: 4000 });
      const content = `${what} lost ${when} for node`;
      const answer = await lossy.chat.completions.create(
        { model, messages: [{ role: "user", content }] },
        { headers: { lose: `${what}-${when}` } },
      );
      assert.equal(answer.choices[0].message.content, "choice 0");
      charged += 1;
    }
  }
}

for (const part of [plain, toolsAndStructure, embeddings, responses, lost]) {
  await part();
  console.log(part.name, "ok");
}
console.log("charged", charged);
