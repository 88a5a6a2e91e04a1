//! libFuzzer's entry to the target `terms_document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("terms_document", input));
