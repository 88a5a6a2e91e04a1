//! libFuzzer's entry to the target `sign_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("sign_request", input));
