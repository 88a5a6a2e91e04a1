use super::*;
use crate::{Message, Role};
use serde_json::{Map, Value, json};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn asked(job: &GenerateJob, limit: Limit) -> (Place, Value) {
    let request = Generate::new(job, "m", limit);
    (request.place(), serde_json::from_slice(&body(&request).unwrap()).unwrap())
}

fn asked_for_vectors(job: &EmbedJob) -> Value {
    serde_json::from_slice(&body(&Embed { job, model: "m" }).unwrap()).unwrap()
}

#[test]
fn requests_say_what_the_job_says() {
    let mut job = GenerateJob::greedy(
        Prompt::Chat(vec![Message::new(Role::System, "be brief"), Message::new(Role::User, "hi")]),
        7,
    );
    let (path, body) = asked(&job, Limit::Older);
    assert_eq!(path, Place::Chat);
    let messages = json!([
        {"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}
    ]);
    let mut expect = json!({
        "model": "m", "max_tokens": 7, "temperature": 0.0, "top_p": 1.0,
        "stream": true, "stream_options": {"include_usage": true}, "messages": messages
    });
    assert_eq!(body, expect);
    // Whole answers are asked for whole.
    job.stream = false;
    expect["stream"] = json!(false);
    expect.as_object_mut().unwrap().remove("stream_options");
    assert_eq!(asked(&job, Limit::Older).1, expect);
    job.prompt = Prompt::Text("Once".into());
    (job.seed, job.stop, job.choices) = (Some(3), vec!["\n".into()], 2);
    let (path, body) = asked(&job, Limit::Older);
    assert_eq!(path, Place::Completions);
    assert_eq!(
        (&body["prompt"], &body["seed"], &body["stop"], &body["n"]),
        (&json!("Once"), &json!(3), &json!(["\n"]), &json!(2))
    );
}

#[test]
fn the_limit_has_one_name_whatever_a_caller_wrote() {
    let check = |prompt: Prompt, limit, expect: &str| {
        let mut job = GenerateJob::greedy(prompt, 7);
        job.extras.fields = object(&json!({"max_tokens": 9999, "max_completion_tokens": 9999}));
        let (_, body) = asked(&job, limit);
        let names = body
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with("max_"));
        assert_eq!((names.collect::<Vec<_>>(), &body[expect]), (vec![expect], &json!(7)));
    };
    check(Prompt::user("hi"), Limit::Older, "max_tokens");
    check(Prompt::user("hi"), Limit::Newer, "max_completion_tokens");
    check(Prompt::Text("hi".into()), Limit::Older, "max_tokens");
    check(Prompt::Text("hi".into()), Limit::Newer, "max_tokens");
}

#[test]
fn who_wants_the_newer_name_says_it() {
    let check = |message: &str, param: Option<&str>, expect| {
        let (message, param) = (message.to_owned(), param.map(str::to_owned));
        let refused = Failure::UpstreamRefused { message, param };
        assert_eq!(wants_newer(&refused), expect, "{refused}");
    };
    let said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
        'max_completion_tokens' instead.";
    check(said, Some("max_tokens"), true);
    check("bad request", Some("max_completion_tokens"), true);
    check("max_tokens is too large", Some("max_tokens"), false);
    check("too hot", None, false);
    let message = said.to_owned();
    assert!(!wants_newer(&Failure::UpstreamStatus { status: 404, message }));
}

#[test]
fn what_is_beyond_text_goes_on_and_replaces_nothing_of_ours() {
    let mut job = GenerateJob::greedy(Prompt::user("see"), 7);
    let image = json!({"type": "image_url", "image_url": {"url": "https://a/b.png"}});
    let written = json!({"role": "user", "content": [image], "name": "Ada"});
    job.extras.messages = Some(vec![written.clone()]);
    job.extras.fields = object(&json!({
        "tools": [{"type": "function"}], "response_format": {"type": "json_object"},
        "model": "other", "max_tokens": 9999, "stream": false, "n": 50, "stream_options": 1,
        "top_k": 3,
    }));
    job.extras.hints = object(&json!({"user": "u"}));
    let (_, body) = asked(&job, Limit::Older);
    assert_eq!(body["messages"], json!([written]));
    assert_eq!((&body["top_k"], &body["user"]), (&json!(3), &json!("u")));
    assert_eq!(body["tools"], json!([{"type": "function"}]));
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("m"), &json!(7)));
    assert_eq!((&body["stream"], body.get("n")), (&json!(true), None));
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
}

#[test]
fn vectors_are_asked_for_with_all_that_a_job_says() {
    let mut job = EmbedJob::of(vec!["a".into(), "b".into()]);
    let plain = json!({"model": "m", "input": ["a", "b"]});
    assert_eq!(asked_for_vectors(&job), plain);
    job.extras.fields = object(&json!({
        "dimensions": 2, "input_type": "query", "model": "other", "input": "c",
        "encoding_format": "base64", "stream": true,
    }));
    job.extras.hints = object(&json!({"user": "u"}));
    let expect = json!({
        "model": "m", "input": ["a", "b"], "dimensions": 2, "input_type": "query", "user": "u",
    });
    assert_eq!(asked_for_vectors(&job), expect);
}
