use super::*;
use proptest::prelude::*;
use serde_json::json;

fn piece(choice: u32, text: &str, rest: &Value) -> Piece {
    Piece { rest: rest.as_object().cloned().unwrap_or_default(), ..Piece::text(choice, text) }
}

fn of(pieces: &[Piece]) -> Transcript {
    let mut transcript = Transcript::default();
    pieces.iter().for_each(|piece| transcript.add(piece));
    transcript
}

fn output(pieces: &[Piece]) -> String {
    String::from_utf8(of(pieces).output()).unwrap()
}

#[test]
fn a_text_is_hashed_as_it_stands() {
    assert_eq!(Transcript::default().output(), b"");
    assert!(Transcript::default().is_empty());
    assert_eq!(Transcript::of("Zoë\n").output(), "Zoë\n".as_bytes());
    let nothing = json!({"refusal": null, "tool_calls": [], "annotations": [], "x": "", "y": {}});
    assert_eq!(output(&[piece(0, "a", &nothing), piece(0, "b", &Value::Null)]), "ab");
    assert!(of(&[piece(0, "", &nothing)]).is_empty());
}

#[test]
fn anything_else_is_hashed_in_one_form() {
    let call = json!({"tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]});
    let expect = concat!(
        r#"[{"index":0,"rest":{"tool_calls":[{"function":{"arguments":"{}","name":"f"},"#,
        r#""id":"1","type":"function"}]},"text":""}]"#
    );
    assert_eq!(output(&[piece(0, "", &call)]), expect);
    let two = [piece(1, "b", &Value::Null), piece(0, "a", &Value::Null)];
    assert_eq!(
        output(&two),
        r#"[{"index":0,"rest":{},"text":"a"},{"index":1,"rest":{},"text":"b"}]"#
    );
    // What only says how likely it was, or why it ended, is not the answer.
    let told = Piece {
        logprobs: Some(json!({"content": [{"token": "a", "logprob": -0.5}]})),
        finish_reason: Some("stop".into()),
        ..Piece::text(0, "a")
    };
    assert_eq!(output(&[told]), "a");
}

#[test]
fn a_streamed_tool_call_is_the_whole_one() {
    let streamed = [
        piece(
            0,
            "",
            &json!({"tool_calls": [
                {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
            ]}),
        ),
        piece(
            0,
            "",
            &json!({"tool_calls": [
                {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\""}},
            ]}),
        ),
        // Some servers say id and name with every piece.
        piece(
            0,
            "",
            &json!({"tool_calls": [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": ":1}"}},
                {"index": 1, "function": {"arguments": "{}"}},
            ]}),
        ),
    ];
    let whole = json!({"tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]});
    assert_eq!(output(&streamed), output(&[piece(0, "", &whole)]));
}

#[test]
fn log_probabilities_are_put_together() {
    let one = |token: &str| Piece {
        logprobs: Some(json!({"content": [{"token": token}], "refusal": null})),
        ..Piece::text(0, token)
    };
    let first = of(&[one("a"), one("b")]).first();
    assert_eq!(first.logprobs.unwrap()["content"], json!([{"token": "a"}, {"token": "b"}]));
}

#[test]
fn a_transcript_is_kept_and_comes_again() {
    let rest = json!({"refusal": "no", "tool_calls": [{"id": "1"}]});
    let transcript = of(&[piece(2, "c", &rest), piece(0, "a", &Value::Null)]);
    let kept: Transcript =
        serde_json::from_slice(&serde_json::to_vec(&transcript).unwrap()).unwrap();
    assert_eq!(kept, transcript);
    assert_eq!(of(&kept.into_pieces()), transcript);
}

/// Cuts a text at places that need not be boundaries.
fn cut(text: &str, at: &[usize]) -> Vec<String> {
    let mut places: Vec<usize> = at.iter().map(|at| at % (text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.retain(|place| text.is_char_boundary(*place));
    places.sort_unstable();
    places.windows(2).map(|ends| text[ends[0]..ends[1]].to_owned()).collect()
}

proptest! {
    #[test]
    fn how_an_answer_was_cut_does_not_matter(
        text in ".{0,24}", arguments in ".{0,24}", refusal in ".{0,12}",
        cuts in proptest::collection::vec(0_usize..40, 0..8),
        choice in 0_u32..3, index in 0_u64..3,
    ) {
        let call = |id: &str, name: &str, arguments: &str| json!({"tool_calls": [
            {"index": index, "id": id, "function": {"name": name, "arguments": arguments}},
        ]});
        let whole = [
            piece(choice, &text, &json!({"refusal": refusal})),
            piece(choice, "", &call("id", "f", &arguments)),
        ];
        let mut pieces = vec![piece(choice, "", &call("id", "f", ""))];
        pieces.extend(cut(&arguments, &cuts).iter().map(|part| piece(choice, "", &json!({
            "tool_calls": [{"index": index, "function": {"arguments": part}}]
        }))));
        pieces.extend(cut(&refusal, &cuts).iter().map(|part| {
            piece(choice, "", &json!({"refusal": part}))
        }));
        pieces.extend(cut(&text, &cuts).iter().map(|part| piece(choice, part, &Value::Null)));
        prop_assert_eq!(output(&pieces), output(&whole));
    }
}
