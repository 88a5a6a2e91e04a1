use super::*;
use ambar_base::{ErrorCode, Price};
use std::collections::BTreeMap;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// Keeps the fields of each line of calls.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == CALLS_TARGET
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = BTreeMap::new();
        event.record(&mut Fields(&mut line));
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn told(call: impl FnOnce(&Arc<Telemetry>)) -> (Arc<Telemetry>, Vec<BTreeMap<String, String>>) {
    let (telemetry, lines) = (Arc::new(Telemetry::default()), Lines::default());
    tracing::subscriber::with_default(lines.clone(), || call(&telemetry));
    let lines = lines.0.lock().unwrap().clone();
    (telemetry, lines)
}

#[test]
fn a_call_that_is_done_is_told_by_the_names_of_the_conventions() {
    let usage = Usage {
        input_tokens: 12,
        output_tokens: 34,
        cached_tokens: Some(5),
        finish_reason: Some("stop"),
        price: Price(120_000),
    };
    let (telemetry, lines) = told(|telemetry| {
        let mut call = telemetry.call(Operation::Chat, "small", true);
        call.routed("bafy".into(), 3);
        call.admitted("7-1".into());
        call.answering("chatcmpl-1".into());
        call.first(std::time::Instant::now());
        call.first(std::time::Instant::now());
        call.done(&usage);
    });
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let expect = [
        (names::OPERATION, "\"chat\""),
        (names::PROVIDER, "\"ambar\""),
        (names::REQUEST_MODEL, "\"small\""),
        (names::REQUEST_STREAM, "true"),
        (names::RESPONSE_ID, "\"chatcmpl-1\""),
        (names::FINISH_REASONS, "\"stop\""),
        (names::INPUT_TOKENS, "12"),
        (names::OUTPUT_TOKENS, "34"),
        (names::CACHED_TOKENS, "5"),
        (names::RECEIPT, "\"7-1\""),
        (names::CAPSULE, "\"bafy\""),
        (names::PRICE, "\"0.000120000\""),
        (names::NODE, "3"),
    ];
    for (name, value) in expect {
        assert_eq!(line.get(name).map(String::as_str), Some(value), "{name} in {line:?}");
    }
    assert!(line.contains_key(names::TIME_TO_FIRST_CHUNK));
    assert!(!line.contains_key(names::ERROR_TYPE), "{line:?}");
    for name in line.keys().filter(|name| *name != "message") {
        let known = names::ATTRIBUTES.contains(&name.as_str());
        assert!(known || name == names::OPERATION_DURATION, "{name}");
    }
    assert_eq!(telemetry.stages.view(Stage::FirstPiece).count, 1);
    assert_eq!(telemetry.stages.view(Stage::Admit).count, 1);
    let [(kind, input), (_, output)] = telemetry.tokens(Operation::Chat);
    assert_eq!((kind, input.sum, output.sum, output.count), ("input", 12, 34, 1));
    assert_eq!(telemetry.tokens(Operation::Embeddings)[0].1.count, 0);
}

#[test]
fn every_call_is_told_once_however_it_ends() {
    let (telemetry, lines) = told(|telemetry| {
        let call = |operation| telemetry.call(operation, "x", false);
        call(Operation::Chat).failed(ErrorCode::ChannelEmpty, None);
        call(Operation::Chat).failed(ErrorCode::EngineFailed, Some(&Usage::default()));
        call(Operation::TextCompletion).done(&Usage::default());
        // Its caller left, and nobody said so.
        drop(call(Operation::Embeddings));
    });
    let errors: Vec<_> = lines.iter().map(|line| line.get(names::ERROR_TYPE).cloned()).collect();
    let text = |text: &str| Some(format!("{text:?}"));
    let expect = [text("channel_empty"), text("engine_failed"), None, text("abandoned")];
    assert_eq!(errors, expect);
    let durations = telemetry.durations();
    let ended: Vec<_> = durations.iter().map(|(ended, view)| (*ended, view.count)).collect();
    let expect = [
        ((Operation::Chat, Some("channel_empty")), 1),
        ((Operation::Chat, Some("engine_failed")), 1),
        ((Operation::TextCompletion, None), 1),
        ((Operation::Embeddings, Some("abandoned")), 1),
    ];
    assert_eq!(ended, expect);
}

#[test]
fn names_are_unique_and_fit_prometheus() {
    for (place, name) in names::ATTRIBUTES.iter().enumerate() {
        assert!(!names::ATTRIBUTES[..place].contains(name), "{name}");
        let plain = names::prometheus(name);
        assert!(plain.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{plain}");
    }
    assert_eq!(names::prometheus(names::TOKEN_USAGE), "gen_ai_client_token_usage");
}
