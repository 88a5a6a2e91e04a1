use super::*;
use proptest::prelude::*;

/// Bytes of a GGUF file, put together by hand.
pub(crate) struct Builder {
    pairs: Vec<u8>,
    pair_count: u64,
    tensors: Vec<u8>,
    tensor_count: u64,
    data: Vec<u8>,
}

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

impl Builder {
    pub(crate) fn new() -> Self {
        let (pairs, tensors, data) = (Vec::new(), Vec::new(), Vec::new());
        Self { pairs, pair_count: 0, tensors, tensor_count: 0, data }
    }

    fn pair(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.pairs.extend(text(key));
        self.pairs.extend(kind.to_le_bytes());
        self.pairs.extend(value);
        self.pair_count += 1;
        self
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.pair(key, 8, &text(value))
    }

    fn number(self, key: &str, value: u32) -> Self {
        self.pair(key, 4, &value.to_le_bytes())
    }

    fn texts(self, key: &str, values: &[&str]) -> Self {
        let mut bytes = [&8u32.to_le_bytes()[..], &(values.len() as u64).to_le_bytes()].concat();
        bytes.extend(values.iter().flat_map(|value| text(value)));
        self.pair(key, 9, &bytes)
    }

    /// A tensor of `elements` f32, behind the ones before it.
    fn tensor(mut self, name: &str, elements: u64) -> Self {
        self.tensors.extend(text(name));
        self.tensors.extend(1u32.to_le_bytes());
        self.tensors.extend(elements.to_le_bytes());
        self.tensors.extend(0u32.to_le_bytes());
        self.tensors.extend((self.data.len() as u64).to_le_bytes());
        self.data.resize(self.data.len() + elements as usize * 4, 0);
        self.tensor_count += 1;
        self
    }

    pub(crate) fn build(self) -> Vec<u8> {
        let mut bytes = [&b"GGUF"[..], &3u32.to_le_bytes()].concat();
        bytes.extend(self.tensor_count.to_le_bytes());
        bytes.extend(self.pair_count.to_le_bytes());
        bytes.extend(self.pairs);
        bytes.extend(self.tensors);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT_DEFAULT as usize), 0);
        bytes.extend(self.data);
        bytes
    }
}

fn sample() -> Vec<u8> {
    Builder::new()
        .text("general.architecture", "llama")
        .text("general.name", "Tiny")
        .pair("general.flag", 7, &[1])
        .number("llama.context_length", 2048)
        .pair("llama.embedding_length", 10, &576u64.to_le_bytes())
        .number("llama.block_count", 30)
        .number("llama.attention.head_count", 9)
        .pair(
            "llama.attention.head_count_kv",
            9,
            &[&4u32.to_le_bytes()[..], &1u64.to_le_bytes(), &3u32.to_le_bytes()].concat(),
        )
        .number("llama.attention.key_length", 64)
        .texts("tokenizer.ggml.tokens", &["a", "", "ção"])
        .pair("scores", 9, &[&6u32.to_le_bytes()[..], &2u64.to_le_bytes(), &[0; 8]].concat())
        .text("tokenizer.chat_template", "{{ messages }}")
        .tensor("a", 9)
        .tensor("b", 3)
        .build()
}

fn read(bytes: &[u8]) -> Result<Header, HeaderError> {
    read_header(bytes, bytes.len() as u64)
}

#[test]
fn a_header_says_what_the_model_is() {
    let expect = Header {
        architecture: "llama".into(),
        name: Some("Tiny".into()),
        context_tokens: Some(2048),
        embedding_width: Some(576),
        has_chat_template: true,
        tensors: 2,
        shape: Shape {
            layers: Some(30),
            heads: Some(9),
            // Given per layer.
            heads_kv: None,
            key_length: Some(64),
            value_length: None,
            vocabulary: Some(3),
        },
    };
    assert_eq!(read(&sample()).unwrap(), expect);
}

#[test]
fn every_cut_of_a_file_is_found() {
    let whole = sample();
    for length in 0..whole.len() {
        match read(&whole[..length]) {
            Err(HeaderError::NotGguf) if length < 4 => {}
            Err(HeaderError::Truncated { needed, have }) => {
                assert_eq!(have, length as u64);
                assert!(needed > have && needed <= whole.len() as u64);
            }
            other => panic!("{length} bytes: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_truncated() {
    let whole = sample();
    for length in 4..whole.len() - 48 {
        // The tensor data itself is not read, so only the header's part counts.
        let result = read_header(&whole[..length], whole.len() as u64);
        if let Err(error) = result {
            assert!(matches!(error, HeaderError::Truncated { .. }), "{length} bytes: {error:?}");
        }
    }
}

#[test]
fn bad_headers_have_their_own_errors() {
    let check = |bytes: Vec<u8>, expect: &str| {
        assert_eq!(read(&bytes).unwrap_err().to_string(), expect);
    };
    let changed = |at: usize, with: &[u8]| {
        let mut bytes = sample();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    check(b"<html></html>".to_vec(), "it does not begin with `GGUF`");
    check(vec![], "it does not begin with `GGUF`");
    check(changed(4, &1u32.to_le_bytes()), "version 1, known are 2 and 3");
    check(changed(4, &3u32.to_be_bytes()), "version 50331648, known are 2 and 3");
    check(changed(8, &99_999u64.to_le_bytes()), "tensor count 99999 is beyond 65536");
    check(changed(16, &5000u64.to_le_bytes()), "pair count 5000 is beyond 4096");
    check(
        changed(24, &u64::MAX.to_le_bytes()),
        &format!("text length {} is beyond 1048576", u64::MAX),
    );
    check(Builder::new().build(), "`general.architecture` is missing or of the wrong type");
    check(
        Builder::new().number("general.architecture", 1).build(),
        "`general.architecture` is missing or of the wrong type",
    );
    check(Builder::new().pair("x", 13, &[]).build(), "value type 13 is unknown");
    let nested = [&9u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat();
    check(Builder::new().pair("x", 9, &nested).build(), "value type 9 is unknown");
    check(
        Builder::new().number("general.alignment", 12).build(),
        "alignment 12 is not a power of two",
    );
    check(
        Builder::new().pair("x", 8, &[&1u64.to_le_bytes()[..], &[0xff]].concat()).build(),
        "a text is not UTF-8",
    );
}

#[test]
fn a_huge_tensor_is_a_truncated_file() {
    let file = Builder::new().text("general.architecture", "llama").tensor("a", 1).build();
    let mut huge = file;
    let name = huge.windows(9).position(|w| w == [&1u64.to_le_bytes()[..], b"a"].concat()).unwrap();
    huge[name + 13..name + 21].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(read(&huge).unwrap_err(), HeaderError::Truncated { needed: u64::MAX, .. }));
}

proptest! {
    #[test]
    fn garbage_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(read(&bytes).is_err());
        let framed = [&b"GGUF\x03\0\0\0"[..], &bytes].concat();
        prop_assert!(read(&framed).is_err());
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0usize..400, byte in any::<u8>()) {
        let mut bytes = sample();
        let at = at % bytes.len();
        bytes[at] = byte;
        // Whatever is accepted fits into the file: the data were not cut off.
        if let Ok(header) = read(&bytes) {
            prop_assert!(header.tensors <= 2);
        }
    }
}
