"""infini-gram, driven by the bench `trace-spans`: builds an index or asks one, and prints
one JSON document. What it needs of `transformers` without a tokenizer is its name."""

import json
import os
import resource
import subprocess
import sys
import time


def build(work):
    home = os.path.join(work, "peer")
    stand_in = os.path.join(home, "stand-in")
    os.makedirs(os.path.join(stand_in, "transformers"))
    with open(os.path.join(stand_in, "transformers", "__init__.py"), "w") as file:
        file.write("class utils:\n    class logging:\n        set_verbosity = print\n")
    environment = dict(os.environ, PYTHONPATH=stand_in)
    command = [sys.executable, "-m", "infini_gram.indexing", "--token_dtype", "u8", "--cpus", "2"]
    limit = str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    command += ["--mem", "8", "--add_metadata", "--ulimit", limit]
    command += ["--data_dir", os.path.join(work, "texts"), "--save_dir", os.path.join(home, "index")]
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit((done.stderr or done.stdout)[-400:])
    elapsed = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    index = os.path.join(home, "index")
    size = sum(os.path.getsize(os.path.join(index, name)) for name in os.listdir(index))
    return {"cpu_s": used.ru_utime + used.ru_stime, "elapsed_s": elapsed,
            "peak_mb": used.ru_maxrss * 1024 / 1e6, "disk_mb": size / 1e6}


def ask(work):
    from infini_gram.engine import InfiniGramEngine

    with open(os.path.join(work, "questions.json")) as file:
        questions = json.load(file)
    # Both numbers are bytes to it. No text has the bytes 254 and 255.
    engine = InfiniGramEngine(
        index_dir=os.path.join(work, "peer", "index"), eos_token_id=254, vocab_size=255,
        version=4, token_dtype="u8")
    # As many as there are: no limit on how often a span may occur.
    most = 2**31 - 1

    def attribute(text):
        return engine.attribute(
            input_ids=text, delim_ids=[], min_len=questions["bytes_min"], max_cnt=most,
            enforce_bow=False)

    attribute(questions["answers"][0])
    traces, spans = [], []
    for _ in range(questions["rounds"]):
        times = []
        for text in questions["answers"]:
            started = time.perf_counter()
            found = attribute(text)
            times.append((time.perf_counter() - started) * 1e3)
            spans.append([[span["l"], span["r"], span["count"]] for span in found["spans"]])
        traces.append(times)
    finds = []
    for _ in range(questions["rounds"]):
        times = []
        for text in questions["patterns"]:
            started = time.perf_counter()
            engine.find(input_ids=text)
            times.append((time.perf_counter() - started) * 1e6)
        finds.append(times)
    return {"trace_ms": traces, "find_us": finds, "spans": spans[:len(questions["answers"])]}


if __name__ == "__main__":
    what, work = sys.argv[1:]
    print(json.dumps({"build": build, "ask": ask}[what](work)))
