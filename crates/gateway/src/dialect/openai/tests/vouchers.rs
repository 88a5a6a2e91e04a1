//! What requests carry for channels in voucher mode, and what a receipt hashes of them.

use super::super::{CHAT, COMPLETIONS, EMBEDDINGS, input_of};
use super::fake::{Fake, Script, done, error, request, text};
use crate::vouchers::VoucherWord;
use ambar_base::{Digest, Price, Signature};
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;

const A_CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

#[tokio::test]
async fn vouchers_and_salts_are_read() {
    let fake = Fake::new(Script::Play(vec![text("x"), done()]));
    let request = request("POST", CHAT)
        .header("Ambar-Voucher", "0.000000300")
        .header("Ambar-Voucher-Signature", "07".repeat(64))
        .header("Ambar-Salt", "05".repeat(32));
    assert_eq!(fake.send(request.body(Body::from(A_CHAT)).unwrap()).await.status(), StatusCode::OK);
    let asked = fake.last();
    let word = VoucherWord { total: Price(300), signature: Signature([7; 64]) };
    assert_eq!((asked.voucher, asked.salt), (Some(word), Some(Digest([5; 32]))));
    fake.post(CHAT, A_CHAT).await;
    assert_eq!((fake.last().voucher, fake.last().salt), (None, None));
}

#[tokio::test]
async fn halves_and_garbage_are_refused() {
    let fake = Fake::new(Script::Play(vec![text("x"), done()]));
    let (total, signature) = ("Ambar-Voucher", "Ambar-Voucher-Signature");
    let good = "07".repeat(64);
    let check = async |headers: &[(&str, &str)], param: &str| {
        let mut request = request("POST", CHAT);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let error = error(fake.send(request.body(Body::from(A_CHAT)).unwrap()).await).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("invalid_request"), &json!(param)));
    };
    check(&[(total, "1")], total).await;
    check(&[(signature, &good)], total).await;
    check(&[(total, "-1"), (signature, &good)], total).await;
    check(&[(total, "1"), (signature, &good[1..])], signature).await;
    check(&[("Ambar-Salt", "05")], "Ambar-Salt").await;
    assert!(fake.asked.lock().unwrap().is_empty());
}

#[test]
fn inputs_are_what_receipts_hash() {
    let check = |path: &str, body: serde_json::Value, expect: Option<(&str, bool)>| {
        let input = input_of(path, body.to_string().as_bytes());
        assert_eq!(input, expect.map(|(text, stream)| (text.to_owned(), stream)), "{body}");
    };
    let system = json!({"role": "system", "content": "be kind"});
    let user = json!({"role": "user", "content": [{"type": "text", "text": "a"}]});
    let said = json!({"role": "assistant", "content": "b"});
    let body = json!({"model": "m", "stream": true, "messages": [system, user, said]});
    check(CHAT, body, Some(("a", true)));
    check(COMPLETIONS, json!({"model": "m", "prompt": ["once"]}), Some(("once", false)));
    check(EMBEDDINGS, json!({"model": "m", "input": ["a", "b"]}), Some(("a\nb", false)));
    let fields = json!({"dimensions": 2, "task": "q"});
    let mut body =
        json!({"model": "m", "input": ["a", "b"], "user": "u", "encoding_format": "float"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let hashed = r#"{"fields":{"dimensions":2,"task":"q"},"input":["a","b"]}"#;
    check(EMBEDDINGS, body, Some((hashed, false)));
    check(CHAT, json!({"model": "m"}), None);
    check("/v1/models", json!({"model": "m", "prompt": "once"}), None);
}
