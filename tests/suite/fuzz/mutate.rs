//! Mutations of fuzz inputs, the same in every run.

/// Pseudo-random numbers (xorshift64*, Vigna 2016).
pub(super) struct Rng(pub(super) u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }
}

/// Byte sequences that parsers treat specially.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"{{",
    b": ",
    b"- ",
    b"#",
    b"&a ",
    b"*a",
    b"<<: ",
    b"|\n",
    b"null",
    b"~",
    b"-1",
    b"1e309",
    b"99999999999999999999",
    b"\\ud800",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x94\x91",
    b"9999-12-31",
    b"0001-01-01T00:00:00Z",
    b"T24:00:60.999999999+23:59",
    b"; rel=\"next\"",
    b"<https://evil.example/>",
    b"eyJ",
    b"-----BEGIN CERTIFICATE-----",
];

/// Applies up to five mutations: a flipped bit, an insertion, a deletion, a copy within the input, or a splice with `other`.
pub(super) fn mutate(input: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(out.len() + 1);
        match rng.below(6) {
            0 if at < out.len() => out[at] ^= 1 << rng.below(8),
            1 => drop(out.splice(at..at, PIECES[rng.below(PIECES.len())].iter().copied())),
            2 => drop(out.drain(at..(at + rng.below(16)).min(out.len()))),
            3 => {
                let end = (at + rng.below(64)).min(out.len());
                let copied = out[at..end].to_vec();
                let to = rng.below(out.len() + 1);
                drop(out.splice(to..to, copied));
            }
            4 => {
                out.truncate(at);
                out.extend_from_slice(&other[rng.below(other.len() + 1)..]);
            }
            _ => out.insert(at, u8::try_from(rng.below(256)).unwrap_or_default()),
        }
    }
    out
}
