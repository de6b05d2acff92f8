#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| token_expiry_exporter_fuzz::link(input));
