//! libFuzzer's entry to the target `chunk_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("chunk_proof", input));
